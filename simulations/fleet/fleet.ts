/**
 * A fleet that lives: machines come, publish, look their peers up and talk to them, and go. It is a model of discovery
 * alone, made for many thousands: what the engine and WireGuard do is in simulations/hosts, with every datagram.
 */

import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import { DEFAULT_GOSSIP_LIMIT } from '../../src/io/mesh/fleetSize.js'
import { SERVERS_WANTED } from '../../src/io/mesh/foundNodes.js'
import { MAX_REMEMBERED } from '../../src/io/mesh/nodeMemory.js'
import type { Draws } from '../network/draws.js'
import type { EventQueue } from '../network/eventQueue.js'
import { leadsTo, meetingMs, wayBetween } from './connecting.js'
import { RESERVATION } from './costs.js'
import { addLoad, readLoads } from './loads.js'
import { type Announcement, type Machine, noLoad } from './machine.js'
import { count, Network } from './network.js'
import { isNewer, isValid, lookAt, lookUp, placeOf, publish, RECORD_LIFE_MS } from './queries.js'
import type { Churn } from './sessions.js'
import { PLACES } from './sortedIds.js'
import { STRETCH_MS, Tally } from './tally.js'

export interface FleetSetting {
  /** The bootstrap nodes first. */
  readonly machines: readonly Machine[]
  readonly churn: Churn
  readonly rttMs: number
  /** The share of departures without a word: power cuts, not shutdowns. */
  readonly silentLeaves: number
  /** How often a machine wants to talk to one of its peers, an hour. */
  readonly talksAnHour: number
  /** Beyond so many authors a day the fleet does without gossip. */
  readonly gossipLimit?: number
  /** True where a machine begins each session without the records that it knew of its peers. */
  readonly forgetsRecords?: boolean
}

/** Machines are there, and begin, within this time; the figures begin later. */
const STARTING_MS = 5 * MINUTE
/** As src/engine/directory/publication.ts: publications that were acknowledged, and that were not. */
const PUBLISHED_AGAIN_MS = { from: 8 * MINUTE, to: 12 * MINUTE } as const
const UNSTORED_AGAIN_MS = { from: SECOND, to: 30 * SECOND } as const
/** As src/engine/directory/freshness.ts. */
const FRESHNESS = {
  spacingMs: 250,
  halfLifeMs: RECORD_LIFE_MS / 2,
  firstPauseMs: MINUTE,
  longestMs: HOUR,
} as const
/** As src/io/mesh/acquaintances.ts. */
const LOOK_AROUND = { firstMs: SECOND, serving: 10 * MINUTE, other: 30 * MINUTE, jitter: 0.3 } as const
/** A machine without a server tries again after this long. */
const ALONE_AGAIN_MS = { from: SECOND, to: 15 * SECOND } as const
const RELAYS_WANTED = 2
/** A relay that left is missed after this long; one that went silently by its pings. */
const MISSED_MS = { said: 100, silent: 5 * SECOND } as const
const MAX_RESERVATIONS = 4_096
const RENEWAL_MS = 10 * MINUTE
/** How many of those remembered are tried at a time. */
const TRIED = 16

export class Fleet {
  readonly network: Network
  readonly tally = new Tally()
  readonly #queue: EventQueue
  readonly #draws: Draws
  readonly #setting: FleetSetting
  readonly #gossips: boolean
  #online = 0
  #countsSince = 0
  #news = 0
  #isCounting = false

  constructor(setting: FleetSetting, queue: EventQueue, draws: Draws) {
    this.#setting = setting
    this.#queue = queue
    this.#draws = draws
    this.network = new Network(setting.machines, setting.rttMs)
    this.#gossips = setting.machines.length <= (setting.gossipLimit ?? DEFAULT_GOSSIP_LIMIT)
    this.tally.begin(0, 0)
  }

  /** Whether records are gossiped, which they are in a fleet that is not too large. */
  get gossips(): boolean {
    return this.#gossips
  }

  /** Has the fleet come up as it would be found at any time: some of it there for long, some away. */
  start(): void {
    const { machines, churn } = this.#setting
    const share = churn.online.meanMs / (churn.online.meanMs + churn.offline.meanMs)
    const servers = machines.filter(({ serves, isBootstrap }) => serves && !isBootstrap)
    for (const machine of machines) {
      machine.remembered = this.#someOf(servers)
      const startsIn = machine.isBootstrap ? 0 : this.#draws.share() * STARTING_MS
      if (machine.isBootstrap) this.#queue.in(0, () => this.#join(machine, Number.POSITIVE_INFINITY))
      else if (this.#draws.share() < share) {
        const stays = startsIn + churn.online.drawRest(this.#draws)
        this.#queue.in(startsIn, () => this.#join(machine, stays))
      } else this.#queue.in(churn.offline.drawRest(this.#draws), () => this.#come(machine))
    }
    this.#turn()
  }

  /** What was counted until now was warming up. */
  beginCounting(): void {
    this.#isCounting = true
    this.#countsSince = this.#queue.elapsed
    this.#news = 0
    for (const machine of this.#setting.machines) machine.load = noLoad()
    this.tally.stretches.length = 0
    this.#beginStretch()
  }

  /** Takes these away for good, at once and without a word. */
  kill(machines: readonly Machine[]): void {
    for (const machine of machines) {
      machine.isGone = true
      if (machine.isOnline) this.#leave(machine, true)
    }
  }

  /** Reads off what each machine had to do since counting began. */
  readLoads(): void {
    const gossiped = this.#gossips ? this.#news : 0
    readLoads(this.#setting.machines, this.network, this.tally, this.#countsSince, this.#now, gossiped)
  }

  get #now(): number {
    return this.#queue.elapsed
  }

  /** Stretch after stretch is counted. */
  #turn(): void {
    this.#queue.in(STRETCH_MS, () => {
      const { now } = this.tally
      now.servers = this.network.onlineServers.size
      now.online = this.#online
      this.#beginStretch()
      this.#turn()
    })
  }

  #beginStretch(): void {
    this.tally.begin(this.network.onlineServers.size, this.#online)
  }

  /** Does something after a time, unless the machine has gone meanwhile. */
  #later(machine: Machine, ms: number, action: () => void): void {
    const { session } = machine
    this.#queue.in(ms, () => {
      if (machine.isOnline && machine.session === session) action()
    })
  }

  #between({ from, to }: { readonly from: number; readonly to: number }): number {
    return from + this.#draws.share() * (to - from)
  }

  /** What a machine that was there before remembers: servers, of which some are away. */
  #someOf(servers: readonly Machine[]): readonly number[] {
    const count = Math.min(servers.length, MAX_REMEMBERED / 2)
    const chosen = Array.from({ length: count }, () => servers[this.#draws.below(servers.length)]?.id ?? 0)
    return [...new Set(chosen)]
  }

  #come(machine: Machine): void {
    this.#join(machine, this.#setting.churn.online.draw(this.#draws))
  }

  #join(machine: Machine, staysMs: number): void {
    if (machine.isGone) return
    machine.isOnline = true
    machine.session += 1
    machine.onlineSince = this.#now
    machine.unlinkAll()
    machine.table.clear()
    machine.failedAt.clear()
    machine.relays = []
    machine.reserved.clear()
    machine.load = noLoad()
    if (this.#setting.forgetsRecords === true) machine.directory.clear()
    this.#online += 1
    this.tally.joins += 1
    if (machine.serves) this.network.onlineServers.add(machine.id)
    if (Number.isFinite(staysMs))
      this.#later(machine, staysMs, () =>
        this.#leave(machine, this.#draws.share() < this.#setting.silentLeaves),
      )
    this.#lookAround(machine, LOOK_AROUND.firstMs)
    this.#later(machine, SECOND, () => {
      this.#publishAgain(machine)
      for (const [index, peer] of machine.peers.entries())
        this.#later(machine, index * FRESHNESS.spacingMs, () =>
          this.#refresh(machine, peer, FRESHNESS.firstPauseMs),
        )
    })
    this.#talkAgain(machine)
  }

  #leave(machine: Machine, silently: boolean): void {
    if (this.#isCounting) addLoad(machine, this.network, this.tally, this.#countsSince, this.#now)
    machine.remembered = this.#memoryOf(machine)
    machine.isOnline = false
    machine.offlineSince = this.#now
    machine.leftSilently = silently
    this.#online -= 1
    if (machine.serves) this.network.onlineServers.remove(machine.id)
    for (const relay of machine.relays) relay.reserved.delete(machine)
    machine.relays = []
    const orphans = [...machine.reserved]
    machine.reserved.clear()
    const missedMs = silently ? MISSED_MS.silent : MISSED_MS.said
    for (const client of orphans) this.#later(client, missedMs, () => this.#replaceRelay(client, machine))
    if (!machine.isGone && !machine.isBootstrap)
      this.#queue.in(this.#setting.churn.offline.draw(this.#draws), () => this.#come(machine))
  }

  /** Servers to begin with next time: those connected, then those nearest in the routing table. */
  #memoryOf(machine: Machine): readonly number[] {
    const connected = this.network.connectedServers(machine, this.#now).map(({ id }) => id)
    const known = machine.table.nearest(machine.id, MAX_REMEMBERED)
    return [...new Set([...connected, ...known, ...machine.remembered])].slice(0, MAX_REMEMBERED)
  }

  /** Keeps the connections that a machine wants to have. Returns whether it reaches anybody. */
  #connect(machine: Machine): boolean {
    const { network } = this
    const now = this.#now
    network.tidy(machine, now)
    for (const known of this.#setting.machines) {
      if (!known.isBootstrap) break
      if (known !== machine && !network.isConnected(machine, known, now))
        if (!network.dial(machine, known, now).answered && known.isOnline) this.tally.bootstrapRefusals += 1
    }
    let servers = network.connectedServers(machine, now, SERVERS_WANTED).length
    if (servers < SERVERS_WANTED) {
      const places = [...machine.remembered, ...machine.table.nearest(machine.id, MAX_REMEMBERED)]
      for (const place of places.slice(0, TRIED)) {
        const known = network.at(place)
        if (known === undefined || known === machine || network.isConnected(machine, known, now)) continue
        if (network.dial(machine, known, now).answered) servers += 1
        if (servers >= SERVERS_WANTED) break
      }
    }
    if (!machine.serves) this.#reserve(machine)
    return servers > 0
  }

  #lookAround(machine: Machine, pauseMs: number): void {
    if (!this.#connect(machine)) {
      // One that serves may be the only one.
      this.#later(machine, this.#between(ALONE_AGAIN_MS), () => this.#lookAround(machine, pauseMs))
      return
    }
    const { network } = this
    let asked = lookAt(network, machine, machine.id, this.#now)
    if (machine.serves) asked += lookAt(network, machine, this.#draws.below(PLACES), this.#now)
    this.tally.now.requests += asked
    if (!machine.serves) this.#reserve(machine)
    const longest = machine.serves ? LOOK_AROUND.serving : LOOK_AROUND.other
    const ms = Math.min(pauseMs, longest) * (1 + LOOK_AROUND.jitter * this.#draws.share())
    this.#later(machine, ms, () => this.#lookAround(machine, pauseMs * 2))
  }

  /** Two relays, the closest of the connected servers that have room; others are dialled where they are too few. */
  #reserve(machine: Machine): void {
    const { network } = this
    const now = this.#now
    if (machine.relays.length >= RELAYS_WANTED) return
    const before = machine.relays.length
    const candidates = [...network.connectedServers(machine, now)]
    for (const place of machine.table.nearest(this.#draws.below(PLACES), REPLICAS_TO_TRY)) {
      const known = network.at(place)
      if (known !== undefined && !candidates.includes(known)) candidates.push(known)
    }
    const connected = (server: Machine): number => (network.isConnected(machine, server, now) ? 0 : 1)
    candidates.sort(
      (a, b) => connected(a) - connected(b) || network.rtt(machine, a) - network.rtt(machine, b),
    )
    for (const server of candidates) {
      if (machine.relays.length >= RELAYS_WANTED) break
      if (machine.relays.includes(server) || server.reserved.size >= MAX_RESERVATIONS) continue
      if (!network.isReachable(machine, server)) continue
      if (!network.isConnected(machine, server, now) && !network.dial(machine, server, now).answered) continue
      machine.relays = [...machine.relays, server]
      server.reserved.add(machine)
      this.#renew(machine, server)
    }
    // Others learn of it: it is what they reach the machine by.
    if (machine.relays.length > before && machine.announcement !== undefined) this.#publish(machine)
  }

  #renew(machine: Machine, relay: Machine): void {
    count(machine, relay, RESERVATION)
    this.#later(machine, RENEWAL_MS, () => {
      if (machine.relays.includes(relay)) this.#renew(machine, relay)
    })
  }

  #replaceRelay(machine: Machine, relay: Machine): void {
    if (!machine.relays.includes(relay)) return
    machine.relays = machine.relays.filter((other) => other !== relay)
    this.#connect(machine)
  }

  #publishAgain(machine: Machine): void {
    const stored = this.#publish(machine)
    const pause = this.#between(stored ? PUBLISHED_AGAIN_MS : UNSTORED_AGAIN_MS)
    this.#later(machine, pause, () => this.#publishAgain(machine))
  }

  /** Publishes what the machine says of itself now. Returns whether anybody stored it. */
  #publish(machine: Machine): boolean {
    const { relays, announcement: before } = machine
    const isNews = before === undefined || before.relays !== relays || before.issuedAt < machine.onlineSince
    const version = (before?.version ?? 0) + (isNews ? 1 : 0)
    const announcement: Announcement = { version, issuedAt: this.#now, relays }
    machine.announcement = announcement
    this.#connect(machine)
    // Whoever reserved on the way has published already, and something newer.
    if (machine.announcement !== announcement) return true
    const { stored, requests } = publish(this.network, machine, announcement, this.#now)
    const { now } = this.tally
    now.publications += 1
    now.requests += requests
    this.tally.published.add(requests)
    if (stored === 0) now.unstored += 1
    if (isNews && this.#gossips) this.#gossip(machine, announcement)
    return stored > 0
  }

  /** All that are there hear of it; how they hear is in simulations/discovery. */
  #gossip(author: Machine, announcement: Announcement): void {
    this.#news += 1
    this.tally.gossiped += 1
    for (const peer of author.peers)
      if (this.network.isReachable(author, peer)) remember(peer, author, announcement)
  }

  /** A peer's record is looked up before it is needed. */
  #refresh(machine: Machine, peer: Machine, pauseMs: number): void {
    const isOld = (record: Announcement | undefined): boolean =>
      record === undefined || this.#now - record.issuedAt >= FRESHNESS.halfLifeMs
    if (isOld(machine.directory.get(peer))) this.#lookUp(machine, peer)
    const known = machine.directory.get(peer)
    if (known !== undefined && !isOld(known)) {
      const ms = Math.max(SECOND, known.issuedAt + FRESHNESS.halfLifeMs - this.#now)
      this.#later(machine, ms, () => this.#refresh(machine, peer, FRESHNESS.firstPauseMs))
      return
    }
    const next = Math.min(2 * pauseMs, FRESHNESS.longestMs)
    this.#later(machine, pauseMs, () => this.#refresh(machine, peer, next))
  }

  #lookUp(machine: Machine, author: Machine): void {
    const isCold = machine.load.requests === 0 || this.#now - machine.onlineSince < COLD_MS
    this.#connect(machine)
    const { found, firstMs, asked } = lookUp(this.network, machine, author, this.#now)
    const { tally } = this
    tally.now.requests += asked
    if (found !== undefined) remember(machine, author, found)
    const present = author.announcement
    const shouldBeThere =
      author.isOnline &&
      present !== undefined &&
      present.issuedAt > author.onlineSince &&
      this.network.isReachable(machine, author)
    if (!shouldBeThere || !this.#isCounting) return
    tally.lookUps += 1
    tally.now.lookUps += 1
    tally.asked.add(asked)
    if (found === undefined || firstMs === undefined) {
      if (this.#isHeld(author)) tally.missed += 1
      else tally.lost += 1
      return
    }
    tally.found += 1
    tally.now.found += 1
    tally.ageMs.add(this.#now - found.issuedAt)
    tally.firstMs.add(firstMs)
    if (isCold) tally.coldMs.add(firstMs)
    else tally.warmMs.add(firstMs)
    if (found.version < present.version) {
      tally.stale += 1
      tally.now.stale += 1
      if (!leadsTo(found, author)) tally.useless += 1
    }
  }

  /** Whether any server that is there, and among the nearest, holds a valid record. */
  #isHeld(author: Machine): boolean {
    const places = this.network.onlineServers.nearest(placeOf(author), 4 * REPLICAS_TO_TRY)
    return places.some((place) => {
      const record = this.network.at(place)?.stored.get(author)
      return record !== undefined && isValid(record, this.#now)
    })
  }

  #talkAgain(machine: Machine): void {
    const { talksAnHour } = this.#setting
    if (talksAnHour === 0 || machine.peers.length === 0) return
    const pause = (-Math.log(1 - this.#draws.share()) * HOUR) / talksAnHour
    this.#later(machine, pause, () => {
      this.#talk(machine)
      this.#talkAgain(machine)
    })
  }

  /** A first packet to a peer. */
  #talk(machine: Machine): void {
    const peer = machine.peers[this.#draws.below(machine.peers.length)]
    if (peer === undefined || !this.network.isReachable(machine, peer) || peer.announcement === undefined)
      return
    if (peer.announcement.issuedAt < peer.onlineSince) return
    let waitedMs = 0
    let known = machine.directory.get(peer)
    if (known === undefined || !isValid(known, this.#now) || !leadsTo(known, peer)) {
      const { found, firstMs, endMs } = lookUp(this.network, machine, peer, this.#now)
      waitedMs = firstMs ?? endMs
      if (found !== undefined) remember(machine, peer, found)
      known = machine.directory.get(peer)
    }
    if (!this.#isCounting) return
    const { tally } = this
    if (known === undefined || !leadsTo(known, peer)) {
      tally.ways.failed += 1
      return
    }
    tally.ways[wayBetween(machine.access, peer.access)] += 1
    tally.connectMs.add(waitedMs + meetingMs(this.network, machine, peer))
  }
}

/** A look-up this soon after a machine came is one of its first. */
const COLD_MS = 2 * SECOND
const REPLICAS_TO_TRY = 8

function remember(machine: Machine, peer: Machine, record: Announcement): void {
  const before = machine.directory.get(peer)
  if (before === undefined || isNewer(record, before)) machine.directory.set(peer, record)
}
