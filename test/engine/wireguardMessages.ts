/** WireGuard's messages as far as they can be told from outside: the right form, and nothing sealed in them. */

import { computeMac1, mac1Key } from '../../src/crypto/mac1.js'
import {
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  mac1Of,
} from '../../src/wire/wireguard.js'
import type { TestNode } from './nodes.js'

/** A first message of the session that its sender knows by `senderIndex`; `variant` tells those of one index apart. */
export function first(senderIndex: number, variant = 0): Uint8Array {
  return encodeInitiation({
    senderIndex,
    ephemeral: new Uint8Array(32).fill(variant),
    encryptedStatic: new Uint8Array(48),
    encryptedTimestamp: new Uint8Array(28),
    mac1: new Uint8Array(16),
    mac2: new Uint8Array(16),
  })
}

export function second(senderIndex: number, receiverIndex: number): Uint8Array {
  return encodeResponse({
    senderIndex,
    receiverIndex,
    ephemeral: new Uint8Array(32),
    encryptedNothing: new Uint8Array(16),
    mac1: new Uint8Array(16),
    mac2: new Uint8Array(16),
  })
}

/** The first or second message with a mac1 that is for `receiver`. */
export function withMac1(receiver: TestNode, message: Uint8Array): Uint8Array {
  const signed = message.slice()
  mac1Of(signed).set(computeMac1(mac1Key(receiver.pair.publicKey), signed))
  return signed
}

export function cookieReply(receiverIndex: number): Uint8Array {
  return encodeCookieReply({ receiverIndex, nonce: new Uint8Array(24), encryptedCookie: new Uint8Array(32) })
}

export function data(receiverIndex: number, length = 32): Uint8Array {
  return encodeTransport({ receiverIndex, counter: 0n, encryptedPacket: new Uint8Array(length - 16) })
}
