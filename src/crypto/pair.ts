/**
 * What two peers share without a word between them: a key and a changing user name for the checks of each direction.
 *
 * ```
 * shared  = X25519(own static private key, peer's static public key)
 * secrets = HKDF-SHA256(shared, no salt, "tunnelbore pair v1\0" || lower key || higher key), 128 bytes:
 *
 *  0                32                64                96               128
 *  | key, low → high | name, low → high | key, high → low | name, high → low |
 * ```
 *
 * The lower key is the one whose bytes compare lower. A check from A to B is authenticated with the key of A → B and so
 * is the response to it; a request reflected to its sender is under the wrong name and the wrong key.
 *
 * A user name is `HMAC-SHA256(name secret, epoch as i64 BE)`, its first 16 bytes. Epochs are hours of the wall clock.
 * Who watches sees names that change each hour and that nobody but the two can tie to a key or to each other.
 */

import { hkdfSync } from 'node:crypto'
import { compare, concat, fromString } from 'uint8arrays'
import { HOUR, type UnixTime } from '../base/time.js'
import { type HmacSha256, hmacSha256 } from './hmacSha256.js'
import { type X25519KeyPair, x25519 } from './x25519.js'

export const CHECK_NAME_LENGTH = 16

/** How long a user name of checks lives, in milliseconds. */
export const CHECK_EPOCH = HOUR

/** How far the clocks of two peers may differ, in milliseconds, for their names to be known to each other. */
export const CHECK_NAME_SKEW = 2 * HOUR

/** Authenticates the checks of one direction, requests and responses. */
export interface CheckCredentials {
  /** MESSAGE-INTEGRITY-SHA256's HMAC under the key of this direction. */
  readonly hmac: HmacSha256
  /** The user name of an epoch, 16 opaque bytes, which the caller does not change. */
  nameAt(epoch: number): Uint8Array
}

/** The credentials of both directions between ourselves and a peer. */
export interface PairKeys {
  /** Of checks that we send. */
  readonly outgoing: CheckCredentials
  /** Of checks that the peer sends. */
  readonly incoming: CheckCredentials
}

/**
 * The pair's keys, or undefined where there can be no such pair: `peer` is our own key, or one of small order with which
 * everybody would share the same secret.
 */
export function derivePairKeys(own: X25519KeyPair, peer: Uint8Array): PairKeys | undefined {
  const order = compare(own.publicKey, peer)
  if (order === 0) return undefined
  const shared = x25519(own.privateKey, peer)
  if (shared === undefined) return undefined
  const info = concat(order < 0 ? [LABEL, own.publicKey, peer] : [LABEL, peer, own.publicKey])
  const secrets = new Uint8Array(hkdfSync('sha256', shared, NO_SALT, info, 4 * SECRET_LENGTH))
  const upward = credentials(secrets.subarray(0, 2 * SECRET_LENGTH))
  const downward = credentials(secrets.subarray(2 * SECRET_LENGTH))
  return order < 0 ? { outgoing: upward, incoming: downward } : { outgoing: downward, incoming: upward }
}

/** The credentials of one direction from its two secrets: `hmac` under the key, `name` under the one of user names. */
export function checkCredentials(hmac: HmacSha256, name: HmacSha256): CheckCredentials {
  const known = new Map<number, Uint8Array>()
  return {
    hmac,
    nameAt(epoch) {
      const before = known.get(epoch)
      if (before !== undefined) return before
      const message = new Uint8Array(8)
      new DataView(message.buffer).setBigInt64(0, BigInt(epoch))
      const fresh = name(message).slice(0, CHECK_NAME_LENGTH)
      const [oldest] = known.keys()
      if (oldest !== undefined && known.size >= MAX_KNOWN_NAMES) known.delete(oldest)
      known.set(epoch, fresh)
      return fresh
    },
  }
}

/** The epoch that a moment lies in. */
export function epochOf(unix: UnixTime): number {
  return Math.floor(unix / CHECK_EPOCH)
}

/** Every epoch that overlaps the moment ± {@link CHECK_NAME_SKEW}, earliest first. */
export function epochsAround(unix: UnixTime): readonly number[] {
  const first = Math.floor((unix - CHECK_NAME_SKEW) / CHECK_EPOCH)
  const last = Math.floor((unix + CHECK_NAME_SKEW) / CHECK_EPOCH)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

const LABEL = fromString('tunnelbore pair v1\0')
const NO_SALT = new Uint8Array(0)
const SECRET_LENGTH = 32

/** Every check of an epoch bears the same name: those of {@link epochsAround} are kept, and one to spare. */
const MAX_KNOWN_NAMES = 6

function credentials(secrets: Uint8Array): CheckCredentials {
  return checkCredentials(
    hmacSha256(secrets.subarray(0, SECRET_LENGTH)),
    hmacSha256(secrets.subarray(SECRET_LENGTH)),
  )
}
