/**
 * Looking a record up: every valid one is handed on as it arrives, and the caller takes the highest sequence number.
 * It is over when {@link QUORUM} nodes gave a valid record, {@link GRACE_MS} after the first, or when nobody is left to
 * ask. So neither a slow node nor one that returns old or forged records holds a reader up.
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
  let valid = 0

  /** True for a valid record that was not seen yet. */
  const isNews = (value: Uint8Array): boolean => {
    const bytes = toText(value, 'base64')
    const before = seen.get(bytes)
    const verdict = before === undefined ? judge(key, value) : undefined
    const accepted = before ?? (verdict !== undefined && !isDropped(verdict))
    seen.set(bytes, accepted)
    if (accepted) {
      valid += 1
      grace ??= setTimeout(() => over.abort(), GRACE_MS)
    }
    if (verdict !== undefined && isDropped(verdict)) onDrop(verdict.dropped)
    return accepted && before === undefined
  }

  try {
    if (ownCopy !== undefined && isNews(ownCopy)) yield ownCopy
    const request = (peer: PeerId, aborted: AbortSignal) => dht.request(peer, key, aborted)
    for await (const { answer } of walk(key, dht.closestKnown(key), self, request, until)) {
      if (answer.value !== undefined && isNews(answer.value)) yield answer.value
      if (valid >= QUORUM) return
    }
  } finally {
    clearTimeout(grace)
    over.abort()
  }
}
