/**
 * When two hosts are held to be connected: there is a certain way, or a member relay that both reach; both run and want
 * it, there is a server by which they can find each other, and the network carries what the engine was built for.
 * Everything else is given in words.
 */

import { MINUTE, SECOND } from '../../src/base/time.js'
import type { LinkSpec } from '../topology.js'
import { type Host, type Ledger, NEVER, type Side } from './ledger.js'
import { familiesToRelays, overTcp } from './relayable.js'
import { type Family, hasFamily, INTERNET, type Terrain } from './terrain.js'
import type { WatchedPlace, WatchedServer } from './watched.js'
import { type Way, Ways } from './ways.js'
import { WorldTerrain } from './worldTerrain.js'

/** What a link may do to datagrams, and the promise still holds. */
const TOLERABLE = { loss: 0.05, delayMs: 1_000, rate: 20_000, queue: 16_000 } as const

/** The engine keeps mappings that live so long: it asks a path in use every 20 s (src/engine/roam/watch.ts). */
const SHORTEST_LIFETIME_MS = 30 * SECOND

/** A clock that was set back by more than this makes first messages that WireGuard at the other end takes for replayed. */
const CLOCK_BACK_MS = 1 * SECOND

/** A record is published every 12 minutes at least (src/engine/directory/publication.ts); it may fail and be repeated. */
const REPUBLISHED_MS = 14 * MINUTE

const FAMILIES: readonly Family[] = [4, 6]

export class Conditions {
  readonly ways: Ways
  readonly #ledger: Ledger
  readonly #terrain: WorldTerrain
  readonly #forTcp: Terrain
  /** Those that serve from the beginning do so since ever. */
  readonly #servesSince = new Map<WatchedServer, number>()
  /** Those that relayed as they should when that was last looked at. */
  readonly #relays = new Set<WatchedServer>()
  /** The furthest that each host's wall clock has shown. */
  readonly #furthest = new WeakMap<Host, number>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.#terrain = new WorldTerrain(ledger.world)
    this.#forTcp = overTcp(this.#terrain)
    this.ways = new Ways(this.#terrain, ledger.world.machines.length)
    for (const server of ledger.world.servers) {
      if (server.serves) this.#servesSince.set(server, NEVER)
      if (server.relays) this.#relays.add(server)
    }
  }

  /** To be called before what has happened meanwhile is judged. */
  refresh(): void {
    if (this.#terrain.hasChanged()) {
      this.ways.changed()
      this.#ledger.happenedAt = this.#ledger.now
    }
    for (const server of this.#ledger.world.servers) this.#lookAt(server)
    for (const host of this.#ledger.hosts) {
      const shown = host.machine.clock.now.unix
      if (shown > (this.#furthest.get(host) ?? 0)) this.#furthest.set(host, shown)
    }
  }

  /** Why a host is not held to reach its peer; undefined where it is. */
  obstacle(side: Side): string | undefined {
    const { host, peer } = side
    const back = peer.sides.get(host.machine.publicKey)
    if (!side.isOnInterface || back?.isOnInterface !== true) return 'one is not on the interface of the other'
    for (const { machine, name, node } of [host, peer]) {
      if (node === undefined || machine.daemon?.node !== node) return `no daemon runs at ${name}`
      if (machine.clock.asleep) return `${name} sleeps`
    }
    const way = this.wayOf(side)
    if (way.kind !== 'certain' && !this.shareRelay(side)) return way.reason
    return this.#poorNetwork([...sitesOf(host), ...sitesOf(peer)]) ?? this.#clockObstacle(host)
  }

  wayOf({ host, peer }: Side): Way {
    return this.ways.directWay(sitesOf(host), sitesOf(peer))
  }

  /** Which of the networks of two hosts let UDP out, as text. */
  udpOf({ host, peer }: Side): string {
    return [host, peer]
      .map((one) =>
        this.#someSite(sitesOf(one), (at) => !this.#terrain.passesUdp(at)) === undefined ? 'u' : 't',
      )
      .join('')
  }

  /** In words, over what the two are held to reach each other. */
  describeWay(side: Side): string {
    const { kind, reason } = this.wayOf(side)
    return kind === 'certain' ? reason : 'a member relay that both reach'
  }

  /** True where there is a server by which a host can find its peer: both reach it, by every family that they have. */
  shareServer({ host, peer }: Side): boolean {
    return this.#ledger.world.servers.some(
      (server) =>
        this.#knows(server, peer) && this.#reaches(host, server.place) && this.#reaches(peer, server.place),
    )
  }

  /** True where there is a member relay that both get to, and that they hear of: it serves, and both reach it by TCP. */
  shareRelay({ host, peer }: Side): boolean {
    return this.#ledger.world.servers.some(
      (server) =>
        server.relays &&
        this.#servesSince.has(server) &&
        [host, peer].every((one) => this.#reaches(one, server.place) && this.#getsTo(one, server.place)) &&
        this.ways.haveRoom([...sitesOf(host), ...sitesOf(peer)]),
    )
  }

  /** The servers that a host reaches, and that keep what they are given. */
  reachableServers(host: Host): readonly WatchedServer[] {
    return this.#ledger.world.servers.filter(
      (server) => this.#servesSince.has(server) && this.#reaches(host, server.place),
    )
  }

  /** True where the networks of both carry what the engine was built for. */
  isGoodNetwork({ host, peer }: Side): boolean {
    return this.#poorNetwork([...sitesOf(host), ...sitesOf(peer)]) === undefined
  }

  /** True where no link on the way of two hosts loses anything. */
  isSound({ host, peer }: Side): boolean {
    return (
      this.#someLink([...sitesOf(host), ...sitesOf(peer)], ({ loss, rate }) => loss > 0 || rate > 0) ===
      undefined
    )
  }

  #lookAt(server: WatchedServer): void {
    if (server.relays !== this.#relays.has(server)) {
      if (server.relays) this.#relays.add(server)
      else this.#relays.delete(server)
      this.#ledger.happenedAt = this.#ledger.now
    }
    if (server.serves === this.#servesSince.has(server)) return
    if (server.serves) this.#servesSince.set(server, this.#ledger.now)
    else this.#servesSince.delete(server)
    this.#ledger.happenedAt = this.#ledger.now
  }

  /** A server has the record of whoever lives. One that has lost it has it again after the next publication. */
  #knows(server: WatchedServer, { machine }: Host): boolean {
    const servesSince = this.#servesSince.get(server)
    if (servesSince === undefined) return false
    return (
      this.#ledger.now - servesSince > REPUBLISHED_MS || server.mesh.record(machine.publicKey) !== undefined
    )
  }

  /** Of two sessions WireGuard takes the one whose initiator says that it began later: so the whitepaper, section 5.1. */
  #clockObstacle(host: Host): string | undefined {
    const furthest = this.#furthest.get(host) ?? 0
    return host.machine.clock.now.unix < furthest - CLOCK_BACK_MS
      ? `the clock of ${host.name} was set back, and WireGuard refuses its first messages`
      : undefined
  }

  #poorNetwork(sites: readonly number[]): string | undefined {
    const forgetful = this.#someSite(sites, (at) => {
      const nat = this.#terrain.sites[at]?.nat
      return nat !== undefined && nat.lifetimeMs < SHORTEST_LIFETIME_MS
    })
    if (forgetful !== undefined) return `the gateway of site ${forgetful} forgets too soon`
    const bad = this.#someLink(sites, (link) => !isTolerable(link))
    return bad === undefined ? undefined : `the link of site ${bad} is too bad`
  }

  #someLink(sites: readonly number[], is: (link: LinkSpec) => boolean): number | undefined {
    return this.#someSite(sites, (at) => {
      const link = this.#terrain.linkOf(at)
      return link !== undefined && is(link)
    })
  }

  /** One of these sites, or of those behind which they are. */
  #someSite(sites: readonly number[], is: (site: number) => boolean): number | undefined {
    for (const site of sites)
      for (let at = site; at !== INTERNET; at = this.#outerOf(at)) if (is(at)) return at
    return undefined
  }

  /** By every family that it has and that works. */
  #reaches(host: Host, server: WatchedPlace): boolean {
    const sites = sitesOf(host)
    let leads = false
    for (const family of FAMILIES) {
      const site = this.#defaultSite(sites, family)
      if (site === undefined || this.#isBroken(site, family)) continue
      if (!this.#leads(site, family, server)) return false
      leads = true
    }
    return leads
  }

  /** By some family, over UDP or through a stream. */
  #getsTo(host: Host, server: WatchedPlace): boolean {
    return familiesToRelays(this.#forTcp, sitesOf(host)).some((family) => {
      const site = this.#defaultSite(sitesOf(host), family)
      return site !== undefined && this.#leads(site, family, server)
    })
  }

  /** The default route of a family leaves by the first network that has it. */
  #defaultSite(sites: readonly number[], family: Family): number | undefined {
    return sites.find((index) => this.#has(index, family))
  }

  /** A family of which nothing leaves a site, or one that it is behind. */
  #isBroken(site: number, family: Family): boolean {
    return this.#someSite([site], (at) => this.#terrain.sites[at]?.broken === `ipv${family}`) !== undefined
  }

  #leads(site: number, family: Family, server: WatchedPlace): boolean {
    for (let at = site; ; at = this.#outerOf(at)) {
      if (!this.#has(at, family) || !this.#terrain.isUp(at)) return false
      const outer = this.#outerOf(at)
      if (outer === INTERNET) return this.#terrain.sideOf(at) === this.#ledger.world.internet.sideOf(server)
      if (this.#terrain.sideOf(at) !== this.#terrain.sideOf(outer)) return false
    }
  }

  #has(site: number, family: Family): boolean {
    const spec = this.#terrain.sites[site]
    return spec !== undefined && hasFamily(spec, family)
  }

  #outerOf(site: number): number {
    return this.#terrain.sites[site]?.behind ?? INTERNET
  }
}

/** The sites at which a host is now. */
export function sitesOf({ machine }: Host): readonly number[] {
  const sites: number[] = []
  for (const { site } of machine.places) if (site !== undefined) sites.push(site.index)
  return sites
}

function isTolerable({ loss, delayMs, rate, queue }: LinkSpec): boolean {
  const isWide = rate === 0 || (rate >= TOLERABLE.rate && queue >= TOLERABLE.queue)
  return loss <= TOLERABLE.loss && delayMs <= TOLERABLE.delayMs && isWide
}
