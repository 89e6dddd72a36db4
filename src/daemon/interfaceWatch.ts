/** Reads the WireGuard interface again and again, because nothing tells us when it changes. */

import type { PublicKey } from '../base/publicKey.js'
import { causeOf } from '../base/userError.js'
import type { InterfaceDump } from '../io/wireguard/interfaceDump.js'
import type { InterfaceReader } from '../io/wireguard/interfaceReader.js'
import type { Logger } from './logger.js'
import { SucceededError } from './successors.js'

/** From the start of one read to that of the next: peers added and removed with `wg set` are noticed within 2 s. */
const READ_MS = 1_000

export class InterfaceWatch {
  /** Fulfilled where the interface got another private key, or another name: another node is to go on then. */
  readonly failed: Promise<Error>
  readonly #fail: (reason: Error) => void
  readonly #reader: Pick<InterfaceReader, 'read'>
  readonly #ownKey: PublicKey
  readonly #name: string
  readonly #nameNow: () => string | undefined
  readonly #onRead: (dump: InterfaceDump) => void
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #missing = false
  #stopped = false

  /** `nameNow`: what the interface is called that was called `name` at the start; undefined where there is none. */
  constructor(
    reader: Pick<InterfaceReader, 'read'>,
    { publicKey: ownKey, name }: Pick<InterfaceDump, 'publicKey' | 'name'>,
    nameNow: () => string | undefined,
    onRead: (dump: InterfaceDump) => void,
    log: Logger,
  ) {
    let fail: (reason: Error) => void = () => undefined
    this.failed = new Promise((resolve) => {
      fail = resolve
    })
    this.#fail = fail
    this.#reader = reader
    this.#ownKey = ownKey
    this.#name = name
    this.#nameNow = nameNow
    this.#onRead = onRead
    this.#log = log
    this.#schedule(READ_MS)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #schedule(ms: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      const startedAt = performance.now()
      this.#read().finally(() => this.#schedule(Math.max(0, READ_MS - (performance.now() - startedAt))))
    }, ms)
  }

  async #read(): Promise<void> {
    try {
      const dump = await this.#reader.read()
      if (this.#stopped) return
      if (dump.publicKey !== this.#ownKey) {
        this.#fail(new SucceededError(`${dump.name} has another private key now: followed`, dump.name))
        return
      }
      if (this.#missing) this.#log.info('the interface is back')
      this.#missing = false
      this.#onRead(dump)
    } catch (error) {
      const name = this.#nameNow()
      if (name !== undefined && name !== this.#name) {
        this.#fail(new SucceededError(`${this.#name} is called ${name} now: followed`, name))
        return
      }
      if (!this.#missing && !this.#stopped) {
        this.#log.warn({ cause: causeOf(error) }, 'cannot read the interface; it is tried on')
      }
      this.#missing = true
    }
  }
}
