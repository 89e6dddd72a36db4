/**
 * The reflectors given with `--stun`, whose names have to be resolved. That is done beside everything else: a name
 * server that is slow, or behind the tunnel that we are to build, holds nothing up.
 */

import { formatSocketAddress, type SocketAddress } from '../base/address.js'
import { backoffMs } from '../base/backoff.js'
import { HOUR, SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import { resolveName } from '../io/names/resolveName.js'
import type { Logger } from './logger.js'
import type { HostPort } from './settingReaders.js'

/** A look-up ends within this. */
const RESOLVE_MS = 5 * SECOND
/** A name that was resolved is resolved again after this; its host may have moved. */
const RENEW_MS = HOUR
/** Pauses while a name cannot be resolved: twice as long each time. */
const RETRY_MS = { first: SECOND, longest: 60 * SECOND } as const

interface NamedHost extends HostPort {
  addresses: readonly SocketAddress[]
  failures: number
  timer: NodeJS.Timeout | undefined
}

export class NamedReflectors {
  readonly #hosts: readonly NamedHost[]
  readonly #onChange: () => void
  readonly #log: Logger
  readonly #resolve: typeof resolveName
  #stopped = false

  /** `onChange` is called when {@link addresses} has changed. Nothing is resolved before `start`. */
  constructor(hosts: readonly HostPort[], onChange: () => void, log: Logger, resolve = resolveName) {
    this.#hosts = hosts.map((host) => ({ ...host, addresses: [], failures: 0, timer: undefined }))
    this.#onChange = onChange
    this.#log = log
    this.#resolve = resolve
  }

  /** What is known so far, in the order in which the hosts were given. A name that fails keeps what it had. */
  get addresses(): readonly SocketAddress[] {
    return this.#hosts.flatMap(({ addresses }) => addresses)
  }

  start(): void {
    for (const host of this.#hosts) void this.#look(host)
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#hosts) clearTimeout(timer)
  }

  async #look(named: NamedHost): Promise<void> {
    const { host, port } = named
    try {
      const found = await this.#resolve(host, port, RESOLVE_MS)
      if (this.#stopped) return
      named.failures = 0
      if (listed(found) !== listed(named.addresses)) {
        named.addresses = found
        this.#onChange()
      }
    } catch (error) {
      if (this.#stopped) return
      named.failures += 1
      const level = named.failures === 1 ? 'warn' : 'debug'
      this.#log[level]({ host, cause: causeOf(error) }, 'a reflector cannot be found; it is tried again')
    }
    named.timer = setTimeout(() => void this.#look(named), pauseAfter(named.failures))
  }
}

function pauseAfter(failures: number): number {
  return failures === 0 ? RENEW_MS : backoffMs(RETRY_MS, failures - 1)
}

/** As one text, to be compared: name servers change the order of what they answer. */
function listed(addresses: readonly SocketAddress[]): string {
  return addresses.map(formatSocketAddress).sort().join(' ')
}
