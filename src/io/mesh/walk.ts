/**
 * Kademlia's iterative look-up: ask the closest nodes known, learn of closer ones, until the closest that live have all
 * answered. What a node answers of a record is not looked at here.
 *
 * Asking a node to which there is a connection costs one round trip and some 4 ms of processor time at both ends together;
 * any other costs three, and ten times the work. So {@link ASKED_AT_ONCE} are asked at a time, and
 * at most {@link DIALS_AT_ONCE} of them dialled. A node that has not answered within {@link LATE_MS} no longer counts: the next closest takes its place, and what
 * it still answers is taken as well. With nobody left to ask, those that failed are asked a second time (where many
 * are dialled at once, on a slow machine or a bad line, the living fail as well), and those that are late are waited for,
 * until nothing has come for {@link PATIENCE_MS}.
 */

import type { PeerId } from '@libp2p/interface'
import { type Answer, distance, kadId, REPLICATION } from './dht.js'

/** How many nodes are asked for one key at most: made-up closer nodes are not followed for ever. */
export const MAX_ASKED = 64
/** How many nodes are asked at once, but for those that are late. */
export const ASKED_AT_ONCE = 4
/** How many nodes are dialled at once, but for those that are late. */
export const DIALS_AT_ONCE = 3
/** After this long without an answer another node is asked instead, in ms: a dial over a long line, and not much more. */
export const LATE_MS = 250
/** A walk with nobody left to ask ends when it has had neither an answer nor a failure for this long, in ms. */
export const PATIENCE_MS = 1_500

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
  /** Called with a node that failed before it is asked again; absent where none is to be. */
  forgive?(peer: PeerId): void
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
  { request, forgive, isConnected }: Walked,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const target = kadId(key)
  const candidates = new Map<string, Candidate>()
  const arrived: { readonly candidate: Candidate; readonly answer: Answer }[] = []
  const running = new Set<Candidate>()
  let asked = 0
  let lastNewsAt = performance.now()
  let isSecondTime = forgive === undefined
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
    lastNewsAt = candidate.askedAt
    running.add(candidate)
    const end = (answer: Answer | undefined) => {
      running.delete(candidate)
      lastNewsAt = performance.now()
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
    const awaited = [...running].filter((candidate) => !isLate(candidate, now))
    let free = ASKED_AT_ONCE - awaited.length
    let dials = awaited.filter(({ dialled }) => dialled).length
    for (const candidate of closest(now)) {
      if (free <= 0 || asked >= MAX_ASKED) return
      if (candidate.state !== 'unasked') continue
      const dialled = !isConnected(candidate.peer)
      if (dialled && dials >= DIALS_AT_ONCE) continue
      if (dialled) dials += 1
      free -= 1
      ask(candidate, dialled)
    }
  }
  const askAgain = () => {
    isSecondTime = true
    for (const candidate of candidates.values()) {
      if (candidate.state !== 'failed') continue
      candidate.state = 'unasked'
      forgive?.(candidate.peer)
    }
  }
  /** When the next of those that were asked is late, or patience ends. */
  const nextTimeout = (now: number): number => {
    const late = [...running].map(({ askedAt }) => askedAt + LATE_MS).filter((at) => at > now)
    return Math.min(...late, lastNewsAt + PATIENCE_MS)
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
      if (running.size === 0 || now >= lastNewsAt + PATIENCE_MS) {
        if (isSecondTime) return
        askAgain()
        lastNewsAt = now
        continue
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, nextTimeout(now) - now + 1)
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
