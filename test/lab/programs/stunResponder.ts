/**
 * A plain STUN server, as there are many on the internet: it answers Binding requests and knows nothing of Tunnelbore.
 * Prints `port <port>`. See RFC 8489 section 14.2: the answer says where the request came from.
 */

import { createSocket } from 'node:dgram'
import { isDropped } from '../../../src/base/drops.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'

const socket = createSocket('udp4')
socket.on('message', (bytes, { address: ip, port }) => {
  const request = decodeStun(bytes)
  if (isDropped(request) || request.messageClass !== 'request' || request.method !== BINDING) return
  const { transactionId } = request
  const answer = {
    messageClass: 'success',
    method: BINDING,
    transactionId,
    mappedAddress: { ip, port },
  } as const
  socket.send(encodeStun(answer), port, ip)
})
socket.bind(() => process.stdout.write(`port ${socket.address().port}\n`))
