/**
 * This machine's network as the engine sees it: one shared socket for each address that is not inside a tunnel, and
 * which way each prefix leaves. Read at the start and whenever something changes.
 */

import { causeOf } from '../base/userError.js'
import type { Input, MachineRoute } from '../engine/inputs.js'
import { localAddresses } from '../io/localAddresses.js'
import { NetworkChanges } from '../io/networkChanges.js'
import { readRoutes } from '../io/routes.js'
import type { SharedSockets } from '../io/sharedSockets.js'
import { listInterfaces } from '../io/wireguard/wgTool.js'
import type { Logger } from './logger.js'

/** Changes come in bursts; the last one of a burst counts. */
const BURST_MS = 50

/** An address that is not usable yet (IPv6 duplicate address detection) is tried again after this. */
const RETRY_MS = 1_000

export class Machine {
  readonly #shared: SharedSockets
  readonly #handle: (input: Input) => void
  readonly #log: Logger
  #routes: readonly MachineRoute[] = []
  #changes: NetworkChanges | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(shared: SharedSockets, handle: (input: Input) => void, log: Logger) {
    this.#shared = shared
    this.#handle = handle
    this.#log = log
  }

  /** The routes as they were last read. */
  get routes(): readonly MachineRoute[] {
    return this.#routes
  }

  /** Reads everything once, and then again after every change. Throws a PortInUseError where the port is taken. */
  async start(): Promise<void> {
    await this.#read()
    this.#changes = new NetworkChanges({
      onChange: () => this.#readSoon(BURST_MS),
      onTrouble: (message) => this.#log.warn(message),
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#changes?.stop()
  }

  #readSoon(ms: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#read().catch((error: unknown) => {
        this.#log.warn({ cause: causeOf(error) }, 'cannot follow a change of the network')
      })
    }, ms)
  }

  async #read(): Promise<void> {
    const tunnels = new Set(await tunnelNames(this.#log))
    const routes = await readRoutes()
    if (this.#stopped) return
    this.#routes = routes.map(({ prefix, device }) => ({
      prefix,
      tunnel: device !== undefined && tunnels.has(device),
    }))
    const failures = this.#shared.setAddresses(localAddresses(tunnels).map(({ ip }) => ip))
    for (const { ip, code } of failures) this.#log.debug({ ip, code }, 'cannot use an address yet')
    if (failures.length > 0) this.#readSoon(RETRY_MS)
    this.#handle({ type: 'routes-read', routes: this.#routes })
    this.#handle({ type: 'sockets-changed', sockets: this.#shared.sockets() })
  }
}

/** The WireGuard interfaces; none where there is no `wg`, as on a bootstrap node. */
export async function tunnelNames(log: Logger): Promise<readonly string[]> {
  try {
    return await listInterfaces()
  } catch (error) {
    log.debug({ cause: causeOf(error) }, 'cannot list the WireGuard interfaces')
    return []
  }
}
