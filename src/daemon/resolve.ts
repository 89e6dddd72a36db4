/** Looks a peer's record up for whoever asks, beside what the engine does by itself. */

import { isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import type { RecordSealing } from '../crypto/sealedRecord.js'
import { admitRecord, recordKey } from '../engine/directory/admission.js'
import { periodsToRead } from '../engine/directory/periods.js'
import type { Node } from '../engine/node.js'
import { peerIdOfIdentity } from '../io/mesh/identity.js'
import type { Mesh } from '../io/mesh/mesh.js'
import { now } from '../io/systemClock.js'
import { type ResolvedRecord, resolvedRecord } from './status.js'

/** The newest record of a peer that we know or the mesh has. */
export async function resolve(
  { mesh, engine, sealing }: { readonly mesh: Mesh; readonly engine: Node; readonly sealing: RecordSealing },
  peer: PublicKey,
  signal: AbortSignal,
): Promise<ResolvedRecord | undefined> {
  let newest = engine.knownRecord(peer, now())
  const look = async (period: number): Promise<void> => {
    const key = sealing.blindedKey(peer, period)
    if (key === undefined) return
    for await (const sealedRecord of mesh.lookUp(recordKey(key), signal)) {
      const opened = sealing.open(sealedRecord, peer)
      const record = isDropped(opened) ? opened : admitRecord(opened.signedRecord, now().unix)
      if (isDropped(record) || record.publicKey !== peer) continue
      if (record.sequence > (newest?.sequence ?? 0)) newest = record
    }
  }
  await Promise.all(periodsToRead(now().unix).map(look))
  return newest === undefined
    ? undefined
    : resolvedRecord(newest, peerIdOfIdentity(newest.identity).toString())
}
