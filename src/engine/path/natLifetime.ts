/**
 * How long the NAT keeps a mapping that rests, measured on a spare socket: it reflects, rests, and is then probed from
 * outside by whom it had talked to.
 *
 *   rest 30 s ─ still there ─► 60 s ─► 120 s ─► 240 s
 *        └───── gone ────────► 15 s ─► 8 s
 *
 * A round costs a Binding request and its answer, and a probe. What is found is a lower bound, and what paths in use are
 * asked by: where a mapping is gone sooner than usual, they are asked more often.
 */

import { SECOND } from '../../base/time.js'
import type { UdpProber } from '../inputs.js'
import type { Experiment } from './natProbing.js'

/** What was measured so far: the longest rest after which the mapping was there, and the shortest after which it was not. */
export interface NatLifetime {
  readonly survivedMs: number
  readonly goneMs: number | undefined
}

const LONGER_MS: readonly number[] = [30, 60, 120, 240].map((s) => s * SECOND)
const SHORTER_MS: readonly number[] = [15, 8].map((s) => s * SECOND)

/** A path in use is asked this often, which keeps its mappings: NATs keep them for 30 s or more, as a rule. */
export const KEEPALIVE_MS = 20 * SECOND
/** However soon mappings go, paths are not asked more often than this. */
const LEAST_KEEPALIVE_MS = 5 * SECOND
/** A path is asked after this share of the time that its mapping is known to live. */
const KEEPALIVE_SHARE = 2 / 3

/** How often a path in use is to be asked, in milliseconds, so that its mappings live. */
export function keepaliveMs(lifetime: NatLifetime | undefined): number {
  if (lifetime?.goneMs === undefined) return KEEPALIVE_MS
  const share = Math.floor(lifetime.survivedMs * KEEPALIVE_SHARE)
  return Math.min(KEEPALIVE_MS, Math.max(LEAST_KEEPALIVE_MS, share))
}

/** Tells `report` of each round that told something. Ends early where nothing can be told. */
export function* measureLifetime(
  by: UdpProber,
  report: (lifetime: NatLifetime) => void,
): Experiment<undefined> {
  let survivedMs = 0
  for (const ms of LONGER_MS) {
    const survived = yield* survives(by, ms)
    if (survived === undefined) return undefined
    if (survived) {
      survivedMs = ms
      report({ survivedMs, goneMs: undefined })
      continue
    }
    report({ survivedMs, goneMs: ms })
    if (survivedMs === 0) yield* measureShorter(by, ms, report)
    return undefined
  }
  return undefined
}

function* measureShorter(
  by: UdpProber,
  goneMs: number,
  report: (lifetime: NatLifetime) => void,
): Experiment<undefined> {
  let gone = goneMs
  for (const ms of SHORTER_MS) {
    const survived = yield* survives(by, ms)
    if (survived === undefined) return undefined
    if (!survived) gone = ms
    report({ survivedMs: survived ? ms : 0, goneMs: gone })
    if (survived) return undefined
  }
  return undefined
}

/** Whether a mapping is there after a rest; undefined where that cannot be told. */
function* survives(by: UdpProber, ms: number): Experiment<boolean | undefined> {
  const { seen } = yield { do: 'reflect', at: by.reflector }
  if (seen === undefined) return undefined
  yield { do: 'rest', ms }
  const { arrived } = yield { do: 'probe', by, from: 'usual-port', to: seen }
  if (arrived !== false) return arrived
  // It may be the server, or the network, that fails: does a fresh mapping get a probe?
  const fresh = yield { do: 'reflect', at: by.reflector }
  if (fresh.seen === undefined) return undefined
  const control = yield { do: 'probe', by, from: 'usual-port', to: fresh.seen }
  return control.arrived === true ? false : undefined
}
