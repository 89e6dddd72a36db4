/**
 * Which of several other paths traffic goes over while the one in use may be dead: best first, compared field by field.
 * What has answered since the alarm is alive. Else that which was heard from lately, because its mappings are there; and
 * of those the one that has the least in common with the path in use, because that may die for a cause they share.
 */

import { elapsed, type Instant, SECOND } from '../../base/time.js'
import { comparePreference } from '../path/choice.js'
import { type Path, type Route, sameRoute } from '../path/path.js'
import type { Beside } from '../path/proved.js'

/** As in watch.ts: a path not heard from for this long may have lost its mappings. */
const FRESH_MS = 25 * SECOND

/** The one to use; `present` is the one in use so far, and left only for one that has answered while it has not. */
export function chooseBeside(
  path: Path,
  besides: readonly Beside[],
  answered: readonly Route[],
  present: Path | undefined,
  now: Instant,
): Beside | undefined {
  const isIn = (routes: readonly Route[], { path: other }: Beside) =>
    routes.some((route) => sameRoute(route, other))
  const mark = (beside: Beside): readonly number[] => [
    Number(!isIn(answered, beside)),
    Number(present === undefined || !sameRoute(present, beside.path)),
    Number(elapsed(beside.answeredAt, now) >= FRESH_MS),
    Number(beside.path.socket === path.socket) + Number(beside.path.remote.ip === path.remote.ip),
  ]
  return [...besides].sort((a, b) => compareMarks(mark(a), mark(b)) || comparePreference(rate(a), rate(b)))[0]
}

function compareMarks(a: readonly number[], b: readonly number[]): number {
  for (const [at, mark] of a.entries()) {
    const difference = mark - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function rate({ path }: Beside) {
  return { path, suspect: false }
}
