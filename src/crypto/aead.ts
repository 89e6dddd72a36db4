/**
 * ChaCha20-Poly1305 (RFC 8439) on node:crypto. What is sealed is the ciphertext with its tag of 16 bytes at the end.
 * Keys have 32 bytes, nonces 12; node:crypto throws on any other length.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concat } from 'uint8arrays'

const ALGORITHM = 'chacha20-poly1305'

export const AEAD_TAG_LENGTH = 16

/** Encrypts `plaintext`, and authenticates `associated` with it. */
export function aeadSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: AEAD_TAG_LENGTH })
  cipher.setAAD(associated, { plaintextLength: plaintext.length })
  return concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext, or undefined where the tag does not fit or `sealed` is too short to have one. */
export function aeadOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - AEAD_TAG_LENGTH
  if (length < 0) return undefined
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: AEAD_TAG_LENGTH })
  decipher.setAAD(associated, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  const plaintext = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return new Uint8Array(plaintext)
}
