/** Sealed records that must not be believed, made by a lying storer or a hostile member. */

import { type Random, randomBelow } from '../../src/base/random.js'
import { after, HOUR } from '../../src/base/time.js'
import { signRecord } from '../../src/crypto/signedRecord.js'
import { periodOf } from '../../src/wire/period.js'
import type { Cryptography } from '../crypto/cryptography.js'
import type { EventQueue } from '../network/eventQueue.js'

/** Any name will do: nobody opens them. */
const NETWORK = 'tunnelbore'

export const FORGERIES = ['broken-signature', 'another-author', 'stranger', 'truncated', 'random'] as const

export type Forgery =
  /** A real record of which one bit is changed. */
  | 'broken-signature'
  /** A real record, of somebody else. */
  | 'another-author'
  /** A record that is validly sealed by a key that nobody knows. */
  | 'stranger'
  /** A real record of which the end is missing. */
  | 'truncated'
  /** Random bytes. */
  | 'random'

export type StrangersCryptography = Pick<Cryptography, 'nodeKeys' | 'recordSealing'>

/** A validly sealed record of a stranger, other at each call. */
export type StrangersRecord = (random: Random) => Uint8Array

/** Makes records of strangers that are valid now. */
export function strangersRecords(queue: EventQueue, cryptography: StrangersCryptography): StrangersRecord {
  return (random) => {
    const keys = cryptography.nodeKeys(random.bytes(32))
    const { unix } = queue.now
    const signedRecord = signRecord(
      {
        publicKey: keys.publicKey,
        sequence: unix,
        issuedAt: unix,
        expiresAt: after(unix, HOUR),
        candidates: [],
        identity: random.bytes(32),
        multiaddrs: [],
        nat: { mapping: 'unknown', filtering: 'unknown' },
      },
      keys,
      random,
    )
    return cryptography.recordSealing(keys, NETWORK).seal(signedRecord, periodOf(unix), unix, random)
  }
}

const RANDOM_LENGTH = 200

export interface ForgeryOptions {
  /** Undefined for any kind. */
  readonly forgery: Forgery | undefined
  /** The record that is asked for, if the forger has it. */
  readonly real: Uint8Array | undefined
  /** A record of somebody else, if the forger has one. */
  readonly another: Uint8Array | undefined
  readonly strangersRecord: StrangersRecord
  readonly random: Random
}

/** Where the forger lacks what it would take, it uses a stranger's record in its place. */
export function forged({ forgery, real, another, strangersRecord, random }: ForgeryOptions): Uint8Array {
  const kind = forgery ?? FORGERIES[randomBelow(random, FORGERIES.length)]
  switch (kind) {
    case 'another-author':
      return another ?? strangersRecord(random)
    case 'random':
      return random.bytes(RANDOM_LENGTH)
    case 'truncated': {
      const whole = real ?? strangersRecord(random)
      return whole.slice(0, randomBelow(random, whole.length))
    }
    case 'broken-signature':
      return withOneBitChanged(real ?? strangersRecord(random), random)
    default:
      return strangersRecord(random)
  }
}

/** A sealed record with one bit changed: each is covered by the signature, or is the signature's. */
export function withOneBitChanged(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice()
  const at = randomBelow(random, changed.length)
  changed[at] = (changed[at] ?? 0) ^ (1 << randomBelow(random, 8))
  return changed
}
