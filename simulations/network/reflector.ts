/** A host that answers plain Binding requests (RFC 8489), as any STUN server does. */

import { isDropped } from '../../src/base/drops.js'
import { decodeStun, encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import type { Place } from './place.js'

/** Puts one at a place: it answers at `port` of each address there. */
export function attachReflector(place: Place, name: string, port: number): void {
  place.attach(name, ({ from, to, bytes }) => {
    const request = decodeStun(bytes)
    if (isDropped(request) || request.messageClass !== 'request' || to.port !== port) return
    const { transactionId } = request
    const answer = encodeStun({
      messageClass: 'success',
      method: BINDING,
      transactionId,
      mappedAddress: from,
    })
    place.send({ from: to, to: from, bytes: answer, author: name })
  })
}
