/**
 * WireGuard's first message (handshake initiation), read and written: the first half of
 * Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (whitepaper section 5.4.2), in the words of the Noise specification. The layout
 * is in wire/wireguard.ts.
 *
 * ```
 * <- s                                       the responder's static key, known to the initiator
 *    ...
 * -> e, es, s, ss, {timestamp}
 * ```
 *
 * Reading it tells the responder who made it, and when by that peer's own clock. It does not tell that the peer sends it
 * *now*: a captured message opens as well as a fresh one, so whoever opens it compares the timestamp with the last.
 */

import { fromString } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../base/publicKey.js'
import type { Random } from '../base/random.js'
import { decodeInitiation, encodeInitiation, MAC_LENGTH, mac1Of } from '../wire/wireguard.js'
import { aeadOpen, aeadSeal } from './aead.js'
import { blake2sHash, kdf1, kdf2 } from './blake2s.js'
import { computeMac1, mac1Key } from './mac1.js'
import { X25519_KEY_LENGTH, type X25519KeyPair, x25519, x25519KeyPair } from './x25519.js'

/** What a first message says once it is open. */
export interface OpenedInitiation {
  /** The initiator's static key: who made the message held its private half. */
  readonly peer: PublicKey
  /** When the initiator made it, TAI64N, 12 bytes. Compare with compareTai64n. */
  readonly timestamp: Uint8Array
}

/** What a first message is made of. */
export interface InitiationParts {
  readonly initiator: X25519KeyPair
  readonly responder: PublicKey
  /** 32 bits by which the initiator will know the session. */
  readonly senderIndex: number
  /** TAI64N, 12 bytes. */
  readonly timestamp: Uint8Array
}

/**
 * Reads a first message for the holder of `responder`. Dropped as `wireguard-malformed` where it is no first message,
 * as `wireguard-unreadable` where it does not decrypt or one of its keys is of small order.
 * mac1 is not looked at: test it before, it is far cheaper.
 */
export function openInitiation(responder: X25519KeyPair, message: Uint8Array): OpenedInitiation | Dropped {
  const fields = decodeInitiation(message)
  if (isDropped(fields)) return fields
  const state = new SymmetricState(responder.publicKey)
  state.mixEphemeral(fields.ephemeral)

  const es = x25519(responder.privateKey, fields.ephemeral)
  if (es === undefined) return drop('wireguard-unreadable')
  const peer = state.open(state.mixKey(es), fields.encryptedStatic)
  if (peer === undefined) return drop('wireguard-unreadable')

  const ss = x25519(responder.privateKey, peer)
  if (ss === undefined) return drop('wireguard-unreadable')
  const timestamp = state.open(state.mixKey(ss), fields.encryptedTimestamp)
  if (timestamp === undefined) return drop('wireguard-unreadable')

  return { peer: publicKeyFromBytes(peer), timestamp }
}

/** Writes a first message with a valid mac1 and a zero mac2. Throws a RangeError where the responder's key is of small order. */
export function createInitiation(parts: InitiationParts, random: Random): Uint8Array {
  const { initiator, senderIndex, timestamp } = parts
  const responder = publicKeyBytes(parts.responder)
  const ephemeral = x25519KeyPair(random.bytes(X25519_KEY_LENGTH))
  const es = x25519(ephemeral.privateKey, responder)
  const ss = x25519(initiator.privateKey, responder)
  if (es === undefined || ss === undefined)
    throw new RangeError(`${parts.responder} is a key of small order: nobody can be its owner`)

  const state = new SymmetricState(responder)
  state.mixEphemeral(ephemeral.publicKey)
  const encryptedStatic = state.seal(state.mixKey(es), initiator.publicKey)
  const encryptedTimestamp = state.seal(state.mixKey(ss), timestamp)

  const message = encodeInitiation({
    senderIndex,
    ephemeral: ephemeral.publicKey,
    encryptedStatic,
    encryptedTimestamp,
    mac1: new Uint8Array(MAC_LENGTH),
    mac2: new Uint8Array(MAC_LENGTH),
  })
  mac1Of(message).set(computeMac1(mac1Key(responder), message))
  return message
}

const CONSTRUCTION = blake2sHash(fromString('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'))
const PROLOGUE = blake2sHash(CONSTRUCTION, fromString('WireGuard v1 zx2c4 Jason@zx2c4.com'))

/** Each key of this message seals once, so its counter is zero. */
const NONCE = new Uint8Array(12)

/** Chaining key and hash of the handshake so far (Noise specification section 5.2; C and H in the whitepaper). */
class SymmetricState {
  #chainingKey: Uint8Array = CONSTRUCTION
  #hash: Uint8Array

  constructor(responderPublicKey: Uint8Array) {
    this.#hash = blake2sHash(PROLOGUE, responderPublicKey)
  }

  mixEphemeral(publicKey: Uint8Array): void {
    this.#chainingKey = kdf1(this.#chainingKey, publicKey)
    this.#mixHash(publicKey)
  }

  /** Mixes a shared secret in and returns the key to seal or open with next. */
  mixKey(shared: Uint8Array): Uint8Array {
    const [chainingKey, key] = kdf2(this.#chainingKey, shared)
    this.#chainingKey = chainingKey
    return key
  }

  seal(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = aeadSeal(key, NONCE, plaintext, this.#hash)
    this.#mixHash(sealed)
    return sealed
  }

  open(key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = aeadOpen(key, NONCE, sealed, this.#hash)
    this.#mixHash(sealed)
    return plaintext
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = blake2sHash(this.#hash, data)
  }
}
