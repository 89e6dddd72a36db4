/** Ports at gateways, as the engine wants them: each errand ends with an input that says how it went. */

import type { Effect } from '../../engine/effects.js'
import type { Input } from '../../engine/inputs.js'
import type { MappingProtocol, PortToMap } from '../../engine/path/mappedPort.js'
import { within } from '../deadline.js'
import type { MappingClient, OnDrop } from './mappingClient.js'
import { NatPmpClient } from './natPmpClient.js'
import { PcpClient } from './pcpClient.js'
import { UpnpClient } from './upnpClient.js'

export type MappingClients = Readonly<Record<MappingProtocol, MappingClient>>

/** One errand, however its parts fare, in ms; the parts have shorter deadlines. */
const ERRAND_MS = 12_000
/** What is granted to gateways to close ports when the node ends. */
export const RELEASE_MS = 2_000

/** The protocols as they are spoken with real gateways. */
export function mappingClients(onDrop: OnDrop): MappingClients {
  return { pcp: new PcpClient(onDrop), 'nat-pmp': new NatPmpClient(onDrop), upnp: new UpnpClient(onDrop) }
}

export class PortMapper {
  readonly #clients: MappingClients
  readonly #handle: (input: Input) => void
  readonly #stopping = new AbortController()
  /** What is open, by its name, to be closed at the end. */
  readonly #open = new Map<string, PortToMap>()
  readonly #underWay = new Set<Promise<void>>()
  readonly #onFailure: (error: unknown) => void

  /** `onFailure` hears of what is a fault of ours: gateways can cause none. */
  constructor(clients: MappingClients, handle: (input: Input) => void, onFailure: (error: unknown) => void) {
    this.#clients = clients
    this.#handle = handle
    this.#onFailure = onFailure
  }

  probe({ site, protocols }: Extract<Effect, { type: 'probe-gateway' }>): void {
    this.#run(async (signal) => {
      const ask = async (by: MappingProtocol): Promise<void> => {
        if (await this.#clients[by].probe(site, signal)) this.#tell({ type: 'gateway-answered', site, by })
      }
      await Promise.all(protocols.map(ask))
      this.#tell({ type: 'gateway-probed', site })
    })
  }

  map({ port, lifetimeMs }: Extract<Effect, { type: 'map-port' }>): void {
    this.#run(async (signal) => {
      const { site, by, protocol, internalPort } = port
      const name = nameOf(port)
      const wasOpen = this.#open.has(name)
      // It may be opened while we end, and its answer come too late. By UPnP it could be another one's that we close.
      if (!wasOpen && by !== 'upnp') this.#open.set(name, port)
      const outcome = await this.#clients[by].map(port, lifetimeMs, signal)
      const which = { site, by, protocol, internalPort }
      if (outcome.type === 'failed') {
        const { reason, detail, opened } = outcome
        if (opened !== undefined) this.#closeUnused({ ...port, externalPort: opened })
        else if (!wasOpen && !signal.aborted) this.#open.delete(name)
        this.#tell({ type: 'port-mapping-failed', ...which, reason, detail })
        return
      }
      const { external } = outcome
      this.#open.set(name, { ...port, externalPort: external.port })
      this.#tell({ type: 'port-mapped', ...which, external, lifetimeMs: outcome.lifetimeMs })
    })
  }

  /** Has a port closed that the gateway has opened for nothing. One that was to be renewed serves until its time is over. */
  #closeUnused(port: PortToMap): void {
    if (this.#open.get(nameOf(port))?.externalPort === port.externalPort) return
    const name = `${nameOf(port)} ${port.externalPort}`
    // If we end before it is done, it is done at the end.
    this.#open.set(name, port)
    this.#run(async (signal) => {
      await this.#clients[port.by].unmap(port, signal)
      if (!signal.aborted) this.#open.delete(name)
    })
  }

  unmap({ port }: Extract<Effect, { type: 'unmap-port' }>): void {
    this.#open.delete(nameOf(port))
    this.#run((signal) => this.#clients[port.by].unmap(port, signal))
  }

  /** Ends what is under way, then has every port closed that is open. Takes {@link RELEASE_MS} at most. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#underWay)
    const signal = within(RELEASE_MS)
    await Promise.all([...this.#open.values()].map((port) => this.#clients[port.by].unmap(port, signal)))
    this.#open.clear()
  }

  #tell(input: Input): void {
    if (!this.#stopping.signal.aborted) this.#handle(input)
  }

  #run(errand: (signal: AbortSignal) => Promise<void>): void {
    if (this.#stopping.signal.aborted) return
    const signal = within(ERRAND_MS, this.#stopping.signal)
    const done = errand(signal)
      .catch(this.#onFailure)
      .finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }
}

function nameOf({ site, by, protocol, internalPort }: PortToMap): string {
  return `${by} ${protocol} ${site.gateway} ${site.local} ${internalPort}`
}
