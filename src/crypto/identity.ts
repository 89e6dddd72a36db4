/** Signatures with a node's libp2p identity, an Ed25519 key (RFC 8032), without libp2p. A message begins with a label of ours. */

import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { concat, fromString, toString as toText } from 'uint8arrays'

export const IDENTITY_SEED_LENGTH = 32
export const IDENTITY_SIGNATURE_LENGTH = 64

/** The Ed25519 signature of 64 bytes over a message that begins with a label that says what it is. */
export type SignAsIdentity = (message: Uint8Array) => Uint8Array

/** True where `signature` over `message` is by the holder of the identity of 32 bytes. Nothing makes it throw. */
export type VerifyIdentity = (identity: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** An identity and what signs for it. The private half stays inside. */
export interface IdentityKeys {
  /** A raw public key of 32 bytes. */
  readonly identity: Uint8Array
  readonly sign: SignAsIdentity
}

/** The identity that libp2p makes of this seed of 32 bytes. Throws a RangeError on any other length. */
export function identityKeys(seed: Uint8Array): IdentityKeys {
  if (seed.length !== IDENTITY_SEED_LENGTH) throw new RangeError(`a seed has 32 bytes, not ${seed.length}`)
  const key = createPrivateKey({ key: Buffer.from(concat([PKCS8, seed])), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return {
    identity: fromString(x ?? '', 'base64url'),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  }
}

/** See {@link VerifyIdentity}. */
export const verifyIdentity: VerifyIdentity = (identity, message, signature) => {
  if (identity.length !== 32 || signature.length !== IDENTITY_SIGNATURE_LENGTH) return false
  try {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: toText(identity, 'base64url') },
      format: 'jwk',
    })
    return verify(null, message, key, signature)
  } catch {
    // Bytes that are no point of the curve.
    return false
  }
}

/** What stands before the seed in a private key's PKCS #8 (RFC 8410 section 7). */
const PKCS8 = fromString('302e020100300506032b657004220420', 'hex')
