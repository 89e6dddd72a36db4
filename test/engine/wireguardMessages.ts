/** WireGuard's messages as far as they can be told from outside: the right form, and nothing sealed in them. */

import {
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
} from '../../src/wire/wireguard.js'

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

export function cookieReply(receiverIndex: number): Uint8Array {
  return encodeCookieReply({ receiverIndex, nonce: new Uint8Array(24), encryptedCookie: new Uint8Array(32) })
}

export function data(receiverIndex: number, length = 32): Uint8Array {
  return encodeTransport({ receiverIndex, counter: 0n, encryptedPacket: new Uint8Array(length - 16) })
}
