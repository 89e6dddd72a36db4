/**
 * Publishing a record: it is sent at once to the closest nodes known, and, while they answer, nodes closer still are
 * searched for and get it as well. Acknowledgements are counted, because a node that refuses or is gone says nothing.
 */

import type { PeerId } from '@libp2p/interface'
import { type Dht, distance, kadId, REPLICATION } from './dht.js'
import { walk } from './walk.js'

/** Resolves to how many nodes acknowledged. */
export async function publish(
  dht: Dht,
  self: PeerId,
  key: Uint8Array,
  value: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  const known = dht.closestKnown(key)
  const puts = new Map<string, Promise<boolean>>()
  const put = (peer: PeerId) => {
    const id = peer.toString()
    if (!puts.has(id)) puts.set(id, dht.store(peer, key, value, signal))
  }
  for (const peer of known) put(peer)

  const target = kadId(key)
  const found: PeerId[] = []
  const request = (peer: PeerId, aborted: AbortSignal) => dht.request(peer, key, aborted)
  for await (const { peer } of walk(key, known, self, request, signal)) found.push(peer)
  found.sort((a, b) => Buffer.compare(distance(target, a), distance(target, b)))
  for (const peer of found.slice(0, REPLICATION)) put(peer)

  const acknowledged = await Promise.all(puts.values())
  return acknowledged.filter(Boolean).length
}
