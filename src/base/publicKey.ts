/** WireGuard public keys: the names by which peers are known. */

import { fromString, toString as toText } from 'uint8arrays'

declare const publicKey: unique symbol

/** A Curve25519 public key in canonical padded base64 (44 characters), as `wg` prints it. */
export type PublicKey = string & { readonly [publicKey]: true }

export const PUBLIC_KEY_LENGTH = 32

/** Reads a key as `wg` prints it; undefined where `text` is no such key, or not in its canonical spelling. */
export function parsePublicKey(text: string): PublicKey | undefined {
  // 43 characters carry 258 bits for 256: in the canonical spelling the last one's two low bits are zero.
  return /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text) ? (text as PublicKey) : undefined
}

/** The key of 32 bytes. Throws a RangeError on any other length: lengths of outside bytes are checked before. */
export function publicKeyFromBytes(bytes: Uint8Array): PublicKey {
  if (bytes.length !== PUBLIC_KEY_LENGTH)
    throw new RangeError(`a public key has 32 bytes, not ${bytes.length}`)
  return toText(bytes, 'base64pad') as PublicKey
}

/** The 32 bytes of a key. */
export function publicKeyBytes(key: PublicKey): Uint8Array {
  return fromString(key, 'base64pad')
}
