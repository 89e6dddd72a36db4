/**
 * Kademlia's iterative look-up: ask the closest nodes known, learn of closer ones, until the closest that live have all
 * answered. What a node answers of a record is not looked at here.
 *
 * Asking a node to which there is a connection costs one round trip and next to nothing; any other costs three and, at
 * both ends, a hundred times the work. So connected ones are asked at once, and of the others {@link DIALS_AT_ONCE} at a
 * time. A node that has not answered within {@link LATE_MS} no longer counts: the next closest takes its place, and what
 * it still answers is taken as well.
 */

import type { PeerId } from '@libp2p/interface'
import { type Answer, distance, kadId, REPLICATION } from './dht.js'

/** How many nodes are asked for one key at most: made-up closer nodes are not followed for ever. */
export const MAX_ASKED = 64
/** How many nodes are dialled at once, but for those that are late. */
export const DIALS_AT_ONCE = 3
/** After this long without an answer another node is asked instead, in ms: a dial over a long line, and not much more. */
export const LATE_MS = 250
/** A walk with nobody left to ask waits this long for one that is late, in ms from when it was asked. */
export const PATIENCE_MS = 1_000

/** An answer on the way. */
export interface Step {
  readonly peer: PeerId
  readonly answer: Answer
  /** Whether the node is one of the closest known, which is where a record belongs. */
  readonly isClose: boolean
}

/** What a walk does not do itself. */
export interface Walked {
  /** Resolves to undefined for a node that cannot be asked, in a time that it bounds itself. */
  request(peer: PeerId): Promise<Answer | undefined>
  isConnected(peer: PeerId): boolean
}

/**
 * Yields each answer as it arrives, with who gave it. Ends when nobody is left to ask, or at once when the signal
 * aborts; requests under way then go on by themselves.
 */
export async function* walk(
  key: Uint8Array,
  from: readonly PeerId[],
  self: PeerId,
  { request, isConnected }: Walked,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const target = kadId(key)
  const candidates = new Map<string, Candidate>()
  const arrived: { readonly candidate: Candidate; readonly answer: Answer }[] = []
  const running = new Set<Candidate>()
  let asked = 0
  let wake = () => {}

  const learn = (peer: PeerId) => {
    const id = peer.toString()
    if (candidates.has(id) || peer.equals(self)) return
    candidates.set(id, {
      peer,
      distance: distance(target, peer),
      state: 'unasked',
      askedAt: 0,
      dialled: false,
    })
  }
  const ask = (candidate: Candidate, dialled: boolean) => {
    Object.assign(candidate, { state: 'asked', askedAt: performance.now(), dialled })
    asked += 1
    running.add(candidate)
    const end = (answer: Answer | undefined) => {
      running.delete(candidate)
      if (answer === undefined) candidate.state = 'failed'
      else arrived.push({ candidate, answer })
      wake()
    }
    request(candidate.peer).then(end, () => end(undefined))
  }
  const isLate = (candidate: Candidate, now: number) =>
    running.has(candidate) && now - candidate.askedAt >= LATE_MS
  const closest = (now: number) =>
    [...candidates.values()]
      .filter((candidate) => candidate.state !== 'failed' && !isLate(candidate, now))
      .sort((a, b) => Buffer.compare(a.distance, b.distance))
      .slice(0, REPLICATION)
  const askMore = (now: number) => {
    let dials = [...running].filter((candidate) => candidate.dialled && !isLate(candidate, now)).length
    for (const candidate of closest(now)) {
      if (candidate.state !== 'unasked' || asked >= MAX_ASKED) continue
      const dialled = !isConnected(candidate.peer)
      if (dialled && dials >= DIALS_AT_ONCE) continue
      if (dialled) dials += 1
      ask(candidate, dialled)
    }
  }
  /** When one that was asked becomes late, or too late to wait for; undefined where there is none to wait for. */
  const nextTimeout = (now: number): number | undefined => {
    const times = [...running]
      .map(({ askedAt }) => askedAt + (now - askedAt < LATE_MS ? LATE_MS : PATIENCE_MS))
      .filter((time) => time > now)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  for (const peer of from) learn(peer)
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const next = arrived.shift()
      if (next !== undefined) {
        for (const { id } of next.answer.closer) learn(id)
        const isClose = closest(performance.now()).includes(next.candidate)
        yield { peer: next.candidate.peer, answer: next.answer, isClose }
        continue
      }
      askMore(performance.now())
      const now = performance.now()
      const until = nextTimeout(now)
      if (until === undefined) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - now + 1)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

interface Candidate {
  readonly peer: PeerId
  readonly distance: Uint8Array
  state: 'unasked' | 'asked' | 'failed'
  askedAt: number
  /** Whether there was no connection when it was asked. */
  dialled: boolean
}
