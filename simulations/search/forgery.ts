/**
 * What an attacker can make who knows public keys and has seen what travels, and has none of the private keys: messages
 * that are right in all that such a one can get right.
 */

import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../src/base/random.js'
import { computeMac1, mac1Key } from '../../src/crypto/mac1.js'
import { encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import {
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  MAC_LENGTH,
  mac1Of,
} from '../../src/wire/wireguard.js'

const KEY_LENGTH = 32
const TAG_LENGTH = 16
const TIMESTAMP_LENGTH = 12
const TRANSACTION_ID_LENGTH = 12

/** A check under a user name that was seen, or a random one, with a tag of nobody's. */
export function forgedCheck(random: Random, username: Uint8Array = random.bytes(16)): Uint8Array {
  return encodeStun(
    {
      messageClass: 'request',
      method: BINDING,
      transactionId: random.bytes(TRANSACTION_ID_LENGTH),
      username,
      priority: randomBelow(random, 2 ** 31),
      holdsFirstMessage: randomBelow(random, 2) === 1,
    },
    () => random.bytes(KEY_LENGTH),
  )
}

/** An answer to a check whose transaction id was seen, with a tag of nobody's. */
export function forgedAnswer(random: Random, transactionId: Uint8Array): Uint8Array {
  return encodeStun(
    {
      messageClass: 'success',
      method: BINDING,
      transactionId,
      mappedAddress: { ip: '198.18.0.1', port: 1 + randomBelow(random, 65_535) },
      holdsFirstMessage: false,
    },
    () => random.bytes(KEY_LENGTH),
  )
}

/** A first message with the right mac1, in which nothing else fits. */
export function forgedFirstMessage(random: Random, receiver: PublicKey): Uint8Array {
  const message = encodeInitiation({
    senderIndex: randomBelow(random, 2 ** 32),
    ephemeral: random.bytes(KEY_LENGTH),
    encryptedStatic: random.bytes(KEY_LENGTH + TAG_LENGTH),
    encryptedTimestamp: random.bytes(TIMESTAMP_LENGTH + TAG_LENGTH),
    mac1: new Uint8Array(MAC_LENGTH),
    mac2: new Uint8Array(MAC_LENGTH),
  })
  mac1Of(message).set(computeMac1(mac1Key(publicKeyBytes(receiver)), message))
  return message
}

/** A second message with the right mac1 for a first message whose index was seen. */
export function forgedSecondMessage(random: Random, receiver: PublicKey, receiverIndex: number): Uint8Array {
  const message = encodeResponse({
    senderIndex: randomBelow(random, 2 ** 32),
    receiverIndex,
    ephemeral: random.bytes(KEY_LENGTH),
    encryptedNothing: random.bytes(TAG_LENGTH),
    mac1: new Uint8Array(MAC_LENGTH),
    mac2: new Uint8Array(MAC_LENGTH),
  })
  mac1Of(message).set(computeMac1(mac1Key(publicKeyBytes(receiver)), message))
  return message
}

/** Data for a session whose index was seen, or for none. */
export function forgedData(random: Random, receiverIndex: number = randomBelow(random, 2 ** 32)): Uint8Array {
  return encodeTransport({
    receiverIndex,
    counter: BigInt(randomBelow(random, 2 ** 32)),
    encryptedPacket: random.bytes(TAG_LENGTH + 16 * randomBelow(random, 4)),
  })
}

/** Anything: noise, and the beginnings of messages with noise behind. */
export function junk(random: Random): Uint8Array {
  const bytes = random.bytes(randomBelow(random, 200))
  const kind = randomBelow(random, 4)
  // As a WireGuard message of some type; as STUN with its magic cookie (RFC 8489 section 5).
  if (kind === 1) bytes.set([1 + randomBelow(random, 4), 0, 0, 0].slice(0, bytes.length))
  if (kind === 2 && bytes.length >= 20) bytes.set([0, 1, 0, bytes.length - 20, 0x21, 0x12, 0xa4, 0x42])
  return bytes
}
