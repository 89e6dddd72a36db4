/**
 * At which relays to hold reservations: those that are least likely to fail together, and are near.
 *
 * The best comes first, and each that follows is compared anew, because what counts most is that it stands in a network of
 * which none was chosen yet. Among equals one that holds a reservation already stays: moving costs those who knock.
 */

/** A server that relays, and is connected. */
export interface RelayCandidate {
  readonly peerId: string
  /** The network it stands in, by any name; undefined where that is not known. */
  readonly network: string | undefined
  /** It did not answer its last ping in time. */
  readonly isSuspect: boolean
  readonly isReserved: boolean
  /** The last round trip, in ms; undefined before the first. */
  readonly rttMs: number | undefined
}

/** At most `count` of the candidates, the best first. The order of `candidates` does not matter. */
export function chooseRelays(
  candidates: readonly RelayCandidate[],
  count: number,
): readonly RelayCandidate[] {
  const chosen: RelayCandidate[] = []
  const networks = new Set<string | undefined>()
  while (chosen.length < count) {
    const [best] = candidates
      .filter((candidate) => !chosen.includes(candidate))
      .sort(
        (a, b) => firstDifference(ranks(a, networks), ranks(b, networks)) || compareText(a.peerId, b.peerId),
      )
    if (best === undefined) break
    chosen.push(best)
    networks.add(best.network)
  }
  return chosen
}

/** What is compared, in this order; the lower number is better. */
function ranks(candidate: RelayCandidate, networks: ReadonlySet<string | undefined>): readonly number[] {
  const { network, isSuspect, isReserved, rttMs } = candidate
  return [
    Number(isSuspect),
    Number(networks.has(network)),
    Number(!isReserved),
    rttMs ?? Number.POSITIVE_INFINITY,
  ]
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  for (const [at, rank] of a.entries()) {
    const other = b[at] ?? rank
    if (rank !== other) return rank < other ? -1 : 1
  }
  return 0
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
