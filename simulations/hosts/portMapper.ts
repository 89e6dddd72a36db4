/**
 * Asks the gateways of a host to open ports, as src/io/portMapping does, and tells the engine how it went. What a gateway
 * is like (topology.ts, `PortMapping`) is all that is simulated of the protocols; TCP ports are granted, and lead nowhere.
 */

import { SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { MappingProtocol, MappingSite, PortToMap } from '../../src/engine/path/mappedPort.js'
import type { MappingGateway } from '../network/place.js'
import type { PortMapping } from '../topology.js'
import type { Host } from './host.js'

/** From a question to a gateway in the LAN to its answer. */
const ANSWER_MS = 2
/** After this, questions that were not answered are given up (src/io/portMapping). */
const PROBE_MS = 4 * SECOND
const SILENT_MS = 8 * SECOND

/** Nobody's (RFC 5737). */
const FOREIGN_IP = '192.0.2.77'

export class PortMapper {
  readonly #host: Host
  readonly #handle: (input: Input) => void
  /** By name: what is to be closed at the end. */
  readonly #open = new Map<string, PortToMap>()
  #isStopped = false

  constructor(host: Host, handle: (input: Input) => void) {
    this.#host = host
    this.#handle = handle
  }

  probe({ site, protocols }: Extract<Effect, { readonly type: 'probe-gateway' }>): void {
    const by = protocolOf(this.#gatewayOf(site)?.behaviour)
    if (by !== undefined && protocols.includes(by))
      this.#in(ANSWER_MS, { type: 'gateway-answered', site, by })
    this.#in(PROBE_MS, { type: 'gateway-probed', site })
  }

  map({ port, lifetimeMs }: Extract<Effect, { readonly type: 'map-port' }>): void {
    const { site, by, protocol, internalPort, externalPort } = port
    const which = { site, by, protocol, internalPort }
    const fail = (reason: 'conflict' | 'refused' | 'silent', detail: string, ms = ANSWER_MS): void =>
      this.#in(ms, { type: 'port-mapping-failed', ...which, reason, detail })
    const opened = (ip: string, externalPort: number): void => {
      this.#open.set(nameOf(port), { ...port, externalPort })
      this.#in(ANSWER_MS, { type: 'port-mapped', ...which, external: { ip, port: externalPort }, lifetimeMs })
    }
    const gateway = this.#gatewayOf(site)
    if (gateway === undefined || protocolOf(gateway.behaviour) !== by) {
      fail('silent', 'it does not answer', SILENT_MS)
      return
    }
    switch (gateway.behaviour) {
      case 'refusing':
        fail('refused', 'not authorized')
        return
      case 'rubbish':
        // What is no answer is none.
        fail('silent', 'it does not answer', SILENT_MS)
        return
      case 'foreign':
        opened(FOREIGN_IP, externalPort)
        return
      case 'hollow':
        opened(gateway.outerIp, externalPort)
        return
      default: {
        const inner = { ip: site.local, port: internalPort }
        const isOpen = protocol === 'tcp' || gateway.open(inner, externalPort, lifetimeMs)
        if (isOpen) opened(gateway.outerIp, externalPort)
        else fail('conflict', 'somebody else has it')
      }
    }
  }

  unmap({ port }: Pick<Extract<Effect, { readonly type: 'unmap-port' }>, 'port'>): void {
    const { site, protocol, internalPort, externalPort } = port
    this.#open.delete(nameOf(port))
    if (protocol === 'udp') this.#gatewayOf(site)?.close({ ip: site.local, port: internalPort }, externalPort)
  }

  /** The daemon ends as it should: what is open is closed. */
  stop(): void {
    for (const port of [...this.#open.values()]) this.unmap({ port })
  }

  /** Nothing is told any more. */
  end(): void {
    this.#isStopped = true
  }

  #gatewayOf({ gateway, local }: MappingSite): MappingGateway | undefined {
    const place = this.#host.places.find(({ ips }) => ips.includes(local))
    return place?.gateway?.ip === gateway ? place.gateway : undefined
  }

  #in(ms: number, input: Input): void {
    this.#host.clock.in(ms, () => {
      if (!this.#isStopped) this.#handle(input)
    })
  }
}

/** What it answers to. */
function protocolOf(behaviour: PortMapping | undefined): MappingProtocol | undefined {
  switch (behaviour) {
    case 'pcp':
    case 'nat-pmp':
    case 'upnp':
      return behaviour
    case 'none':
    case undefined:
      return undefined
    default:
      return 'upnp'
  }
}

function nameOf({ site, by, protocol, internalPort }: PortToMap): string {
  return `${by} ${protocol} ${site.gateway} ${site.local} ${internalPort}`
}
