/**
 * The key of a member relay, to which requests for sessions are sealed, and this sealing. The key is an X25519 key of its
 * own, derived from the WireGuard private key: the services that name it must not name WireGuard's.
 *
 * ```
 * private = HKDF-SHA256(WireGuard private key, no salt, "tunnelbore relay key v1\0"), 32 bytes
 *
 *   0  ephemeral public key   32      shared     = X25519(ephemeral private key, the relay's public key)
 *  32  ciphertext              n      key, nonce = HKDF-SHA256(shared, no salt,
 *  32 + n  tag                16                     "tunnelbore relay seal v1\0" || ephemeral || relay's key), 32 + 12
 * ```
 *
 * Sealed with ChaCha20-Poly1305. As each ephemeral key is used once, so is each nonce.
 */

import { hkdfSync } from 'node:crypto'
import { concat, fromString } from 'uint8arrays'
import type { Random } from '../base/random.js'
import { AEAD_TAG_LENGTH, aeadOpen, aeadSeal } from './aead.js'
import { clampX25519, X25519_KEY_LENGTH, x25519, x25519KeyPair } from './x25519.js'

/** A relay's key. The private half stays inside. */
export interface RelayKeys {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** What was sealed to this key, or undefined where nothing was. One X25519 operation: limit the rate before. */
  open(sealed: Uint8Array): Uint8Array | undefined
}

/** What sealing adds, in bytes. */
export const RELAY_SEAL_LENGTH = X25519_KEY_LENGTH + AEAD_TAG_LENGTH

/** A node's key as a relay, from its WireGuard private key: one key in its two spellings gives the same. */
export function relayKeys(privateKey: Uint8Array): RelayKeys {
  const secret = clampX25519(privateKey)
  const pair = x25519KeyPair(
    new Uint8Array(hkdfSync('sha256', secret, NO_SALT, KEY_LABEL, X25519_KEY_LENGTH)),
  )
  return {
    publicKey: pair.publicKey,
    open(sealed) {
      if (sealed.length < RELAY_SEAL_LENGTH) return undefined
      const ephemeral = sealed.subarray(0, X25519_KEY_LENGTH)
      const shared = x25519(pair.privateKey, ephemeral)
      if (shared === undefined) return undefined
      const { key, nonce } = sealingSecrets(shared, ephemeral, pair.publicKey)
      return aeadOpen(key, nonce, sealed.subarray(X25519_KEY_LENGTH), NOTHING)
    },
  }
}

/** Seals to a relay's public key of 32 bytes; undefined where that is one with which nothing can be secret. */
export function sealToRelay(
  relayPublicKey: Uint8Array,
  plaintext: Uint8Array,
  random: Random,
): Uint8Array | undefined {
  const ephemeral = x25519KeyPair(random.bytes(X25519_KEY_LENGTH))
  const shared = x25519(ephemeral.privateKey, relayPublicKey)
  if (shared === undefined) return undefined
  const { key, nonce } = sealingSecrets(shared, ephemeral.publicKey, relayPublicKey)
  return concat([ephemeral.publicKey, aeadSeal(key, nonce, plaintext, NOTHING)])
}

const KEY_LABEL = fromString('tunnelbore relay key v1\0')
const SEAL_LABEL = fromString('tunnelbore relay seal v1\0')
const NO_SALT = new Uint8Array(0)
const NOTHING = new Uint8Array(0)
const KEY_LENGTH = 32
const NONCE_LENGTH = 12

function sealingSecrets(
  shared: Uint8Array,
  ephemeral: Uint8Array,
  relayPublicKey: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const info = concat([SEAL_LABEL, ephemeral, relayPublicKey])
  const secrets = new Uint8Array(hkdfSync('sha256', shared, NO_SALT, info, KEY_LENGTH + NONCE_LENGTH))
  return { key: secrets.subarray(0, KEY_LENGTH), nonce: secrets.subarray(KEY_LENGTH) }
}
