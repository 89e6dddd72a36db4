/**
 * What only the stand-in can compute: every key comes from one secret that no host has, and from the public keys of
 * those concerned.
 *
 * ```
 *   signing key of A             = mix(secret, signing, A)
 *   blinded key of A             = mix(secret, blinding, A || parameter)
 *   signing key of an identity   = mix(secret, identity-signing, identity)
 *   signing key of a blinded key = mix(secret, blinded-signing, blinded key)
 *   what A and B share           = mix(secret, pair, lower || higher)
 *   what B and whoever writes to
 *   B under an ephemeral share   = mix(secret, first-message, B || ephemeral)
 *
 *   signature                    = nonce, 32 || mix(signing key, signature, nonce || message), 32
 *   sealed                       = masked plaintext, every 32 bytes alike || mix(key, sealing, masked plaintext || associated), 16
 * ```
 *
 * These stand for XEdDSA, for X25519, and for ChaCha20-Poly1305. Like these, a signature covers every bit of the message
 * and of itself, and a seal every bit of what is sealed and of what is associated.
 */

import { compare, concat, equals, fromString } from 'uint8arrays'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import { AEAD_TAG_LENGTH } from '../../src/crypto/aead.js'
import { XEDDSA_SIGNATURE_LENGTH } from '../../src/crypto/xeddsa.js'
import { KEY_LENGTH, mix } from './mixing.js'

/** What a keyed hash is for: one key may serve several ends. */
export const PURPOSE = {
  signing: 1,
  pair: 2,
  firstMessage: 3,
  nonce: 4,
  signature: 5,
  masking: 6,
  sealing: 7,
  /** Of checks from the lower key of a pair to the higher, and back. */
  upwardCheck: 8,
  upwardName: 9,
  downwardCheck: 10,
  downwardName: 11,
  session: 12,
  initiatorTag: 13,
  responderTag: 14,
  upwardKnock: 15,
  upwardKnockName: 16,
  downwardKnock: 17,
  downwardKnockName: 18,
  blindingParameter: 19,
  blinding: 20,
  blindedSigning: 21,
  sealedContent: 22,
  identitySigning: 23,
} as const

const SECRET = fromString('known to nobody in the simulation').subarray(0, KEY_LENGTH)

const NONCE_LENGTH = 32
const NO_RANDOMNESS = new Uint8Array(0)

/** What the owners of two public keys share; whichever is named first. */
export function sharedSecret(a: Uint8Array, b: Uint8Array): Uint8Array {
  return mix(SECRET, PURPOSE.pair, concat(compare(a, b) < 0 ? [a, b] : [b, a]), 32)
}

/** What the responder shares with whoever made the ephemeral key of a first message. */
export function firstMessageSecret(responder: Uint8Array, ephemeral: Uint8Array): Uint8Array {
  return mix(SECRET, PURPOSE.firstMessage, concat([responder, ephemeral]), 32)
}

/** A signature by the owner of `publicKey`; `z` is fresh randomness. */
export function signatureOf(publicKey: PublicKey, message: Uint8Array, z: Uint8Array): Uint8Array {
  return signatureUnder(signingKey(publicKey), message, z)
}

export function isSignatureOf(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return isSignatureUnder(signingKey(publicKey), message, signature)
}

/** What the owner of `author` (32 bytes) is called instead, by those who know it and the parameter. */
export function blindedKeyOf(author: Uint8Array, parameter: Uint8Array): Uint8Array {
  return mix(SECRET, PURPOSE.blinding, concat([author, parameter]), 32)
}

/** A signature by the owner of a blinded key; `z` is fresh randomness. */
export function blindedSignatureOf(blindedKey: Uint8Array, message: Uint8Array, z: Uint8Array): Uint8Array {
  return signatureUnder(blindedSigningKey(blindedKey), message, z)
}

export function isBlindedSignatureOf(
  blindedKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return isSignatureUnder(blindedSigningKey(blindedKey), message, signature)
}

/** What the owner of a libp2p identity signs: the same each time, as with Ed25519. */
export function identitySignatureOf(identity: Uint8Array, message: Uint8Array): Uint8Array {
  return signatureUnder(mix(SECRET, PURPOSE.identitySigning, identity, 32), message, NO_RANDOMNESS)
}

function signatureUnder(key: Uint8Array, message: Uint8Array, z: Uint8Array): Uint8Array {
  const nonce = mix(key, PURPOSE.nonce, concat([z, message]), NONCE_LENGTH)
  return concat([nonce, mix(key, PURPOSE.signature, concat([nonce, message]), 32)])
}

function isSignatureUnder(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== XEDDSA_SIGNATURE_LENGTH) return false
  const nonce = signature.subarray(0, NONCE_LENGTH)
  const expected = mix(key, PURPOSE.signature, concat([nonce, message]), 32)
  return equals(expected, signature.subarray(NONCE_LENGTH))
}

/** Seals `plaintext`, and authenticates `associated` with it. */
export function seal(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const masked = mask(key, plaintext, associated)
  return concat([masked, sealTag(key, masked, associated)])
}

/** What was sealed, or undefined where the tag does not fit. */
export function unseal(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  const masked = sealed.subarray(0, sealed.length - AEAD_TAG_LENGTH)
  if (!equals(sealTag(key, masked, associated), sealed.subarray(masked.length))) return undefined
  return mask(key, masked, associated)
}

function blindedSigningKey(blindedKey: Uint8Array): Uint8Array {
  return mix(SECRET, PURPOSE.blindedSigning, blindedKey, 32)
}

function signingKey(publicKey: PublicKey): Uint8Array {
  return mix(SECRET, PURPOSE.signing, publicKeyBytes(publicKey), 32)
}

/** Covers bytes, and uncovers them again. */
function mask(key: Uint8Array, bytes: Uint8Array, associated: Uint8Array): Uint8Array {
  const stream = mix(key, PURPOSE.masking, associated, 32)
  const masked = new Uint8Array(bytes.length)
  for (let at = 0; at < bytes.length; at++) masked[at] = (bytes[at] ?? 0) ^ (stream[at & 31] ?? 0)
  return masked
}

function sealTag(key: Uint8Array, masked: Uint8Array, associated: Uint8Array): Uint8Array {
  return mix(key, PURPOSE.sealing, concat([masked, associated]), AEAD_TAG_LENGTH)
}
