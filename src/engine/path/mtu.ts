/**
 * How large a datagram one path carries whole: RFC 8899 (packetization layer path MTU discovery for datagrams), with
 * padded checks as its probes. Sizes are those of UDP's content, in bytes.
 *
 *   wanted ─ answered ──────────────────────────────────────────► known ─ each minute: still so? ─ 3 in vain ─┐
 *      └ 3 in vain ─► base ─► halves between what is carried and what is not ─► known                         │
 *                      ▲                                                                                      │
 *                      └───────────── a black hole for large packets: searched from the bottom ◄──────────────┘
 *
 * Nothing is asked beyond what WireGuard's interface makes of a full packet (`wanted`): so where all is well, one check
 * a minute is all that this costs. That a padded check is not answered says something of its size only where a small
 * one is answered after it. What ICMP says of sizes is not listened to: routers may be silent, and anybody can forge it
 * (RFC 8899 section 4.6.1).
 *
 * Deviation from RFC 8899: there is no state BASE before the search, because the wanted size is mostly carried.
 */

import { after, type Instant, later, MINUTE, SECOND } from '../../base/time.js'

/** All messages of STUN are a multiple of this long. */
const STEP = 4

/** What each path is taken to carry: IPv4's least MTU, 576, less the longest headers (RFC 8899 section 5.1.2). */
const LEAST = 508

/** MAX_PROBES of RFC 8899 section 5.1.2. */
const TRIES = 3

/** PROBE_TIMER of RFC 8899 section 5.1.1, or so many round trips where these take longer. */
const WAIT_MS = 400
const WAIT_ROUND_TRIPS = 3

/** CONFIRMATION_TIMER of RFC 8899 section 5.1.1: whether the path still carries what it did. */
const CONFIRM_MS = MINUTE

/** A sign that it does not brings the question forward, to so long after the last. */
const DOUBT_MS = 10 * SECOND

/** PMTU_RAISE_TIMER of RFC 8899 section 5.1.1: whether the path has come to carry more. */
const RAISE_MS = 10 * MINUTE

/** What the search must know of the path. */
export interface Carrier {
  readonly rttMs: number | undefined
  /** When a check of any size was last answered over it. */
  readonly answeredAt: Instant
}

/** What is to be done: a padded check of so many bytes, or a small one, to learn whether the path carries anything. */
export type MtuStep =
  | { readonly type: 'send'; readonly size: number }
  | { readonly type: 'ask' }
  | { readonly type: 'nothing' }

interface Probe {
  readonly size: number
  /** `search` for what the path carries, `confirm` that it still does, `raise`: it may carry more by now. */
  readonly purpose: 'search' | 'confirm' | 'raise'
  tries: number
  sentAt: Instant
}

const NOTHING: MtuStep = { type: 'nothing' }

/** The largest size that is asked about for messages of `bytes`: at least as long, and a length that STUN can have. */
export function probeSize(bytes: number): number {
  return Math.ceil(bytes / STEP) * STEP
}

export class MtuSearch {
  /** Nearly every path carries it: IPv6's least MTU (RFC 8899 section 5.1.2 names 1,200 bytes). */
  readonly #base: number
  #wanted: number
  /** The largest size that arrived since the last black hole, 0 where none did; and the smallest that did not. */
  #carried = 0
  #failed = Number.POSITIVE_INFINITY
  #probe: Probe | undefined = undefined
  #nextAt: Instant
  #confirmAt: Instant | undefined = undefined
  #raiseAt: Instant | undefined = undefined
  #confirmedAt: Instant
  #isKnown = false

  /** `wanted` is a {@link probeSize}; the first check leaves at `at`. */
  constructor(wanted: number, base: number, at: Instant) {
    this.#wanted = wanted
    this.#base = Math.floor(base / STEP) * STEP
    this.#nextAt = at
    this.#confirmedAt = at
  }

  /** The largest size that is carried, at most the wanted one; undefined while that is not known. */
  get carries(): number | undefined {
    return this.#isKnown ? Math.min(this.#wanted, Math.max(this.#carried, LEAST)) : undefined
  }

  /** Another size is wanted. */
  want(wanted: number, now: Instant): void {
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    this.#probe = undefined
    this.#nextAt = now
    // Else it is known as before: what was asked about before was either larger, or carried.
    if (wanted > this.#carried && wanted < this.#failed) this.#isKnown = false
  }

  /** Something larger than usual seems to be lost: is what was carried still carried? */
  doubt(now: Instant): void {
    if (this.#confirmAt === undefined) return
    const at = later(now, after(this.#confirmedAt, DOUBT_MS))
    if (at >= this.#confirmAt) return
    this.#confirmAt = at
    if (at < this.#nextAt) this.#nextAt = at
  }

  /** The path did not answer at all for a while: what was asked then says nothing. */
  interrupted(): void {
    this.#probe = undefined
  }

  /** A check of this size was answered. */
  answered(size: number, now: Instant): void {
    this.#carried = Math.max(this.#carried, size)
    // It has come to carry more, or the checks before were lost by chance.
    if (size >= this.#failed) this.#failed = Number.POSITIVE_INFINITY
    this.#confirmedAt = now
    if (this.#probe === undefined || size < this.#probe.size) return
    this.#probe = undefined
    this.#nextAt = now
  }

  /** A check of this size cannot even leave: our own network device takes less. */
  tooLarge(size: number, now: Instant): void {
    this.#failed = Math.min(this.#failed, size)
    if (this.#carried >= size) this.#carried = 0
    if (this.#probe === undefined || this.#probe.size < size) return
    this.#probe = undefined
    this.#nextAt = now
  }

  get nextWake(): Instant {
    return this.#nextAt
  }

  /** What is due now. Afterwards {@link nextWake} is later than `now`. */
  wake(path: Carrier, now: Instant): MtuStep {
    if (now < this.#nextAt) return NOTHING
    const probe = this.#probe
    const waitMs = Math.max(WAIT_MS, WAIT_ROUND_TRIPS * (path.rttMs ?? 0))
    if (probe !== undefined && probe.tries >= TRIES) {
      if (path.answeredAt <= probe.sentAt) {
        this.#nextAt = after(now, waitMs)
        return { type: 'ask' }
      }
      this.#inVain(probe, now)
    }
    const next = this.#probe ?? this.#next(now)
    if (next === undefined) return NOTHING
    next.tries += 1
    next.sentAt = now
    this.#probe = next
    this.#nextAt = after(now, waitMs)
    return { type: 'send', size: next.size }
  }

  /** All tries of one size went unanswered, over a path that answers. */
  #inVain({ size, purpose }: Probe, now: Instant): void {
    this.#probe = undefined
    if (purpose === 'raise') {
      this.#raiseAt = after(now, RAISE_MS)
      return
    }
    this.#failed = Math.min(this.#failed, size)
    if (purpose === 'confirm') this.#carried = 0
  }

  /** The next question; undefined where all is known for now, until {@link nextWake}. */
  #next(now: Instant): Probe | undefined {
    const size = this.#nextSize()
    if (size !== undefined) {
      this.#isKnown = false
      this.#confirmAt = undefined
      this.#raiseAt = undefined
      return { size, purpose: 'search', tries: 0, sentAt: now }
    }
    this.#isKnown = true
    this.#confirmAt ??= after(now, CONFIRM_MS)
    if (this.#carried < this.#wanted) this.#raiseAt ??= after(now, RAISE_MS)
    else this.#raiseAt = undefined
    if (this.#raiseAt !== undefined && this.#raiseAt <= now) {
      this.#raiseAt = undefined
      return { size: Math.min(this.#failed, this.#wanted), purpose: 'raise', tries: 0, sentAt: now }
    }
    if (this.#confirmAt <= now) {
      this.#confirmAt = undefined
      const confirmed = Math.min(this.#carried, this.#wanted)
      if (confirmed > 0) return { size: confirmed, purpose: 'confirm', tries: 0, sentAt: now }
      this.#confirmAt = after(now, CONFIRM_MS)
    }
    this.#nextAt =
      this.#raiseAt !== undefined && this.#raiseAt < this.#confirmAt ? this.#raiseAt : this.#confirmAt
    return undefined
  }

  /** The size to be tried next; undefined where the search is over. */
  #nextSize(): number | undefined {
    if (this.#carried >= this.#wanted) return undefined
    if (this.#failed > this.#wanted) return this.#wanted
    if (this.#carried === 0 && this.#base < this.#failed) return this.#base
    const least = Math.max(this.#carried, LEAST)
    const middle = least + Math.floor((this.#failed - least) / (2 * STEP)) * STEP
    return middle > least ? middle : undefined
  }
}
