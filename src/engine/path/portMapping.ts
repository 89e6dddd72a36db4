/**
 * Ports that gateways open for us: which are asked for, by which protocol, and when they are renewed.
 *
 *     resting ── due ──► probing: PCP, NAT-PMP, UPnP at once ── the first to answer ──► mapping UDP and TCP
 *        ▲                  │ nobody within the probe                                      │ granted: renewed at half its time
 *        └──────────────────┴──────── refused by all, or silent again and again ◄──────────┘
 *
 * A site is a gateway as one of our addresses reaches it: that of a default route, at a private IPv4 address (behind NAT),
 * or at a global IPv6 one (behind a firewall; PCP only, which opens it for us). For each, the shared UDP port and
 * libp2p's TCP port are asked for, both of one number.
 *
 * What gateways say is believed only as far as others bear it out (mappedPorts.ts). A mapping that is not believed is
 * kept all the same: it may be ours once the reflexive address has changed.
 */

import { familyOf, isPort, type SocketAddress } from '../../base/address.js'
import { backoffMs } from '../../base/backoff.js'
import { after, earliest, elapsed, HOUR, type Instant, MINUTE, SECOND } from '../../base/time.js'
import type { Candidate } from '../../wire/candidate.js'
import type { Emit } from '../effects.js'
import type { Input, LocalSocket, MachineRoute } from '../inputs.js'
import { GatewayLog } from './gatewayLog.js'
import type { MappingProtocol, PortToMap } from './mappedPort.js'
import { MappedPorts, type MappingFindings } from './mappedPorts.js'
import { newSite, type Port, placeOf, type Site, sameSite, wantedSites } from './mappingSites.js'

export interface PortMappingOptions {
  /** 12 bytes, the same at each start: without it, what a killed run left behind could not be taken over. */
  readonly nonce: Uint8Array
}

/** For how long is asked. Short, because a gateway that restarted has lost it and is asked again at half of it only. */
export const MAPPING_LIFETIME_MS = 20 * MINUTE
/** However long or short a time is granted, in ms. */
const RENEWAL = { soonest: 30 * SECOND, latest: 12 * HOUR }
/** Each mapping that fails is asked for again ever more rarely; so are gateways that do not answer. In ms. */
const RETRY = { first: 30 * SECOND, longest: 30 * MINUTE }
const SEARCH = { first: MINUTE, longest: HOUR }
/** What is not answered by then was lost in the shell, whose own deadlines are shorter. */
const LOST_MS = 30 * SECOND
/** Somebody else in the LAN has the port: the next ones are tried. */
const MAX_CONFLICTS = 8
/** The reflexive address changed: at most so often, the gateway is asked whether its own did. */
const RECHECK_MS = 10 * SECOND
const PROTOCOLS: readonly MappingProtocol[] = ['pcp', 'nat-pmp', 'upnp']

export type MappingInput = Extract<
  Input,
  { readonly type: 'gateway-answered' | 'gateway-probed' | 'port-mapped' | 'port-mapping-failed' }
>

export class PortMapping {
  readonly #nonce: Uint8Array | undefined
  readonly #emit: Emit
  #sockets: readonly LocalSocket[] = []
  #routes: readonly MachineRoute[] = []
  #sites: Site[] = []
  readonly #mapped: MappedPorts
  readonly #log: GatewayLog

  /** Without options nothing is ever asked. */
  constructor(options: PortMappingOptions | undefined, emit: Emit) {
    this.#nonce = options?.nonce
    this.#emit = emit
    this.#log = new GatewayLog(emit)
    this.#mapped = new MappedPorts(this.#log, emit)
  }

  /** What is open now; the same object until that changes. */
  get findings(): MappingFindings {
    return this.#mapped.findings
  }

  /** Where the shared UDP port is open to all; the same list until that changes. */
  get candidates(): readonly Candidate[] {
    return this.#mapped.candidates
  }

  /** Where libp2p's TCP port is open to all; the same list until that changes. */
  get announced(): readonly SocketAddress[] {
    return this.#mapped.announced
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
    this.#mapped.sockets = this.#sockets
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
    if (this.#nonce === undefined || reflexive === this.#mapped.reflexive) return
    this.#mapped.reflexive = reflexive
    for (const { ports } of this.#sites)
      for (const port of ports) {
        const isDoubted = port.held !== undefined && this.#mapped.verdict(port.held.external) === 'second-nat'
        const isRecent = port.askedAt !== undefined && elapsed(port.askedAt, now) < RECHECK_MS
        if (isDoubted && !isRecent && port.asking === undefined) port.nextAt = now
      }
    this.#mapped.review(this.#sites)
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
        this.#opened(site, input, now)
        break
      case 'port-mapping-failed':
        this.#failed(site, input, now)
    }
    this.#mapped.review(this.#sites)
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
        const { held } = port
        if (held !== undefined && held.expiresAt <= now) {
          // UPnP knows mappings without end.
          const isAsked = port.asking !== undefined || (port.nextAt !== undefined && port.nextAt <= now)
          if (held.by === 'upnp' && !isAsked) this.#close(site, port, held)
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
    if (hasExpired) this.#mapped.review(this.#sites)
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

  #opened(site: Site, input: Extract<Input, { type: 'port-mapped' }>, now: Instant): void {
    const port = portFor(site, input)
    if (port === undefined) return
    const { external, lifetimeMs, by } = input
    if (!isPort(external.port) || familyOf(external.ip) !== familyOf(site.local) || !(lifetimeMs > 0)) {
      // It is of no use to us, and is not to be open for nothing.
      if (port.held === undefined && isPort(external.port)) this.#close(site, port, input)
      this.#failed(site, { ...input, reason: 'refused', detail: 'it names no such address' }, now)
      return
    }
    const renewMs = Math.min(RENEWAL.latest, Math.max(RENEWAL.soonest, lifetimeMs / 2))
    port.held = { external, by, expiresAt: after(now, Math.max(lifetimeMs, 2 * RENEWAL.soonest)) }
    port.asking = undefined
    port.nextAt = after(now, renewMs)
    Object.assign(port, { failures: 0, conflicts: 0 })
    site.probes = 0
    this.#log.say(site, `${port.protocol} ${by} ${external.ip}`, 'info', 'the gateway has opened a port', {
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
    this.#log.say(site, input.by, 'warn', 'the gateway does not open ports as asked', fields)
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
      if (port.held !== undefined) this.#close(site, port, port.held)
    }
    this.#log.forget(site)
    this.#mapped.review(this.#sites)
  }

  #close(site: Site, port: Port, { by, external }: Pick<NonNullable<Port['held']>, 'by' | 'external'>): void {
    const wanted = this.#portOf(site, port)
    if (wanted === undefined) return
    this.#emit({ type: 'unmap-port', port: { ...wanted, by, externalPort: external.port } })
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
      externalPort: port.conflicts > 0 ? wished : (port.held?.external.port ?? site.port),
      nonce: this.#nonce,
    }
  }
}

/** The port that an answer is about, if it was asked for so. */
function portFor(
  site: Site,
  { by, protocol, internalPort }: Pick<PortToMap, 'by' | 'protocol' | 'internalPort'>,
): Port | undefined {
  if (site.by !== by || site.port !== internalPort) return undefined
  return site.ports.find((port) => port.protocol === protocol && port.asking !== undefined)
}
