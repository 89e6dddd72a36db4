/**
 * Looking a record up: every valid one is handed on as it arrives, and the caller takes the highest sequence number.
 * It is over when {@link QUORUM} of the closest nodes gave a valid record, {@link GRACE_MS} after the first of all, or
 * when nobody is left to ask. So neither a slow node nor one that returns old or forged records holds a reader up. Nodes
 * further away do not count: an author stores at those that it is connected to as well, and what these have of it may be
 * from before it left them.
 */

import type { PeerId } from '@libp2p/interface'
import { toString as toText } from 'uint8arrays'
import { type DropReason, isDropped } from '../../base/drops.js'
import type { Dht } from './dht.js'
import type { RecordJudge } from './recordStore.js'
import { walk } from './walk.js'

export const QUORUM = 3
export const GRACE_MS = 300

/** Yields each distinct valid record under `key`. `ownCopy` is what we store of it ourselves. */
export async function* lookUp(
  dht: Dht,
  self: PeerId,
  judge: RecordJudge,
  key: Uint8Array,
  ownCopy: Uint8Array | undefined,
  onDrop: (reason: DropReason) => void,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const seen = new Map<string, boolean>()
  let grace: NodeJS.Timeout | undefined
  let quorum = 0

  /** Whether a record is valid, and whether it was not seen yet. */
  const judged = (value: Uint8Array): { readonly accepted: boolean; readonly news: boolean } => {
    const bytes = toText(value, 'base64')
    const before = seen.get(bytes)
    const verdict = before === undefined ? judge(key, value) : undefined
    const accepted = before ?? (verdict !== undefined && !isDropped(verdict))
    seen.set(bytes, accepted)
    if (accepted) grace ??= setTimeout(() => over.abort(), GRACE_MS)
    if (verdict !== undefined && isDropped(verdict)) onDrop(verdict.dropped)
    return { accepted, news: accepted && before === undefined }
  }

  try {
    if (ownCopy !== undefined && judged(ownCopy).news) yield ownCopy
    const walked = {
      request: (peer: PeerId) => dht.request(peer, key),
      forgive: (peer: PeerId) => dht.forgive(peer),
      isConnected: (peer: PeerId) => dht.isConnected(peer),
    }
    for await (const { answer, isClose } of walk(key, dht.closestKnown(key), self, walked, until)) {
      if (answer.value === undefined) continue
      const { accepted, news } = judged(answer.value)
      if (accepted && isClose) quorum += 1
      if (news) yield answer.value
      if (quorum >= QUORUM) return
    }
  } finally {
    clearTimeout(grace)
    over.abort()
  }
}
