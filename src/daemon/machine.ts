/**
 * This machine's network as the engine sees it: one shared socket for each address that is not inside a tunnel, and
 * which way each prefix leaves. Read at the start and whenever something changes.
 */

import { canonicalIp } from '../base/address.js'
import { causeOf, UserError } from '../base/userError.js'
import type { Input, LocalSocket, MachineRoute } from '../engine/inputs.js'
import { type LocalAddress, localAddresses } from '../io/localAddresses.js'
import { NetworkChanges } from '../io/networkChanges.js'
import { type Route, readRoutes } from '../io/routes.js'
import type { BindFailure, SharedSockets } from '../io/sharedSockets.js'
import type { Logger } from './logger.js'
import { ReadSchedule } from './readSchedule.js'
import type { Tunnels } from './tunnels.js'

/** The shared port is taken by another program. */
export class PortInUseError extends UserError {
  override readonly name = 'PortInUseError'

  constructor(ip: string, port: number) {
    super(`UDP port ${port} is in use on ${ip}: choose another with --listen-port`)
  }
}

export class Machine {
  readonly #shared: SharedSockets
  readonly #streams: () => readonly LocalSocket[]
  readonly #tunnels: Tunnels
  readonly #handle: (input: Input) => void
  readonly #onNetworkChanged: () => void
  readonly #log: Logger
  readonly #schedule = new ReadSchedule((isRetry) => this.#readAgain(isRetry))
  #routes: readonly MachineRoute[] = []
  /** The devices of the addresses, as they were last read. */
  #devices: ReadonlyMap<string, string> = new Map()
  /** The addresses and the ways out, as they were last read. */
  #network: string | undefined
  #changes: NetworkChanges | undefined
  #stopped = false

  /**
   * `handle` gets what the engine is to know at every reading; `onNetworkChanged` is called before, where an address or
   * a way out has come or gone since the last one. `streams` are sockets besides those of the network.
   */
  constructor(
    shared: SharedSockets,
    tunnels: Tunnels,
    handle: (input: Input) => void,
    onNetworkChanged: () => void,
    log: Logger,
    streams: () => readonly LocalSocket[] = () => [],
  ) {
    this.#shared = shared
    this.#streams = streams
    this.#tunnels = tunnels
    this.#handle = handle
    this.#onNetworkChanged = onNetworkChanged
    this.#log = log
  }

  /** The routes as they were last read. */
  get routes(): readonly MachineRoute[] {
    return this.#routes
  }

  /** Reads everything once, and then again after every change. Throws a {@link PortInUseError} where the port is taken. */
  async start(): Promise<void> {
    const failures = await this.#read()
    const taken = failures.find(({ code }) => code === 'EADDRINUSE')
    if (taken !== undefined) throw new PortInUseError(taken.ip, this.#shared.port)
    this.#changes = new NetworkChanges({
      onChange: () => this.#schedule.changed(),
      onTrouble: (message) => this.#log.warn(message),
    })
    // An IPv6 address is not usable while it is looked for duplicates.
    if (failures.length > 0) this.#schedule.retry()
  }

  /** Opens sockets for punching, as far as the system allows, and tells which sockets there are now. */
  openSockets(ip: string, count: number): void {
    const failure = this.#shared.openPunching(ip, count)
    if (failure !== undefined)
      this.#log.debug({ ip, code: failure.code }, 'not all sockets for punching could be opened')
    this.tellSockets()
  }

  /** Tells the engine which sockets there are. */
  tellSockets(): void {
    const udp = this.#shared.sockets().map(({ id, address, purpose }) => ({
      id,
      address,
      purpose,
      device: this.#devices.get(address.ip) ?? '',
    }))
    this.#handle({ type: 'sockets-changed', sockets: [...udp, ...this.#streams()] })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([this.#schedule.stop(), this.#changes?.stop()])
  }

  /** True where all of it could be read and used. What cannot, waits; the rest is followed all the same. */
  async #readAgain(isRetry: boolean): Promise<boolean> {
    const level = isRetry ? 'debug' : 'warn'
    try {
      const failures = await this.#read()
      for (const { ip } of failures.filter(({ code }) => code === 'EADDRINUSE')) {
        this.#log[level]({ ip, port: this.#shared.port }, 'another program has our UDP port on a new address')
      }
      return failures.length === 0
    } catch (error) {
      this.#log[level]({ cause: causeOf(error) }, 'cannot follow a change of the network; it is tried again')
      return false
    }
  }

  async #read(): Promise<readonly BindFailure[]> {
    const [tunnels, routes] = await Promise.all([this.#tunnels.names(), readRoutes()])
    if (this.#stopped) return []
    this.#routes = routes.map(({ prefix, device, gateway }) => ({
      prefix,
      device,
      gateway: gateway === undefined ? undefined : canonicalIp(gateway),
      tunnel: device !== undefined && tunnels.has(device),
    }))
    const addresses = localAddresses(tunnels)
    this.#compare(addresses, waysOut(routes, tunnels))
    const failures = this.#shared.setAddresses(addresses.map(({ ip }) => ip))
    for (const { ip, code } of failures) this.#log.debug({ ip, code }, 'cannot use an address yet')
    this.#handle({ type: 'routes-read', routes: this.#routes })
    this.#devices = new Map(addresses.map(({ ip, device }) => [ip, device]))
    this.tellSockets()
    return failures
  }

  #compare(addresses: readonly LocalAddress[], ways: readonly Route[]): void {
    const network = [
      ...addresses.map(({ ip, device }) => `${ip} ${device}`),
      ...ways.map(({ prefix, device, gateway }) => `${prefix.ip}/${prefix.length} ${device} ${gateway}`),
    ]
      .toSorted()
      .join('\n')
    const former = this.#network
    this.#network = network
    if (former === undefined || former === network) return
    this.#log.debug(
      { former: former.split('\n'), network: network.split('\n') },
      'addresses or ways out changed',
    )
    this.#onNetworkChanged()
  }
}

/**
 * The routes by which packets leave the networks that the machine is in. The others come and go with the containers on
 * it, and with our own tunnel.
 */
function waysOut(routes: readonly Route[], tunnels: ReadonlySet<string>): readonly Route[] {
  return routes.filter(
    ({ prefix, device, gateway }) =>
      (prefix.length === 0 || gateway !== undefined) && (device === undefined || !tunnels.has(device)),
  )
}
