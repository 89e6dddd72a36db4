/**
 * How long nodes stay, and how long they are away.
 *
 * Measured lengths of sessions in open peer-to-peer networks follow a Weibull distribution with a shape of about 0.6:
 * most are short, and a few are very long. F(x) = 1 - exp(-(x / scale)^shape).
 */

import { MINUTE } from '../../src/base/time.js'
import type { Draws } from '../network/draws.js'

/** Lengths of time in ms. */
export interface Lengths {
  readonly meanMs: number
  draw(draws: Draws): number
  /** What is left of the length that is under way at a moment chosen at random: longer ones are met more often. */
  drawRest(draws: Draws): number
}

export interface Churn {
  readonly online: Lengths
  readonly offline: Lengths
}

/**
 * IPFS, servers of its DHT, April to May 2022: half of all sessions are over after 2 h, four fifths after 8 h (ProbeLab,
 * RFM 2, "Uptime and Churn"); this is the Weibull distribution through both.
 */
export const IPFS_SHAPE = 0.6077
/** KAD, 2006 to 2007: Steiner, En-Najjary, Biersack, "Analyzing Peer Behavior in KAD"; from the second crawl on, minutes. */
export const KAD = {
  online: { scale: 169.5385, shape: 0.61511 },
  offline: { scale: 413.6765, shape: 0.47648 },
} as const
/** Half of the sessions of KAD are over after this. */
export const KAD_MEDIAN_MS = KAD.online.scale * MINUTE * Math.LN2 ** (1 / KAD.online.shape)
/** A share of the time that machines of a fleet are there; it is a setting and not a measurement. */
export const DEFAULT_AVAILABILITY = 0.5

/** Sessions whose half is over after `medianMs`, with a shape as in IPFS; pauses such that each is there for that share. */
export function churnOfMedian(medianMs: number, availability = DEFAULT_AVAILABILITY): Churn {
  const online = weibull(medianMs / Math.LN2 ** (1 / IPFS_SHAPE), IPFS_SHAPE)
  const meanOffline = (online.meanMs * (1 - availability)) / availability
  return { online, offline: weibull(meanOffline / gamma(1 + 1 / IPFS_SHAPE), IPFS_SHAPE) }
}

/** Sessions and pauses of KAD: a node is there for a fifth of the time. */
export function churnOfKad(): Churn {
  return {
    online: weibull(KAD.online.scale * MINUTE, KAD.online.shape),
    offline: weibull(KAD.offline.scale * MINUTE, KAD.offline.shape),
  }
}

/** The share of time for which a node is there. */
export function availabilityOf({ online, offline }: Churn): number {
  return online.meanMs / (online.meanMs + offline.meanMs)
}

export function weibull(scaleMs: number, shape: number): Lengths {
  const meanMs = scaleMs * gamma(1 + 1 / shape)
  const rest = restTable(scaleMs, shape, meanMs)
  return {
    meanMs,
    draw: (draws) => scaleMs * (-Math.log(1 - draws.share())) ** (1 / shape),
    drawRest: (draws) => rest(draws.share()),
  }
}

const TABLE_STEPS = 4_000
/** The longest rest that is told apart, in scales: beyond, less than one in a million is left for the shapes used here. */
const TABLE_END = 2_000

/**
 * The inverse of the distribution of rests (renewal theory: its density is (1 - F(x)) / mean), by the trapezoidal rule on
 * a grid that is fine where rests are short.
 */
function restTable(scaleMs: number, shape: number, meanMs: number): (share: number) => number {
  const at = (step: number): number => scaleMs * TABLE_END * (step / TABLE_STEPS) ** 6
  const left = (ms: number): number => Math.exp(-((ms / scaleMs) ** shape))
  const sums = new Float64Array(TABLE_STEPS + 1)
  for (let step = 1; step <= TABLE_STEPS; step++) {
    const [from, to] = [at(step - 1), at(step)]
    sums[step] = (sums[step - 1] ?? 0) + (((left(from) + left(to)) / 2) * (to - from)) / meanMs
  }
  const total = sums[TABLE_STEPS] ?? 1
  return (share) => {
    const wanted = share * total
    let low = 0
    let high = TABLE_STEPS
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((sums[middle] ?? 0) <= wanted) low = middle
      else high = middle
    }
    const [below = 0, above = 1] = [sums[low], sums[high]]
    const within = above > below ? (wanted - below) / (above - below) : 0
    return at(low) + within * (at(high) - at(low))
  }
}

/** The gamma function for arguments from 1 on: Stirling's series (NIST DLMF 5.11.1), shifted up by eight. */
export function gamma(x: number): number {
  let product = 1
  let z = x
  while (z < x + 8) product *= z++
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1_260 * z ** 5) - 1 / (1_680 * z ** 7)
  return Math.exp((z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series) / product
}
