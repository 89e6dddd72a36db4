/** What is proved of a peer's pairs: which one is best, and what others are told of them. */

import type { SocketAddress } from '../../base/address.js'
import type { Instant } from '../../base/time.js'
import { type Answered, choosePath } from './choice.js'
import { asPath, type Pair } from './pair.js'
import type { Path } from './path.js'

/** What the checks, or WireGuard's handshakes, have proved. */
export interface Proved {
  /** The path in use. */
  readonly current: Path | undefined
  /** Remote addresses of all proved paths, and when the peer last answered there. */
  readonly remotes: readonly { readonly remote: SocketAddress; readonly answeredAt: Instant }[]
  /** Paths that are not in use, but were proved by a check and are not suspect. */
  readonly besides: readonly Beside[]
}

export interface Beside {
  readonly path: Path
  readonly answeredAt: Instant
}

interface RatedPair extends Answered {
  readonly pair: Pair
}

/** The proved pair to use from now on, where `inUse` is the one until now. */
export function bestProved(pairs: readonly Pair[], inUse: Pair | undefined): Pair | undefined {
  const rated = pairs.flatMap((pair) => rate(pair))
  const current = rated.find(({ pair }) => pair === inUse)
  return choosePath(rated, current)?.pair
}

export function describeProved(pairs: readonly Pair[], inUse: Pair | undefined): Proved {
  const proof = inUse?.proof
  return {
    current: inUse === undefined || proof === undefined ? undefined : asPath(inUse, proof),
    remotes: pairs.flatMap(({ remote, proof: own }) =>
      own === undefined ? [] : [{ remote, answeredAt: own.answeredAt }],
    ),
    besides: pairs.flatMap((pair) =>
      pair === inUse || pair.proof?.kind !== 'check' || pair.proof.suspect
        ? []
        : [{ path: asPath(pair, pair.proof), answeredAt: pair.proof.answeredAt }],
    ),
  }
}

function rate(pair: Pair): RatedPair[] {
  if (pair.proof === undefined) return []
  const { suspect, answeredAt } = pair.proof
  return [{ path: asPath(pair, pair.proof), suspect, answeredAt, pair }]
}
