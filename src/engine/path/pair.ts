/** One of our sockets and one address of the peer's: what was proved over the two, and the checks that are under way. */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, HOUR, type Instant, SECOND } from '../../base/time.js'
import type { CandidateType } from '../../wire/candidate.js'
import type { Path, Proof, Route } from './path.js'
import { PROBE, PROBE_ROUND_TRIPS, PUNCH, type Series, type SeriesState } from './series.js'

/** A peer that knocks has an address checked so often at once; if that comes to nothing, ever more rarely. It may be another's. */
const FREE_SERIES = 3
const ON_KNOCK_MS: Backoff = { first: 8 * SECOND, longest: 60 * SECOND }

/**
 * The same of an address where nobody else says that the peer is, while a relay carries what there is: it may wait. Of most
 * there are only a few series then (unprovedAddresses.ts); this bounds those of relays, and of what the user configured.
 */
const ON_KNOCK_UNPROVED_MS: Backoff = { first: 8 * SECOND, longest: 1 * HOUR }

export interface ProofState {
  readonly kind: Proof
  readonly at: Instant
  answeredAt: Instant
  rttMs: number | undefined
  suspect: boolean
}

export interface Pair extends Route {
  type: CandidateType
  readonly throughStream: boolean
  /** False where the peer does not name the address, or no longer: then only a proof, or a series of checks, keeps the pair. */
  offered: boolean
  proof: ProofState | undefined
  series: SeriesState | undefined
  /** Series that knocks of the peer began, all in vain so far, and when the next may. */
  readonly onKnock: { count: number; notBefore: Instant }
}

/**
 * Whether a knock may begin a series over an unproved pair; if so, it is counted. `mayWait` where nobody else says that the
 * peer is there, and a relay carries what there is.
 */
export function mayPunchOnKnock({ onKnock }: Pair, mayWait: boolean, now: Instant): boolean {
  if (onKnock.count > 0 && now < onKnock.notBefore) return false
  onKnock.count += 1
  const inVain = onKnock.count - FREE_SERIES
  const pause = mayWait ? ON_KNOCK_UNPROVED_MS : ON_KNOCK_MS
  onKnock.notBefore = inVain < 0 ? now : after(now, backoffMs(pause, inVain))
  return true
}

/** Asks a proved pair whether it still carries, unless that is being done. */
export function ask(pair: Pair, proof: ProofState, now: Instant): void {
  if (proof.kind !== 'check' || pair.series !== undefined) return
  const wait = (proof.rttMs ?? 0) * PROBE_ROUND_TRIPS
  pair.series = { waits: PROBE.map((ms) => Math.max(ms, wait)), sent: 0, nextAt: now }
}

/** Asks a proved pair by `series` in place of a slower one; its last wait grows with the pair's round trip. */
export function askAnew(pair: Pair | undefined, series: Series, now: Instant): void {
  if (pair?.proof?.kind !== 'check' || pair.series?.waits === PUNCH || pair.series?.isQuick === true) return
  const last = (pair.proof.rttMs ?? 0) * PROBE_ROUND_TRIPS
  const waits = series.map((ms, index) => (index === series.length - 1 ? Math.max(ms, last) : ms))
  pair.series = { waits, sent: 0, nextAt: now, isQuick: true }
}

/** The path that a proved pair is. */
export function asPath(pair: Pair, proof: ProofState): Path {
  const { socket, remote, type, throughStream } = pair
  const path = { socket, remote, type, proof: proof.kind, provedAt: proof.at, rttMs: proof.rttMs }
  return throughStream ? { ...path, throughStream } : path
}
