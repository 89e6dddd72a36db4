/**
 * Goes from node to node of the DHT, as {@link Query} says: sends the questions, measures the time, hands out the
 * answers.
 */

import type { PeerId } from '@libp2p/interface'
import { type Candidate, Query } from '../../engine/dht/query.js'
import { type Answer, distance, kadId } from './dht.js'

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

type Asked = Candidate<PeerId, Uint8Array>

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
  const query = new Query<PeerId, Uint8Array>(Buffer.compare, forgive !== undefined, performance.now())
  const arrived: { readonly asked: Asked; readonly answer: Answer }[] = []
  let wake = () => {}

  const learn = (peer: PeerId) => {
    if (!peer.equals(self)) query.learn(peer, distance(target, peer))
  }
  const ask = (asked: Asked) => {
    const end = (answer: Answer | undefined) => {
      if (answer === undefined) query.failed(asked, performance.now())
      else {
        query.answered(asked, performance.now())
        arrived.push({ asked, answer })
      }
      wake()
    }
    request(asked.peer).then(end, () => end(undefined))
  }

  for (const peer of from) learn(peer)
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const next = arrived.shift()
      if (next !== undefined) {
        const { asked, answer } = next
        for (const { id } of answer.closer) learn(id)
        yield { peer: asked.peer, answer, isClose: query.isClose(asked, performance.now()) }
        continue
      }
      const now = performance.now()
      for (const asked of query.next(now, isConnected)) ask(asked)
      const pause = query.pause(now)
      if (pause.kind === 'over') return
      if (pause.kind === 'ask-again') {
        for (const peer of pause.forgiven) forgive?.(peer)
        continue
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause.wakeAt - now + 1)
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
