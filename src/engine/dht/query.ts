/**
 * Kademlia's iterative query as a machine: whom to ask next, for how long, and when it is over. Who carries it out
 * tells it what happened and when; it touches no network and no clock. What a node answers of a record is not looked at
 * here.
 *
 * Asking a node to which there is a connection costs one round trip and some 4 ms of processor time at both ends
 * together; any other costs three, and ten times the work. So {@link ASKED_AT_ONCE} are asked at a time, and at most
 * {@link DIALS_AT_ONCE} of them dialled. A node that has not answered within {@link LATE_MS} no longer counts: the next
 * closest takes its place, and what it still answers is taken as well. With nobody left to ask, those that failed are
 * asked a second time (where many are dialled at once, on a slow machine or a bad line, the living fail as well), and
 * those that are late are waited for, until nothing has come for {@link PATIENCE_MS}.
 */

/** How many nodes keep a record, and how many are asked for it (Kademlia's k). */
export const REPLICATION = 8
/**
 * A query begins with so many nodes that are known, and with the closest of those that are connected. Only the closest
 * {@link REPLICATION} are asked; but where many vanished at once all of those may be gone, and the others are left.
 */
export const BEGUN_WITH = 2 * REPLICATION
/**
 * The routing table keeps {@link REPLICATION} nodes for each beginning of so many bits. With fewer bits nodes of a large
 * fleet do not know all of their nearest neighbours, and a record is stored where nobody looks for it.
 */
export const PREFIX_BITS = 12
/** How many nodes are asked for one key at most: made-up closer nodes are not followed for ever. */
export const MAX_ASKED = 64
/** How many nodes are asked at once, but for those that are late. */
export const ASKED_AT_ONCE = 4
/** How many nodes are dialled at once, but for those that are late. */
export const DIALS_AT_ONCE = 3
/** After this long without an answer another node is asked instead, in ms: a dial over a long line, and not much more. */
export const LATE_MS = 250
/** A query with nobody left to ask ends when it has had neither an answer nor a failure for this long, in ms. */
export const PATIENCE_MS = 1_500

/** A node that a query knows of. */
export interface Candidate<Peer, Distance> {
  readonly peer: Peer
  readonly distance: Distance
}

interface Entry<Peer, Distance> extends Candidate<Peer, Distance> {
  state: 'unasked' | 'asked' | 'failed' | 'answered'
  askedAt: number
  /** Whether there was no connection when it was asked. */
  dialled: boolean
}

/** How the query goes on when all that can be asked now is: at `wakeAt`, with those that failed asked again, or not. */
export type Pause<Peer> =
  | { readonly kind: 'wait'; readonly wakeAt: number }
  | { readonly kind: 'ask-again'; readonly forgiven: readonly Peer[] }
  | { readonly kind: 'over' }

const OVER = { kind: 'over' } as const

export class Query<Peer, Distance> {
  readonly #compare: (a: Distance, b: Distance) => number
  /** Closest first. */
  readonly #entries: Entry<Peer, Distance>[] = []
  #running: Entry<Peer, Distance>[] = []
  #asked = 0
  #lastNewsAt: number
  #isSecondTime: boolean

  /**
   * `compare` orders distances from the key, the closest first, and gives 0 for one and the same node only. With
   * `asksAgain`, those that failed get a second chance. Times are in ms, on any one clock.
   */
  constructor(compare: (a: Distance, b: Distance) => number, asksAgain: boolean, now: number) {
    this.#compare = compare
    this.#isSecondTime = !asksAgain
    this.#lastNewsAt = now
  }

  /** How many were asked, a second time included. */
  get asked(): number {
    return this.#asked
  }

  /** A node was named; one that is known already is passed over. */
  learn(peer: Peer, distance: Distance): void {
    const entries = this.#entries
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = entries[middle]
      const order = entry === undefined ? 0 : this.#compare(entry.distance, distance)
      if (order === 0) return
      if (order < 0) low = middle + 1
      else high = middle
    }
    entries.splice(low, 0, { peer, distance, state: 'unasked', askedAt: 0, dialled: false })
  }

  /** Whom to ask now; each counts as asked from now on, and is to be told of with `answered` or `failed`. */
  next(now: number, isConnected: (peer: Peer) => boolean): readonly Candidate<Peer, Distance>[] {
    let free = ASKED_AT_ONCE
    let dials = 0
    for (const entry of this.#running) {
      if (isLate(entry, now)) continue
      free -= 1
      if (entry.dialled) dials += 1
    }
    const chosen: Entry<Peer, Distance>[] = []
    let places = REPLICATION
    for (const entry of this.#entries) {
      if (places === 0 || free <= 0 || this.#asked >= MAX_ASKED) break
      if (!counts(entry, now)) continue
      places -= 1
      if (entry.state !== 'unasked') continue
      const dialled = !isConnected(entry.peer)
      if (dialled && dials >= DIALS_AT_ONCE) continue
      if (dialled) dials += 1
      free -= 1
      this.#asked += 1
      this.#lastNewsAt = now
      entry.state = 'asked'
      entry.askedAt = now
      entry.dialled = dialled
      this.#running.push(entry)
      chosen.push(entry)
    }
    return chosen
  }

  /** One of `next` answered. What it named is told with `learn`. */
  answered(candidate: Candidate<Peer, Distance>, now: number): void {
    this.#end(candidate, 'answered', now)
  }

  /** One of `next` could not be asked. */
  failed(candidate: Candidate<Peer, Distance>, now: number): void {
    this.#end(candidate, 'failed', now)
  }

  /** Whether a node is one of the closest known, which is where a record belongs. */
  isClose(candidate: Candidate<Peer, Distance>, now: number): boolean {
    let places = REPLICATION
    for (const entry of this.#entries) {
      if (!counts(entry, now)) continue
      if (entry === candidate) return true
      places -= 1
      if (places === 0) return false
    }
    return false
  }

  /** What is next, where `next` has just named nobody to wait for besides those that are asked. */
  pause(now: number): Pause<Peer> {
    if (this.#running.length > 0 && now < this.#lastNewsAt + PATIENCE_MS) {
      let wakeAt = this.#lastNewsAt + PATIENCE_MS
      for (const { askedAt } of this.#running)
        if (askedAt + LATE_MS > now) wakeAt = Math.min(wakeAt, askedAt + LATE_MS)
      return { kind: 'wait', wakeAt }
    }
    if (this.#isSecondTime) return OVER
    this.#isSecondTime = true
    this.#lastNewsAt = now
    const forgiven: Peer[] = []
    for (const entry of this.#entries) {
      if (entry.state !== 'failed') continue
      entry.state = 'unasked'
      forgiven.push(entry.peer)
    }
    return { kind: 'ask-again', forgiven }
  }

  #end(candidate: Candidate<Peer, Distance>, state: 'answered' | 'failed', now: number): void {
    const running: readonly Candidate<Peer, Distance>[] = this.#running
    const at = running.indexOf(candidate)
    const entry = this.#running[at]
    if (entry === undefined) return
    this.#running.splice(at, 1)
    entry.state = state
    this.#lastNewsAt = now
  }
}

/** Whether a node may be among the closest: it did not fail, and is not late. */
function counts({ state, askedAt }: Entry<unknown, unknown>, now: number): boolean {
  return state === 'answered' || state === 'unasked' || (state === 'asked' && now - askedAt < LATE_MS)
}

function isLate({ askedAt }: Entry<unknown, unknown>, now: number): boolean {
  return now - askedAt >= LATE_MS
}
