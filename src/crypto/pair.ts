/**
 * What two peers share without a word between them: for each direction a key and a changing name, of checks and of
 * sealed knocks; and what relaySession.ts makes of the same secret, for sessions at a relay.
 *
 * ```
 * shared  = X25519(own static private key, peer's static public key)
 * secrets = HKDF-SHA256(shared, no salt, label || lower key || higher key), 128 bytes:
 *
 *  0                32                64                96               128
 *  | key, low → high | name, low → high | key, high → low | name, high → low |
 * ```
 *
 * The label is `"tunnelbore pair v1\0"` for checks and `"tunnelbore knock v1\0"` for sealed knocks, so neither can be
 * taken for the other. The lower key is the one whose bytes compare lower. A check from A to B is authenticated with the key of A → B and so
 * is the response to it; a request reflected to its sender is under the wrong name and the wrong key.
 *
 * A sealed knock is ChaCha20-Poly1305 under its direction's key; see sealedKnock.ts. A name is `HMAC-SHA256(name secret, epoch as i64 BE)`, its first 16 bytes. Epochs are hours of the wall clock.
 * Who watches sees names that change each hour and that nobody but the two can tie to a key or to each other.
 */

import { hkdfSync } from 'node:crypto'
import { compare, concat, fromString } from 'uint8arrays'
import { HOUR, type UnixTime } from '../base/time.js'
import { aeadOpen, aeadSeal } from './aead.js'
import { type HmacSha256, hmacSha256 } from './hmacSha256.js'
import { type PairSecret, type RelaySessionKeys, relayProofHmac, relaySessionKeys } from './relaySession.js'
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

/** Seals the knocks of one direction. */
export interface KnockCredentials {
  /** The name of an epoch, 16 opaque bytes, which the caller does not change. */
  nameAt(epoch: number): Uint8Array
  /** Encrypts, and authenticates `associated` too; the nonce is 12 random bytes. The tag stands at the end. */
  seal(nonce: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array
  /** What was sealed, or undefined where the tag does not fit. */
  open(nonce: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined
}

/** The credentials of both directions between ourselves and a peer. */
export interface PairKeys {
  /** Of checks that we send. */
  readonly outgoing: CheckCredentials
  /** Of checks that the peer sends. */
  readonly incoming: CheckCredentials
  /** Of sealed knocks. */
  readonly knocks: {
    readonly outgoing: KnockCredentials
    readonly incoming: KnockCredentials
  }
  /** Of the session at a relay with this nonce of 16 random bytes; the peer derives the same, with the names swapped. */
  relaySession(nonce: Uint8Array): RelaySessionKeys
  /** The MAC of requests that one of the two sends the other, who is a relay; see relayGrant.ts. */
  readonly relayProof: HmacSha256
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
  const ownIsLower = order < 0
  const [lower, higher] = ownIsLower ? [own.publicKey, peer] : [peer, own.publicKey]
  const checkSecrets = secretsOf(shared, concat([CHECK_LABEL, lower, higher]))
  const knockSecrets = secretsOf(shared, concat([KNOCK_LABEL, lower, higher]))
  const [upward, downward] = [checksWith(checkSecrets.upward), checksWith(checkSecrets.downward)]
  const checks = directed(ownIsLower, upward, downward)
  const knocks = directed(ownIsLower, knocksWith(knockSecrets.upward), knocksWith(knockSecrets.downward))
  return { ...checks, knocks, ...pairRelaying({ shared, lower, higher, ownIsLower }) }
}

/** The part of {@link PairKeys} that is about relays. */
export function pairRelaying(pair: PairSecret): Pick<PairKeys, 'relaySession' | 'relayProof'> {
  return { relaySession: (nonce) => relaySessionKeys(pair, nonce), relayProof: relayProofHmac(pair) }
}

/** Which of two directions, from the lower key to the higher and back, is from us to the peer. */
export function directed<Credentials>(
  ownIsLower: boolean,
  upward: Credentials,
  downward: Credentials,
): { readonly outgoing: Credentials; readonly incoming: Credentials } {
  return ownIsLower ? { outgoing: upward, incoming: downward } : { outgoing: downward, incoming: upward }
}

/** The credentials of one direction from its two secrets: `hmac` under the key, `name` under the one of user names. */
export function checkCredentials(hmac: HmacSha256, name: HmacSha256): CheckCredentials {
  return { hmac, nameAt: changingName(name) }
}

/** The names of one direction, epoch by epoch, from `name` under the secret of names. The last few are kept. */
export function changingName(name: HmacSha256): (epoch: number) => Uint8Array {
  const known = new Map<number, Uint8Array>()
  return (epoch) => {
    const before = known.get(epoch)
    if (before !== undefined) return before
    const message = new Uint8Array(8)
    new DataView(message.buffer).setBigInt64(0, BigInt(epoch))
    const fresh = name(message).slice(0, CHECK_NAME_LENGTH)
    const [oldest] = known.keys()
    if (oldest !== undefined && known.size >= MAX_KNOWN_NAMES) known.delete(oldest)
    known.set(epoch, fresh)
    return fresh
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

const CHECK_LABEL = fromString('tunnelbore pair v1\0')
const KNOCK_LABEL = fromString('tunnelbore knock v1\0')
const NO_SALT = new Uint8Array(0)
const SECRET_LENGTH = 32

/** Every check of an epoch bears the same name: those of {@link epochsAround} are kept, and one to spare. */
const MAX_KNOWN_NAMES = 6

/** Key and name secret of one direction. */
interface DirectionSecrets {
  readonly key: Uint8Array
  readonly name: Uint8Array
}

function secretsOf(
  shared: Uint8Array,
  info: Uint8Array,
): { readonly upward: DirectionSecrets; readonly downward: DirectionSecrets } {
  const all = new Uint8Array(hkdfSync('sha256', shared, NO_SALT, info, 4 * SECRET_LENGTH))
  const secret = (index: number) => all.subarray(index * SECRET_LENGTH, (index + 1) * SECRET_LENGTH)
  return { upward: { key: secret(0), name: secret(1) }, downward: { key: secret(2), name: secret(3) } }
}

function checksWith({ key, name }: DirectionSecrets): CheckCredentials {
  return checkCredentials(hmacSha256(key), hmacSha256(name))
}

function knocksWith({ key, name }: DirectionSecrets): KnockCredentials {
  return {
    nameAt: changingName(hmacSha256(name)),
    seal: (nonce, plaintext, associated) => aeadSeal(key, nonce, plaintext, associated),
    open: (nonce, sealed, associated) => aeadOpen(key, nonce, sealed, associated),
  }
}
