/**
 * Kademlia's iterative look-up: ask the closest nodes known, learn of closer ones, until the closest that live have all
 * answered. The first {@link REPLICATION} are asked at once, so in a small mesh one round trip asks everybody. A node
 * that hangs holds up nobody, and what a node answers of a record is not looked at here.
 */

import type { PeerId } from '@libp2p/interface'
import { type Answer, distance, kadId, REPLICATION } from './dht.js'

/** How many nodes are asked for one key at most: made-up closer nodes are not followed for ever. */
export const MAX_ASKED = 64

/**
 * Yields each answer as it arrives, with who gave it. Ends when nobody is left to ask, or the signal aborts.
 * `request` resolves to undefined for a node that cannot be asked, and soon after the signal aborts.
 */
export async function* walk(
  key: Uint8Array,
  from: readonly PeerId[],
  self: PeerId,
  request: (peer: PeerId, signal: AbortSignal) => Promise<Answer | undefined>,
  signal: AbortSignal,
): AsyncGenerator<{ readonly peer: PeerId; readonly answer: Answer }> {
  const target = kadId(key)
  const candidates = new Map<string, Candidate>()
  const running = new Map<string, Promise<{ candidate: Candidate; answer: Answer | undefined }>>()
  let asked = 0

  const learn = (peer: PeerId) => {
    const id = peer.toString()
    if (candidates.has(id) || peer.equals(self)) return
    candidates.set(id, { id, peer, distance: distance(target, peer), state: 'unasked' })
  }
  const start = (candidate: Candidate) => {
    candidate.state = 'asked'
    asked += 1
    const outcome = request(candidate.peer, signal).then(
      (answer) => ({ candidate, answer }),
      () => ({ candidate, answer: undefined }),
    )
    running.set(candidate.id, outcome)
  }

  for (const peer of from) learn(peer)
  while (!signal.aborted) {
    const closest = [...candidates.values()]
      .filter(({ state }) => state !== 'failed')
      .sort((a, b) => Buffer.compare(a.distance, b.distance))
      .slice(0, REPLICATION)
    for (const candidate of closest)
      if (candidate.state === 'unasked' && running.size < REPLICATION && asked < MAX_ASKED) start(candidate)
    if (running.size === 0) return

    const { candidate, answer } = await Promise.race(running.values())
    running.delete(candidate.id)
    if (answer === undefined) {
      candidate.state = 'failed'
      continue
    }
    for (const { id } of answer.closer) learn(id)
    yield { peer: candidate.peer, answer }
  }
}

interface Candidate {
  readonly id: string
  readonly peer: PeerId
  readonly distance: Uint8Array
  state: 'unasked' | 'asked' | 'failed'
}
