/**
 * Publishing a record: it is sent at once to the closest nodes known, and, while they answer, nodes closer still are
 * searched for and get it as well. Acknowledgements are counted, because a node that refuses or is gone says nothing.
 *
 * One that hangs would hold the count back until its time-out. So it is given {@link GRACE_MS} after the first
 * acknowledgement, when the record can be found already; what is left is still sent.
 */

import type { PeerId } from '@libp2p/interface'
import { REPLICATION } from '../../engine/dht/query.js'
import { type Dht, distance, kadId } from './dht.js'
import { walk } from './walk.js'

export const GRACE_MS = 300

/** Resolves to how many nodes acknowledged, of all, or in the time of grace. */
export async function publish(
  dht: Dht,
  self: PeerId,
  key: Uint8Array,
  value: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  let acknowledged = 0
  let grace: NodeJS.Timeout | undefined
  await new Promise<void>((resolve, reject) => {
    const onAcknowledged = () => {
      acknowledged += 1
      grace ??= setTimeout(resolve, GRACE_MS)
    }
    putEverywhere(dht, self, key, value, signal, onAcknowledged).then(resolve, reject)
  })
  clearTimeout(grace)
  return acknowledged
}

/** Resolves when each has acknowledged, refused, or not answered in time. */
async function putEverywhere(
  dht: Dht,
  self: PeerId,
  key: Uint8Array,
  value: Uint8Array,
  signal: AbortSignal,
  onAcknowledged: () => void,
): Promise<void> {
  const known = dht.closestKnown(key)
  const puts = new Map<string, Promise<void>>()
  const put = (peer: PeerId) => {
    const id = peer.toString()
    if (puts.has(id)) return
    const stored = dht.store(peer, key, value).catch(() => false)
    puts.set(
      id,
      stored.then((isStored) => {
        if (isStored) onAcknowledged()
      }),
    )
  }
  for (const peer of known.slice(0, REPLICATION)) put(peer)

  const target = kadId(key)
  const found: PeerId[] = []
  const walked = {
    request: (peer: PeerId) => dht.closer(peer, key),
    isConnected: (peer: PeerId) => dht.isConnected(peer),
  }
  for await (const { peer } of walk(key, known, self, walked, signal)) found.push(peer)
  found.sort((a, b) => Buffer.compare(distance(target, a), distance(target, b)))
  for (const peer of found.slice(0, REPLICATION)) put(peer)
  await Promise.all(puts.values())
}
