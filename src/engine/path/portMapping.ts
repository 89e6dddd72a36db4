/**
 * Ports that gateways open for us: which are asked for, by which protocol, when they are renewed, and which of the
 * addresses that gateways name are believed.
 *
 *     resting ── due ──► probing: PCP, NAT-PMP, UPnP at once ── the first to answer ──► mapping UDP and TCP
 *        ▲                  │ nobody within the probe                                      │ granted: renewed at half its time
 *        └──────────────────┴──────── refused by all, or silent again and again ◄──────────┘
 *
 * A site is a gateway as one of our addresses reaches it: that of a default route, at a private IPv4 address (behind NAT),
 * or at a global IPv6 one (behind a firewall; PCP only, which opens it for us). For each, the shared UDP port and
 * libp2p's TCP port are asked for, both of one number.
 *
 * What a gateway says is believed only as far as others bear it out: an outer address counts where it is global and where
 * reflectors see us at the same one. A private one, or another one, means a second NAT above (or a lie): the mapping is
 * kept, not told to anybody, and {@link PortMapping.findings} says so.
 */

import {
  familyOf,
  isGlobal,
  isPort,
  type SocketAddress,
  sameSocketAddress,
  scopeOf,
} from '../../base/address.js'
import { backoffMs } from '../../base/backoff.js'
import { after, earliest, elapsed, HOUR, type Instant, MINUTE, SECOND } from '../../base/time.js'
import type { Candidate } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { Input, LocalSocket, MachineRoute } from '../inputs.js'

/** How a gateway is asked for a port. */
export type MappingProtocol = 'pcp' | 'nat-pmp' | 'upnp'

/** What is mapped. */
export type MappedTransport = 'udp' | 'tcp'

/** A gateway, and our address that it is asked from. */
export interface MappingSite {
  /** The gateway's address; a link-local one without its zone, which is `device`. */
  readonly gateway: string
  readonly device: string
  readonly local: string
}

/** One port of ours at one gateway. */
export interface PortToMap {
  readonly site: MappingSite
  readonly by: MappingProtocol
  readonly protocol: MappedTransport
  readonly internalPort: number
  /** What we should like to have, or have. */
  readonly externalPort: number
  /** PCP's: whoever knows it may change the mapping. */
  readonly nonce: Uint8Array
}

export interface PortMappingOptions {
  /** 12 bytes, the same at each start: without it, what a killed run left behind could not be taken over. */
  readonly nonce: Uint8Array
}

/** Whether an outer address is believed. `second-nat`: it is private, or not the one at which reflectors see us. */
export type MappingVerdict = 'believed' | 'unconfirmed' | 'second-nat'

/** A port that is open, as far as its gateway says. */
export interface MappedPort {
  readonly protocol: MappedTransport
  readonly by: MappingProtocol
  readonly internal: SocketAddress
  readonly external: SocketAddress
  readonly verdict: MappingVerdict
}

export interface MappingFindings {
  readonly ports: readonly MappedPort[]
  /** True where a gateway's own outer address is not ours to the world: there is another NAT above it. */
  readonly hasSecondNat: boolean
}

/** For how long is asked. Short, because a gateway that restarted has lost it and is asked again at half of it only. */
export const MAPPING_LIFETIME_MS = 20 * MINUTE
/** However long or short a time is granted, in ms. */
const RENEWAL = { soonest: 30 * SECOND, latest: 12 * HOUR }
/** Each mapping that fails is asked for again ever more rarely; so are gateways that do not answer. In ms. */
const RETRY = { first: 30 * SECOND, longest: 30 * MINUTE }
const SEARCH = { first: MINUTE, longest: HOUR }
/** What changes comes in bursts. */
const SETTLED_MS = 200
/** What is not answered by then was lost in the shell, whose own deadlines are shorter. */
const LOST_MS = 30 * SECOND
/** Somebody else in the LAN has the port: the next ones are tried. */
const MAX_CONFLICTS = 8
/** The reflexive address changed: at most so often, the gateway is asked whether its own did. */
const RECHECK_MS = 10 * SECOND
const MAX_SITES = 4
const TRANSPORTS: readonly MappedTransport[] = ['udp', 'tcp']
const PROTOCOLS: readonly MappingProtocol[] = ['pcp', 'nat-pmp', 'upnp']

interface Port {
  readonly protocol: MappedTransport
  held:
    | { readonly external: SocketAddress; readonly by: MappingProtocol; readonly expiresAt: Instant }
    | undefined
  /** Until when an answer is waited for. */
  asking: Instant | undefined
  askedAt: Instant | undefined
  nextAt: Instant | undefined
  failures: number
  conflicts: number
}

interface Site extends MappingSite {
  readonly port: number
  /** Until when a probe is waited for. */
  probing: Instant | undefined
  /** When it is to be probed; undefined while a protocol is in use. */
  probeAt: Instant | undefined
  probes: number
  by: MappingProtocol | undefined
  /** Others that it speaks, in the order of their answers. */
  spare: MappingProtocol[]
  readonly ports: readonly Port[]
}

type MappingInput = Extract<
  Input,
  { readonly type: 'gateway-answered' | 'gateway-probed' | 'port-mapped' | 'port-mapping-failed' }
>

export class PortMapping {
  readonly #nonce: Uint8Array | undefined
  readonly #emit: Emit
  #sockets: readonly LocalSocket[] = []
  #routes: readonly MachineRoute[] = []
  #reflexive: readonly Candidate[] = []
  #sites: Site[] = []
  /** What was said of a site is said once, as long as it is there. */
  readonly #said = new Set<string>()
  #findings: MappingFindings = { ports: [], hasSecondNat: false }
  #candidates: readonly Candidate[] = []
  #announced: readonly SocketAddress[] = []

  /** Without options nothing is ever asked. */
  constructor(options: PortMappingOptions | undefined, emit: Emit) {
    this.#nonce = options?.nonce
    this.#emit = emit
  }

  /** What is open now; the same object until that changes. */
  get findings(): MappingFindings {
    return this.#findings
  }

  /** Where the shared UDP port is open to all; the same list until that changes. */
  get candidates(): readonly Candidate[] {
    return this.#candidates
  }

  /** Where libp2p's TCP port is open to all; the same list until that changes. */
  get announced(): readonly SocketAddress[] {
    return this.#announced
  }

  get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const site of this.#sites) {
      next = earliest(next, site.probing ?? site.probeAt)
      for (const { held, asking, nextAt } of site.ports) {
        next = earliest(next, held?.expiresAt)
        if (site.by !== undefined) next = earliest(next, asking ?? nextAt)
      }
    }
    return next
  }

  /** The machine's sockets or routes changed: other gateways are asked, and those that are there no more are left. */
  change(
    change: { readonly sockets?: readonly LocalSocket[]; readonly routes?: readonly MachineRoute[] },
    now: Instant,
  ): void {
    if (this.#nonce === undefined) return
    this.#sockets = change.sockets ?? this.#sockets
    this.#routes = change.routes ?? this.#routes
    const former = this.#sites
    this.#sites = wantedSites(this.#sockets, this.#routes).map(
      (wanted) =>
        former.find((site) => sameSite(site, wanted) && site.port === wanted.port) ?? newSite(wanted, now),
    )
    for (const site of former) if (!this.#sites.includes(site)) this.#leave(site)
    this.wake(now)
  }

  /** Reflectors see us at these addresses. */
  setReflexive(reflexive: readonly Candidate[], now: Instant): void {
    if (this.#nonce === undefined || reflexive === this.#reflexive) return
    this.#reflexive = reflexive
    for (const { ports } of this.#sites)
      for (const port of ports) {
        const isDoubted = port.held !== undefined && this.#verdict(port.held.external) === 'second-nat'
        const isRecent = port.askedAt !== undefined && elapsed(port.askedAt, now) < RECHECK_MS
        if (isDoubted && !isRecent && port.asking === undefined) port.nextAt = now
      }
    this.#review()
    this.wake(now)
  }

  handle(input: MappingInput, now: Instant): void {
    const site = this.#sites.find((each) => sameSite(each, input.site))
    if (site === undefined) return
    switch (input.type) {
      case 'gateway-answered':
        this.#answered(site, input.by, now)
        break
      case 'gateway-probed':
        this.#probed(site, now)
        break
      case 'port-mapped':
        this.#mapped(site, input, now)
        break
      case 'port-mapping-failed':
        this.#failed(site, input, now)
    }
    this.#review()
    this.wake(now)
  }

  /** Asks what is due, and forgets what ran out. */
  wake(now: Instant): void {
    let hasExpired = false
    for (const site of this.#sites) {
      if (site.probing !== undefined && site.probing <= now) this.#probed(site, now)
      if (site.probing === undefined && site.probeAt !== undefined && site.probeAt <= now)
        this.#probe(site, now)
      for (const port of site.ports) {
        if (port.held !== undefined && port.held.expiresAt <= now) {
          port.held = undefined
          hasExpired = true
        }
        if (site.by !== undefined && port.asking !== undefined && port.asking <= now)
          this.#retry(site, port, now)
      }
    }
    // A failure of one port may have the other one asked for, too.
    for (const site of this.#sites) {
      if (site.by === undefined) continue
      for (const port of site.ports)
        if (port.asking === undefined && port.nextAt !== undefined && port.nextAt <= now)
          this.#ask(site, port, now)
    }
    if (hasExpired) this.#review()
  }

  #probe(site: Site, now: Instant): void {
    site.probing = after(now, LOST_MS)
    site.probeAt = undefined
    // UPnP's way of opening IPv6 firewalls is not spoken here, and NAT-PMP is of IPv4 only.
    const protocols = familyOf(site.local) === 6 ? (['pcp'] as const) : PROTOCOLS
    this.#emit({ type: 'probe-gateway', site: placeOf(site), protocols })
  }

  #answered(site: Site, by: MappingProtocol, now: Instant): void {
    if (site.by === by || site.spare.includes(by)) return
    if (site.by !== undefined) {
      site.spare.push(by)
      return
    }
    // An answer to a probe that was given up counts as well, but for a site that rests it begins nothing.
    if (site.probing === undefined) return
    this.#use(site, by, now)
  }

  #use(site: Site, by: MappingProtocol, now: Instant): void {
    site.by = by
    for (const port of site.ports)
      Object.assign(port, { asking: undefined, nextAt: now, failures: 0, conflicts: 0 })
  }

  #probed(site: Site, now: Instant): void {
    if (site.probing === undefined) return
    site.probing = undefined
    if (site.by === undefined) this.#rest(site, now)
  }

  /** Nobody answers, or all refuse: the gateway is probed again after a pause. */
  #rest(site: Site, now: Instant): void {
    site.by = undefined
    site.spare = []
    for (const port of site.ports) Object.assign(port, { asking: undefined, nextAt: undefined })
    site.probeAt = after(now, backoffMs(SEARCH, site.probes))
    site.probes += 1
  }

  #ask(site: Site, port: Port, now: Instant): void {
    const wanted = this.#portOf(site, port)
    if (wanted === undefined) return
    port.asking = after(now, LOST_MS)
    port.askedAt = now
    port.nextAt = undefined
    this.#emit({ type: 'map-port', port: wanted, lifetimeMs: MAPPING_LIFETIME_MS })
  }

  #mapped(site: Site, input: Extract<Input, { type: 'port-mapped' }>, now: Instant): void {
    const port = portFor(site, input)
    if (port === undefined) return
    const { external, lifetimeMs, by } = input
    if (!isPort(external.port) || familyOf(external.ip) !== familyOf(site.local) || !(lifetimeMs > 0)) {
      this.#failed(site, { ...input, reason: 'refused', detail: 'it names no such address' }, now)
      return
    }
    const renewMs = Math.min(RENEWAL.latest, Math.max(RENEWAL.soonest, lifetimeMs / 2))
    port.held = { external, by, expiresAt: after(now, Math.max(lifetimeMs, 2 * RENEWAL.soonest)) }
    port.asking = undefined
    port.nextAt = after(now, renewMs)
    port.failures = 0
    site.probes = 0
    this.#say(site, `${port.protocol} ${by} ${external.ip}`, 'info', 'the gateway has opened a port', {
      by,
      protocol: port.protocol,
      external: `${external.ip} port ${external.port}`,
    })
  }

  #failed(
    site: Site,
    input: Pick<
      Extract<Input, { type: 'port-mapping-failed' }>,
      'by' | 'protocol' | 'internalPort' | 'reason' | 'detail'
    >,
    now: Instant,
  ): void {
    const port = portFor(site, input)
    if (port === undefined) return
    if (input.reason === 'conflict' && port.conflicts < MAX_CONFLICTS) {
      port.conflicts += 1
      port.asking = undefined
      port.nextAt = now
      return
    }
    const fields = { gateway: site.gateway, by: input.by, reason: input.detail }
    this.#say(site, input.by, 'warn', 'the gateway does not open ports as asked', fields)
    this.#retry(site, port, now)
  }

  /** A port was not opened: another protocol does it, or it is tried again later. */
  #retry(site: Site, port: Port, now: Instant): void {
    port.asking = undefined
    const hasNone = site.ports.every(({ held }) => held === undefined)
    const isOver =
      hasNone && site.ports.every((each) => each.asking === undefined && (each === port || each.failures > 0))
    port.failures += 1
    port.nextAt = after(now, backoffMs(RETRY, port.failures - 1))
    if (!isOver) return
    const next = site.spare.shift()
    if (next !== undefined) this.#use(site, next, now)
    else if (site.probing === undefined) this.#rest(site, now)
    else site.by = undefined
  }

  /** The machine is in another network: what is still open there is closed, as far as it can be reached. */
  #leave(site: Site): void {
    for (const port of site.ports) {
      const { held } = port
      const wanted = this.#portOf(site, port)
      if (held === undefined || wanted === undefined) continue
      this.#emit({ type: 'unmap-port', port: { ...wanted, by: held.by, externalPort: held.external.port } })
    }
    const prefix = sayingOf(site, '')
    for (const said of this.#said) if (said.startsWith(prefix)) this.#said.delete(said)
    this.#review()
  }

  #portOf(site: Site, port: Port): PortToMap | undefined {
    const by = site.by ?? port.held?.by
    if (by === undefined || this.#nonce === undefined) return undefined
    // Others in the LAN ask for the same number, ours; two steps, because the next one is often taken likewise.
    const wished = 1024 + ((site.port - 1024 + port.conflicts * 2) % (65_536 - 1024))
    return {
      site: placeOf(site),
      by,
      protocol: port.protocol,
      internalPort: site.port,
      externalPort: port.held?.external.port ?? (port.conflicts === 0 ? site.port : wished),
      nonce: this.#nonce,
    }
  }

  #verdict({ ip }: SocketAddress): MappingVerdict {
    if (!isGlobal(ip)) return 'second-nat'
    if (this.#sockets.some(({ address }) => address.ip === ip)) return 'believed'
    const seen = this.#reflexive.filter(({ address }) => familyOf(address.ip) === familyOf(ip))
    if (seen.length === 0) return 'unconfirmed'
    return seen.some(({ address }) => address.ip === ip) ? 'believed' : 'second-nat'
  }

  /** Takes stock of what is open; what is told to others changes only where it differs. */
  #review(): void {
    const ports: MappedPort[] = this.#sites.flatMap((site) =>
      site.ports.flatMap(({ protocol, held }) =>
        held === undefined
          ? []
          : {
              protocol,
              by: held.by,
              internal: { ip: site.local, port: site.port },
              external: held.external,
              verdict: this.#verdict(held.external),
            },
      ),
    )
    if (JSON.stringify(ports) === JSON.stringify(this.#findings.ports)) return
    const hasSecondNat = ports.some(({ verdict }) => verdict === 'second-nat')
    this.#findings = { ports, hasSecondNat }
    for (const site of this.#sites) {
      const doubted = site.ports.find(
        ({ held }) => held !== undefined && this.#verdict(held.external) === 'second-nat',
      )
      if (doubted?.held === undefined) continue
      const fields = { gateway: site.gateway, external: doubted.held.external.ip }
      this.#say(
        site,
        'second-nat',
        'warn',
        "the gateway's address is not where others see us: there is a second NAT",
        fields,
      )
    }
    const open = (protocol: MappedTransport): SocketAddress[] =>
      ports
        .filter((port) => port.protocol === protocol && port.verdict === 'believed')
        // What is open under its own address is known by that.
        .filter(({ internal, external }) => !sameSocketAddress(internal, external))
        .map(({ external }) => external)
    const udp = open('udp')
    if (
      !sameAddresses(
        udp,
        this.#candidates.map(({ address }) => address),
      )
    )
      this.#candidates = udp.map((address) => ({ type: 'mapped', address }))
    const tcp = open('tcp')
    if (sameAddresses(tcp, this.#announced)) return
    this.#announced = tcp
    this.#emit({ type: 'announce-mapped', addresses: tcp })
  }

  #say(
    site: Site,
    what: string,
    level: 'info' | 'warn',
    message: string,
    fields: Readonly<Record<string, string | number>>,
  ): void {
    const saying = sayingOf(site, what)
    if (this.#said.has(saying) || this.#said.size >= MAX_SAID) return
    this.#said.add(saying)
    this.#emit({ type: 'log', level, message, fields })
  }
}

/** A gateway that names another address each time is not listened to for ever. */
const MAX_SAID = 64

function sayingOf({ gateway, local }: MappingSite, what: string): string {
  return `${gateway} ${local} ${what}`
}

function newSite(wanted: MappingSite & { readonly port: number }, now: Instant): Site {
  const ports = TRANSPORTS.map((protocol): Port => {
    return {
      protocol,
      held: undefined,
      asking: undefined,
      askedAt: undefined,
      nextAt: undefined,
      failures: 0,
      conflicts: 0,
    }
  })
  return {
    ...wanted,
    probing: undefined,
    probeAt: after(now, SETTLED_MS),
    probes: 0,
    by: undefined,
    spare: [],
    ports,
  }
}

/** Our addresses behind the gateways of default routes that are worth to be asked. */
function wantedSites(
  sockets: readonly LocalSocket[],
  routes: readonly MachineRoute[],
): readonly (MappingSite & { readonly port: number })[] {
  const sites = routes.flatMap(({ prefix, device, tunnel, gateway }) => {
    if (prefix.length > 0 || tunnel || device === undefined || gateway === undefined) return []
    const family = familyOf(gateway)
    return sockets
      .filter((socket) => socket.device === device && familyOf(socket.address.ip) === family)
      .filter(({ address }) => scopeOf(address.ip) === (family === 4 ? 'private' : 'global'))
      .map(({ address }) => ({ gateway, device, local: address.ip, port: address.port }))
  })
  return sites
    .filter((site, index) => sites.findIndex((each) => sameSite(each, site)) === index)
    .slice(0, MAX_SITES)
}

function placeOf({ gateway, device, local }: MappingSite): MappingSite {
  return { gateway, device, local }
}

/** The port that an answer is about, if it was asked for so. */
function portFor(
  site: Site,
  { by, protocol, internalPort }: Pick<PortToMap, 'by' | 'protocol' | 'internalPort'>,
): Port | undefined {
  if (site.by !== by || site.port !== internalPort) return undefined
  return site.ports.find((port) => port.protocol === protocol && port.asking !== undefined)
}

function sameSite(a: MappingSite, b: MappingSite): boolean {
  return a.gateway === b.gateway && a.device === b.device && a.local === b.local
}

function sameAddresses(a: readonly SocketAddress[], b: readonly SocketAddress[]): boolean {
  return (
    a.length === b.length &&
    a.every((address, index) => b[index] !== undefined && sameSocketAddress(address, b[index]))
  )
}
