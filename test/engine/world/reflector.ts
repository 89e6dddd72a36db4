/** A host that answers plain Binding requests, as any STUN server does. */

import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import type { Segment } from './network.js'

export function addReflector(segment: Segment, address: SocketAddress, delayMs: number): void {
  segment.attach(address.ip, delayMs, ({ from, to, bytes }) => {
    const request = decodeStun(bytes)
    if (isDropped(request) || request.messageClass !== 'request' || to.port !== address.port) return
    const { transactionId } = request
    const answer = encodeStun({
      messageClass: 'success',
      method: BINDING,
      transactionId,
      mappedAddress: from,
    })
    segment.send({ from: to, to: from, bytes: answer })
  })
}
