/** Queries of the DHT in the model: the engine's own {@link Query}, with the model's network in place of libp2p. */

import { HOUR, SECOND } from '../../src/base/time.js'
import { type Candidate, Query, REPLICATION } from '../../src/engine/dht/query.js'
import { GRACE_MS, QUORUM } from '../../src/io/mesh/lookUp.js'
import { RECORD_BYTES } from './costs.js'
import type { Announcement, Machine } from './machine.js'
import { count, type Network, type Purpose } from './network.js'
import { PLACES } from './sortedIds.js'

/** How long a record is believed (src/wire/sealedRecord.ts). */
export const RECORD_LIFE_MS = 4 * HOUR
/** As src/daemon/meshErrands.ts has them. */
const LOOK_UP_MS = 5 * SECOND
const PUBLICATION_MS = 15 * SECOND
/** As src/io/mesh/acquaintances.ts has it. */
const LOOK_AROUND_MS = 20 * SECOND
/** How many records a server keeps (src/io/mesh/recordStore.ts). */
const MAX_STORED = 4_096

interface Asking {
  readonly purpose: Purpose
  readonly asksAgain: boolean
  /** From the beginning of the query, in ms. It may be brought forward meanwhile. */
  readonly deadline: { ms: number }
  /** Returns true where the query is over. `ms` is the time since it began. */
  onAnswer(asked: Machine, isClose: boolean, ms: number): boolean
}

type Asked = Candidate<number, number>

/** A request that is under way, until `at`. */
interface Pending {
  readonly at: number
  readonly asked: Asked
  readonly machine: Machine
  readonly answered: boolean
}

const byNumber = (a: number, b: number): number => a - b

/** Runs a query that begins `now`. Returns how long it took, in ms, and how many were asked. */
function run(
  network: Network,
  asker: Machine,
  target: number,
  now: number,
  { purpose, asksAgain, deadline, onAnswer }: Asking,
): { readonly ms: number; readonly asked: number } {
  // Machines go by their places, which are all that most of them are needed for.
  const query = new Query<number, number>(byNumber, asksAgain, 0)
  const learn = (place: number): void => {
    if (place !== asker.id) query.learn(place, place ^ target)
  }
  const pending: Pending[] = []
  for (const machine of network.closestKnown(asker, target, now)) learn(machine.id)
  let ms = 0
  const isConnected = (place: number): boolean => {
    const machine = network.at(place)
    return machine !== undefined && network.isConnected(asker, machine, now + ms)
  }
  while (ms < deadline.ms) {
    for (const asked of query.next(ms, isConnected)) {
      const machine = network.at(asked.peer)
      if (machine === undefined) continue
      const outcome = network.request(asker, machine, purpose, now + ms)
      pending.push({ at: ms + outcome.ms, asked, machine, answered: outcome.answered })
    }
    const pause = query.pause(ms)
    if (pause.kind === 'over') break
    if (pause.kind === 'ask-again') {
      for (const place of pause.forgiven) {
        const machine = network.at(place)
        if (machine !== undefined) asker.failedAt.delete(machine)
      }
      continue
    }
    const first = takeFirst(pending, pause.wakeAt)
    if (first === undefined) {
      ms = pause.wakeAt
      continue
    }
    ms = Math.max(ms, first.at)
    if (!first.answered) {
      query.failed(first.asked, ms)
      continue
    }
    query.answered(first.asked, ms)
    for (const place of network.named(asker, first.machine, target)) learn(place)
    if (ms < deadline.ms && onAnswer(first.machine, query.isClose(first.asked, ms), ms)) break
  }
  return { ms: Math.min(ms, deadline.ms), asked: query.asked }
}

/** Takes out what ends first, if it ends by `until`. */
function takeFirst<Item extends { readonly at: number }>(items: Item[], until: number): Item | undefined {
  let best = -1
  let bestAt = Number.POSITIVE_INFINITY
  for (let index = 0; index < items.length; index++) {
    const { at } = items[index] ?? { at: Number.POSITIVE_INFINITY }
    if (at >= bestAt || at > until) continue
    best = index
    bestAt = at
  }
  return best === -1 ? undefined : items.splice(best, 1)[0]
}

/** How a look-up went; times in ms. */
export interface LookedUp {
  /** Until the first valid record. */
  readonly firstMs: number | undefined
  readonly endMs: number
  /** The newest that was found. */
  readonly found: Announcement | undefined
  readonly asked: number
}

/** The place of a machine's records in the DHT. Days and their names are left out: it stays where it is. */
export function placeOf(author: Machine): number {
  const mixed = Math.imul(author.id ^ 0x5bd1e995, 0xc2b2ae35) ^ (author.id >>> 15)
  return (mixed >>> 0) % PLACES
}

export function isValid({ issuedAt }: Announcement, now: number): boolean {
  return now - issuedAt < RECORD_LIFE_MS
}

/** As src/io/mesh/lookUp.ts. */
export function lookUp(network: Network, asker: Machine, author: Machine, now: number): LookedUp {
  let firstMs: number | undefined
  let found: Announcement | undefined
  let close = 0
  const deadline = { ms: LOOK_UP_MS }
  const take = (record: Announcement | undefined, ms: number): boolean => {
    if (record === undefined || !isValid(record, now)) return false
    firstMs ??= ms
    deadline.ms = Math.min(deadline.ms, firstMs + GRACE_MS)
    if (found === undefined || isNewer(record, found)) found = record
    return true
  }
  take(asker.stored.get(author), 0)
  const { ms, asked } = run(network, asker, placeOf(author), now, {
    purpose: 'get',
    asksAgain: true,
    deadline,
    onAnswer(machine, isClose, at) {
      const record = machine.stored.get(author)
      if (record !== undefined) count(asker, machine, { asker: 0, asked: RECORD_BYTES })
      if (take(record, at) && isClose) close += 1
      return close >= QUORUM
    },
  })
  return { firstMs, endMs: ms, found, asked }
}

/** As src/io/mesh/publish.ts. Returns how many stored the record, and how many requests it took. */
export function publish(
  network: Network,
  author: Machine,
  record: Announcement,
  now: number,
): { readonly stored: number; readonly requests: number } {
  const target = placeOf(author)
  const asked = new Set<Machine>()
  let stored = 0
  const put = (machine: Machine, at: number): void => {
    if (asked.has(machine)) return
    asked.add(machine)
    if (!network.request(author, machine, 'put', at).answered) return
    keep(machine, author, record)
    stored += 1
  }
  if (author.serves) keep(author, author, record)
  for (const machine of network.closestKnown(author, target, now).slice(0, REPLICATION)) put(machine, now)
  const found: Machine[] = []
  const { ms, asked: requests } = run(network, author, target, now, {
    purpose: 'closer',
    asksAgain: false,
    deadline: { ms: PUBLICATION_MS },
    onAnswer(machine) {
      found.push(machine)
      return false
    },
  })
  found.sort((a, b) => (a.id ^ target) - (b.id ^ target))
  for (const machine of found.slice(0, REPLICATION)) put(machine, now + ms)
  return { stored, requests: requests + asked.size }
}

/** As src/io/mesh/acquaintances.ts: connects to those nearest to a place. Returns how many were asked. */
export function lookAt(network: Network, machine: Machine, place: number, now: number): number {
  const asking: Asking = {
    purpose: 'closer',
    asksAgain: true,
    deadline: { ms: LOOK_AROUND_MS },
    onAnswer: () => false,
  }
  return run(network, machine, place, now, asking).asked
}

export function isNewer(record: Announcement, than: Announcement): boolean {
  return record.version > than.version || (record.version === than.version && record.issuedAt > than.issuedAt)
}

/** An older record never replaces a newer one; the oldest gives way where the store is full. */
function keep(server: Machine, author: Machine, record: Announcement): void {
  const before = server.stored.get(author)
  if (before !== undefined && !isNewer(record, before)) return
  server.stored.delete(author)
  server.stored.set(author, record)
  if (server.stored.size <= MAX_STORED) return
  const oldest = server.stored.keys().next()
  if (!oldest.done) server.stored.delete(oldest.value)
}
