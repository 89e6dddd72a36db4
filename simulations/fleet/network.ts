/**
 * Who can be reached, over which connections, and what it costs. The state of the fleet changes over minutes, a request
 * takes milliseconds: so a request is worked out in place, with the fleet as it stands.
 */

import { SECOND } from '../../src/base/time.js'
import { BEGUN_WITH, PREFIX_BITS, REPLICATION } from '../../src/engine/dht/query.js'
import { FORGOTTEN_AFTER_MS } from '../../src/io/mesh/deadPeers.js'
import { REQUEST_DEADLINE_MS } from '../../src/io/mesh/dht.js'
import { IDLE_MS } from '../../src/io/mesh/idleConnections.js'
import {
  type Cost,
  DIAL,
  DIAL_DEADLINE_MS,
  DIAL_ROUND_TRIPS,
  DIAL_WORK_MS,
  NAMED_BYTES,
  PING_BYTES,
  QUESTION,
  RECORD_BYTES,
  WORK_MS,
} from './costs.js'
import type { Link, Machine } from './machine.js'
import { SortedIds } from './sortedIds.js'

/** A connection of which one end went without a word is noticed by pings (src/io/mesh/heartbeat.ts). */
const PING_EVERY_MS = 30 * SECOND
export const SILENCE_MS = PING_EVERY_MS + 5 * SECOND
/** As in src/io/mesh/node.ts and mesh.ts. */
export const MAX_CONNECTIONS = { serving: 4_096, other: 256 } as const
/** One that is full looks this often for connections that are gone, in ms. */
const TIDIED_EVERY_MS = 10 * SECOND
const SPARED = { serving: 12, other: 4 } as const

export type Purpose = 'closer' | 'get' | 'put'

/** How a request goes: answered, or failed, after a time; where it hangs, it fails by its deadline. */
export interface Outcome {
  readonly answered: boolean
  readonly ms: number
}

export class Network {
  readonly #rttMs: number
  readonly #byId = new Map<number, Machine>()
  /** All servers that are there, by place: what an all-knowing observer would ask. */
  readonly onlineServers = new SortedIds()
  /** While it lasts, the two sides hear nothing of each other. */
  isPartitioned = false

  /** `rttMs` is the mean round trip between two machines; each pair has its own, from half to one and a half of it. */
  constructor(machines: readonly Machine[], rttMs: number) {
    this.#rttMs = rttMs
    for (const machine of machines) this.#byId.set(machine.id, machine)
  }

  at(id: number): Machine | undefined {
    return this.#byId.get(id)
  }

  rtt(a: Machine, b: Machine): number {
    const mixed = Math.imul(a.id ^ b.id, 0x9e3779b1) >>> 0
    return this.#rttMs * (0.5 + mixed / 2 ** 32)
  }

  isReachable(from: Machine, to: Machine): boolean {
    return to.isOnline && !(this.isPartitioned && from.side !== to.side)
  }

  /** Whether there is a connection as far as `machine` knows. */
  isConnected(machine: Machine, other: Machine, now: number): boolean {
    const link = machine.links.get(other)
    if (link === undefined) return false
    if (isOpen(link, other, now)) return true
    machine.unlink(other)
    return false
  }

  /** The servers to which there is a connection, or the first so many of them. */
  connectedServers(machine: Machine, now: number, count = Number.POSITIVE_INFINITY): readonly Machine[] {
    const servers: Machine[] = []
    const gone: Machine[] = []
    for (const place of machine.linkedServers) {
      if (servers.length >= count) break
      const other = this.at(place)
      const link = other === undefined ? undefined : machine.links.get(other)
      if (other === undefined || link === undefined) continue
      if (isOpen(link, other, now)) servers.push(other)
      else gone.push(other)
    }
    for (const other of gone) machine.unlink(other)
    return servers
  }

  /** As `closestKnown` of src/io/mesh/dht.ts: of the routing table and the connected servers. */
  closestKnown(machine: Machine, target: number, now: number): readonly Machine[] {
    const known = machine.table.nearest(target, BEGUN_WITH)
    const connected = this.#nearestConnected(machine, target, now)
    const merged: Machine[] = []
    for (let k = 0, c = 0; k < known.length || c < connected.length; ) {
      const [fromTable, fromLinks] = [known[k], connected[c]]
      const isNext =
        fromLinks === undefined || (fromTable !== undefined && (fromTable ^ target) <= (fromLinks ^ target))
      const place = isNext ? fromTable : fromLinks
      if (place === fromTable) k += 1
      if (place === fromLinks) c += 1
      const other = place === undefined ? undefined : this.at(place)
      if (other !== undefined) merged.push(other)
    }
    return merged
  }

  /** Asks a machine for something. `now` is the time of asking; `hasRecord` says whether a record is in the answer. */
  request(asker: Machine, asked: Machine, purpose: Purpose, now: number): Outcome {
    const isConnected = this.isConnected(asker, asked, now)
    if (!isConnected) {
      const dialled = this.dial(asker, asked, now)
      if (!dialled.answered) return dialled
    } else if (!this.isReachable(asker, asked)) {
      this.disconnect(asker, asked)
      return { answered: false, ms: REQUEST_DEADLINE_MS }
    }
    if (purpose !== 'closer') this.#use(asker, asked, now)
    count(asker, asked, QUESTION)
    asker.load.requests += 1
    asked.load.requests += 1
    if (purpose === 'put') count(asker, asked, { asker: RECORD_BYTES, asked: RECORD_BYTES })
    const rtt = this.rtt(asker, asked)
    return { answered: true, ms: isConnected ? rtt + WORK_MS : DIAL_ROUND_TRIPS * rtt + DIAL_WORK_MS }
  }

  /** The machines that `asked` names in its answer, nearest to the target first. */
  named(asker: Machine, asked: Machine, target: number): readonly number[] {
    const named = asked.table.nearest(target, REPLICATION + 1)
    const own = named.indexOf(asker.id)
    if (own !== -1) named.splice(own, 1)
    if (named.length > REPLICATION) named.pop()
    count(asker, asked, { asker: 0, asked: named.length * NAMED_BYTES })
    return named
  }

  /** Opens a connection; the outcome's time is that of the failure. */
  dial(from: Machine, to: Machine, now: number): Outcome {
    const failedAt = from.failedAt.get(to)
    if (failedAt !== undefined && now - failedAt < FORGOTTEN_AFTER_MS) return { answered: false, ms: 0 }
    const isFull = (): boolean => to.links.size >= MAX_CONNECTIONS[to.serves ? 'serving' : 'other']
    if (isFull() && now - to.tidiedAt > TIDIED_EVERY_MS) this.tidy(to, now)
    const isRefused = isFull()
    if (this.isReachable(from, to) && !isRefused) {
      this.#connect(from, to, now)
      return { answered: true, ms: 0 }
    }
    from.failedAt.set(to, now)
    from.table.remove(to.id)
    const isAnswered = isRefused || (!to.isOnline && !to.leftSilently && !to.isGone)
    return { answered: false, ms: isAnswered ? this.rtt(from, to) : DIAL_DEADLINE_MS }
  }

  /** Closes what src/io/mesh/idleConnections.ts closes, and forgets what is gone. */
  tidy(machine: Machine, now: number): void {
    machine.tidiedAt = now
    for (const [other, link] of machine.links) if (!isOpen(link, other, now)) machine.unlink(other)
    let excess = machine.links.size - SPARED[machine.serves ? 'serving' : 'other']
    for (const [other, link] of machine.links) {
      if (excess <= 0) return
      const isKept = !link.dialled || other.isBootstrap || machine.relays.includes(other)
      if (isKept || now - link.since <= IDLE_MS || link.usedUntil > now) continue
      this.disconnect(machine, other)
      excess -= 1
    }
    if (machine.failedAt.size > 64)
      for (const [other, at] of machine.failedAt)
        if (now - at > FORGOTTEN_AFTER_MS) machine.failedAt.delete(other)
  }

  disconnect(machine: Machine, other: Machine): void {
    machine.unlink(other)
    other.unlink(machine)
  }

  /** Bytes of pings that the connections of a machine cost it in `ms`, each way. */
  pingBytes(machine: Machine, ms: number): number {
    const isRelay = (other: Machine): boolean =>
      machine.relays.includes(other) || other.relays.includes(machine)
    let each = 0
    for (const other of machine.links.keys()) each += ms / (isRelay(other) ? 3.5 * SECOND : PING_EVERY_MS)
    return each * PING_BYTES
  }

  /** The places of the nearest of the connected servers, nearest first. */
  #nearestConnected(machine: Machine, target: number, now: number): readonly number[] {
    for (;;) {
      const nearest = machine.linkedServers.nearest(target, REPLICATION)
      let areLinked = true
      for (const place of nearest) {
        const other = this.at(place)
        // What is found to be gone is no longer linked.
        if (other === undefined || !this.isConnected(machine, other, now)) areLinked = false
      }
      if (areLinked) return nearest
    }
  }

  #connect(from: Machine, to: Machine, now: number): void {
    from.link(to, { since: now, dialled: true, usedUntil: now })
    to.link(from, { since: now, dialled: false, usedUntil: now })
    from.load.dials += 1
    to.load.dials += 1
    count(from, to, DIAL)
    this.#admit(from, to)
    this.#admit(to, from)
  }

  /** A server that is connected enters the routing table, if there is a place, or one of somebody who is gone. */
  #admit(machine: Machine, other: Machine): void {
    if (!other.serves) return
    if (machine.table.sharing(other.id, PREFIX_BITS) < REPLICATION) {
      machine.table.add(other.id)
      return
    }
    const neighbours = machine.table.nearest(other.id, REPLICATION)
    const gone = neighbours.find((place) => this.at(place)?.isOnline !== true)
    if (gone === undefined) return
    machine.table.remove(gone)
    machine.table.add(other.id)
  }

  #use(asker: Machine, asked: Machine, now: number): void {
    const link = asker.links.get(asked)
    if (link !== undefined) link.usedUntil = now + IDLE_MS
  }
}

/** Whether a connection is open as far as the end where `link` is can tell; `other` is at the other end. */
function isOpen(link: Link, other: Machine, now: number): boolean {
  if (other.isOnline) return other.onlineSince <= link.since
  return other.leftSilently && link.since <= other.offlineSince && now - other.offlineSince < SILENCE_MS
}

/** What two machines send each other. */
export function count(asker: Machine, asked: Machine, cost: Cost): void {
  asker.load.sent += cost.asker
  asked.load.received += cost.asker
  asked.load.sent += cost.asked
  asker.load.received += cost.asked
}
