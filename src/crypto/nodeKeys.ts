/** Everything the engine may ask of a node's private key. The key itself stays inside. */

import { hkdfSync } from 'node:crypto'
import { fromString } from 'uint8arrays'
import type { Dropped } from '../base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../base/publicKey.js'
import type { Random } from '../base/random.js'
import { blindKeyPair } from './blinding.js'
import { type OpenedInitiation, openInitiation } from './initiation.js'
import { mac1Key, mac1Matches } from './mac1.js'
import { derivePairKeys, type PairKeys } from './pair.js'
import { type RelayKeys, relayKeys } from './relayKeys.js'
import { clampX25519, type X25519KeyPair, x25519KeyPair } from './x25519.js'
import { XEDDSA_RANDOM_LENGTH, type XeddsaKeyPair, xeddsaKeyPair, xeddsaSign } from './xeddsa.js'

/** What is done with a node's WireGuard private key. */
export interface NodeKeys {
  readonly publicKey: PublicKey

  /** True where the mac1 of a WireGuard message of type 1 or 2 is for our public key. */
  mac1IsForUs(message: Uint8Array): boolean

  /** Reads a first message sent to us; see {@link openInitiation}. Two X25519 operations: limit the rate before. */
  openInitiation(message: Uint8Array): OpenedInitiation | Dropped

  /** The XEdDSA signature of 64 bytes over `message`, which begins with a label that says what it is. */
  sign(message: Uint8Array, random: Random): Uint8Array

  /**
   * The Ed25519 signature of 64 bytes over `message` by our key, blinded with `parameter` (32 bytes; see blinding.ts).
   * The message begins with a label that says what it is.
   */
  signBlinded(parameter: Uint8Array, message: Uint8Array, random: Random): Uint8Array

  /** What authenticates the checks and knocks between us and `peer`; undefined for a key that no pair can have. */
  pairKeys(peer: PublicKey): PairKeys | undefined

  /** The 32-byte seed of the node's libp2p identity, an Ed25519 key. Secret. */
  identitySeed(): Uint8Array

  /** The node's key as a member relay. */
  readonly relay: RelayKeys
}

/** The keys of a node from its WireGuard private key of 32 bytes, which is copied. Throws a RangeError on any other length. */
export function nodeKeys(privateKey: Uint8Array): NodeKeys {
  return new StaticKeys(privateKey)
}

/** {@link NodeKeys.identitySeed} of a private key. Clamped first: one key in its two spellings gives one identity. */
export function identitySeed(privateKey: Uint8Array): Uint8Array {
  const secret = clampX25519(privateKey)
  return new Uint8Array(hkdfSync('sha256', secret, NO_SALT, IDENTITY_LABEL, SEED_LENGTH))
}

const IDENTITY_LABEL = fromString('tunnelbore libp2p identity v1\0')
const NO_SALT = new Uint8Array(0)
const SEED_LENGTH = 32

/** Secrets are private fields, so that neither logging nor JSON shows them. */
class StaticKeys implements NodeKeys {
  readonly publicKey: PublicKey
  readonly #static: X25519KeyPair
  readonly #mac1Key: Uint8Array
  readonly #signing: XeddsaKeyPair
  readonly #identitySeed: Uint8Array
  readonly #makeRelay: () => RelayKeys
  #relay: RelayKeys | undefined

  constructor(privateKey: Uint8Array) {
    const secret = Uint8Array.from(privateKey)
    this.#makeRelay = () => relayKeys(secret)
    this.#static = x25519KeyPair(privateKey)
    this.#mac1Key = mac1Key(this.#static.publicKey)
    this.#signing = xeddsaKeyPair(privateKey)
    this.#identitySeed = identitySeed(privateKey)
    this.publicKey = publicKeyFromBytes(this.#static.publicKey)
  }

  mac1IsForUs(message: Uint8Array): boolean {
    return mac1Matches(this.#mac1Key, message)
  }

  openInitiation(message: Uint8Array): OpenedInitiation | Dropped {
    return openInitiation(this.#static, message)
  }

  sign(message: Uint8Array, random: Random): Uint8Array {
    return xeddsaSign(this.#signing, message, random.bytes(XEDDSA_RANDOM_LENGTH))
  }

  signBlinded(parameter: Uint8Array, message: Uint8Array, random: Random): Uint8Array {
    return xeddsaSign(blindKeyPair(this.#signing, parameter), message, random.bytes(XEDDSA_RANDOM_LENGTH))
  }

  pairKeys(peer: PublicKey): PairKeys | undefined {
    return derivePairKeys(this.#static, publicKeyBytes(peer))
  }

  identitySeed(): Uint8Array {
    return this.#identitySeed.slice()
  }

  get relay(): RelayKeys {
    this.#relay ??= this.#makeRelay()
    return this.#relay
  }
}
