/**
 * Strangers that flood one address from many sources:
 *
 *     node flood.js <ip> <port> <datagrams a second> <seconds> <public key, base64> <source ip> …
 *
 * By turns rubbish, data of sessions that do not exist, checks of nobody, and first messages with the mac1 for this public
 * key, which whoever knows the key can make: each of them costs the receiver more than rubbish does. Prints how many it
 * sent as soon as it has sent them.
 */

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { computeMac1, mac1Key } from '../../../src/crypto/mac1.js'
import { encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { mac1Covered } from '../../../src/wire/wireguard.js'

const TICK_MS = 2
/** Made before the flood, and sent again and again: to make them takes longer than to send them. */
const DIFFERENT = 512
const FIRST_MESSAGE_LENGTH = 148

const [ip = '', port = '', rate = '', seconds = '', publicKey = '', ...sources] = process.argv.slice(2)
const key = mac1Key(Buffer.from(publicKey, 'base64'))

function typed(type: number, length: number): Uint8Array {
  const message = randomBytes(length)
  message.writeUInt32LE(type, 0)
  return message
}

function firstMessage(): Uint8Array {
  const message = typed(1, FIRST_MESSAGE_LENGTH)
  const mac1 = computeMac1(key, mac1Covered(message))
  message.set(mac1, FIRST_MESSAGE_LENGTH - 32)
  message.fill(0, FIRST_MESSAGE_LENGTH - 16)
  return message
}

const make: readonly (() => Uint8Array)[] = [
  () => randomBytes(1 + Math.floor(Math.random() * 1_400)),
  () => typed(4, 128),
  () =>
    encodeStun(
      {
        messageClass: 'request',
        method: BINDING,
        transactionId: randomBytes(12),
        username: randomBytes(16),
      },
      () => randomBytes(32),
    ),
  firstMessage,
]
const datagrams = Array.from({ length: DIFFERENT }, (_, index) =>
  (make[index % make.length] ?? firstMessage)(),
)

const sockets: readonly Socket[] = sources.map((source) => {
  const socket = createSocket({
    type: 'udp4',
    // Addresses that need no look-up: binding and sending have no asynchronous step.
    lookup: (address, _options, callback) => callback(null, address, 4),
  })
  socket.bind(0, source)
  return socket
})
const all = Number(rate) * Number(seconds)
const begun = performance.now()
let sent = 0
const ticking = setInterval(() => {
  const due = Math.min(all, Math.floor(((performance.now() - begun) * Number(rate)) / 1_000))
  for (; sent < due; sent++)
    sockets[sent % sockets.length]?.send(datagrams[sent % DIFFERENT] ?? '', Number(port), ip)
  if (sent < all) return
  clearInterval(ticking)
  process.stdout.write(`${sent} in ${Math.round(performance.now() - begun)} ms\n`)
  for (const socket of sockets) socket.close()
}, TICK_MS)
