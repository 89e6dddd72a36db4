/**
 * What gateways say that they have opened, and how much of it is believed.
 *
 * An outer address counts where it is global and where reflectors see us at the same one. A private one, or another one,
 * means a second NAT above (or a lie): nobody is told of such a port. Before a reflector has seen us, nobody is told
 * either; there is nobody to tell.
 */

import { familyOf, isGlobal, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { LocalSocket } from '../inputs.js'
import type { GatewayLog } from './gatewayLog.js'
import type { MappedPort, MappedTransport, MappingVerdict } from './mappedPort.js'
import type { Site } from './mappingSites.js'

export interface MappingFindings {
  readonly ports: readonly MappedPort[]
  /** True where a gateway's own outer address is not ours to the world: there is another NAT above it. */
  readonly hasSecondNat: boolean
}

export class MappedPorts {
  sockets: readonly LocalSocket[] = []
  /** Where reflectors see us. */
  reflexive: readonly Candidate[] = []
  readonly #log: GatewayLog
  readonly #emit: Emit
  /** Outer addresses that are believed. */
  #confirmed: ReadonlySet<string> = new Set()
  #findings: MappingFindings = { ports: [], hasSecondNat: false }
  #candidates: readonly Candidate[] = []
  #announced: readonly SocketAddress[] = []

  constructor(log: GatewayLog, emit: Emit) {
    this.#log = log
    this.#emit = emit
  }

  /** The same object until something changes; so are the other two. */
  get findings(): MappingFindings {
    return this.#findings
  }

  /** Where the shared UDP port is open to all. */
  get candidates(): readonly Candidate[] {
    return this.#candidates
  }

  /** Where libp2p's TCP port is open to all. */
  get announced(): readonly SocketAddress[] {
    return this.#announced
  }

  /** While no reflector answers, what was borne out before stands. */
  verdict({ ip }: SocketAddress): MappingVerdict {
    if (!isGlobal(ip)) return 'second-nat'
    if (this.sockets.some(({ address }) => address.ip === ip)) return 'believed'
    const seen = this.reflexive.filter(({ address }) => familyOf(address.ip) === familyOf(ip))
    if (seen.length === 0) return this.#confirmed.has(ip) ? 'believed' : 'unconfirmed'
    return seen.some(({ address }) => address.ip === ip) ? 'believed' : 'second-nat'
  }

  /** Takes stock of what is open; what is told to others changes only where it differs. */
  review(sites: readonly Site[]): void {
    const ports: MappedPort[] = sites.flatMap((site) =>
      site.ports.flatMap(({ protocol, held }) =>
        held === undefined
          ? []
          : {
              protocol,
              by: held.by,
              internal: { ip: site.local, port: site.port },
              external: held.external,
              verdict: this.verdict(held.external),
            },
      ),
    )
    const believed = ports.filter(({ verdict }) => verdict === 'believed')
    this.#confirmed = new Set(believed.map(({ external }) => external.ip))
    if (JSON.stringify(ports) === JSON.stringify(this.#findings.ports)) return
    const hasSecondNat = ports.some(({ verdict }) => verdict === 'second-nat')
    this.#findings = { ports, hasSecondNat }
    for (const site of sites) {
      const doubted = site.ports.find(
        ({ held }) => held !== undefined && this.verdict(held.external) === 'second-nat',
      )
      if (doubted?.held === undefined) continue
      const fields = { gateway: site.gateway, external: doubted.held.external.ip }
      this.#log.say(
        site,
        'second-nat',
        'warn',
        "the gateway's address is not where others see us: there is a second NAT",
        fields,
      )
    }
    const open = (protocol: MappedTransport): SocketAddress[] =>
      believed
        .filter((port) => port.protocol === protocol)
        // What is open under its own address is known by that.
        .filter(({ internal, external }) => !sameSocketAddress(internal, external))
        .map(({ external }) => external)
    const udp = open('udp')
    const told = this.#candidates.map(({ address }) => address)
    if (!sameAddresses(udp, told)) this.#candidates = udp.map((address) => ({ type: 'mapped', address }))
    const tcp = open('tcp')
    if (sameAddresses(tcp, this.#announced)) return
    this.#announced = tcp
    this.#emit({ type: 'announce-mapped', addresses: tcp })
  }
}

function sameAddresses(a: readonly SocketAddress[], b: readonly SocketAddress[]): boolean {
  return (
    a.length === b.length &&
    a.every((address, index) => b[index] !== undefined && sameSocketAddress(address, b[index]))
  )
}
