/** A host that answers plain Binding requests (RFC 8489), as any STUN server does, and may prove addresses beside. */

import { isDropped } from '../../src/base/drops.js'
import type { AddressProof } from '../../src/wire/addressProof.js'
import { decodeStun, encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import type { Place } from './place.js'

/** What gives address proofs: see src/crypto/addressProof.ts. */
export type Prove = (ip: string, name: Uint8Array) => AddressProof

/** Puts one at a place: it answers at `port` of each address there. Without `prove` it knows nothing of proofs. */
export function attachReflector(place: Place, name: string, port: number, prove?: Prove): void {
  place.attach(name, ({ from, to, bytes }) => {
    const request = decodeStun(bytes)
    if (isDropped(request) || request.messageClass !== 'request' || to.port !== port) return
    const { transactionId, proofWanted } = request
    const addressProof = proofWanted && prove?.(from.ip, proofWanted)
    const answer = encodeStun({
      messageClass: 'success',
      method: BINDING,
      transactionId,
      mappedAddress: from,
      ...(addressProof === undefined ? {} : { addressProof }),
    })
    place.send({ from: to, to: from, bytes: answer, author: name })
  })
}
