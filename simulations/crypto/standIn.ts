/**
 * A stand-in for all cryptography of a simulated world, counted: the keyed hash of mixing.ts in place of HMAC, AEAD,
 * signatures and key agreement, under keys that secrets.ts derives. A host gets at these through its own private key
 * only, as it does in reality, so it can neither forge nor read what is not its own.
 *
 * Of the real arithmetic some is kept: each host's public key and its libp2p identity, by which hosts are known
 * and compared; `mac1`, which the engine computes by itself as well; and everything about member relays, which is rare.
 * Layouts, lengths, the randomness read and the bits that are covered are
 * the real ones, so a run takes the same course; only the bytes differ.
 */

import { compare, concat, toString as toText } from 'uint8arrays'
import type { Dropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import { BLINDING_PARAMETER_LENGTH } from '../../src/crypto/blinding.js'
import type { HmacSha256 } from '../../src/crypto/hmacSha256.js'
import type { OpenedInitiation } from '../../src/crypto/initiation.js'
import { mac1Matches } from '../../src/crypto/mac1.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import {
  type CheckCredentials,
  changingName,
  checkCredentials,
  directed,
  type KnockCredentials,
  type PairKeys,
  pairRelaying,
} from '../../src/crypto/pair.js'
import type { RelayKeys } from '../../src/crypto/relayKeys.js'
import { type RecordSealing, sealingWith, verifySealedWith } from '../../src/crypto/sealedRecord.js'
import { openVerified } from '../../src/crypto/signedRecord.js'
import { XEDDSA_RANDOM_LENGTH } from '../../src/crypto/xeddsa.js'
import type { PeerRecord } from '../../src/wire/record.js'
import type { SealedRecord } from '../../src/wire/sealedRecord.js'
import type { Cryptography, WireGuardKeys } from './cryptography.js'
import { mix } from './mixing.js'
import { Owner } from './owner.js'
import { standInPrimitives } from './sealing.js'
import {
  blindedKeyOf,
  blindedSignatureOf,
  isBlindedSignatureOf,
  isSignatureOf,
  PURPOSE,
  seal,
  signatureOf,
  unseal,
} from './secrets.js'

/** How often each primitive was asked for. */
export interface PrimitiveCounts {
  /** Of records, of their sealings, and whatever else is signed. */
  signatures: number
  verifications: number
  initiationsMade: number
  initiationsOpened: number
  pairKeys: number
  /** Of checks, and of names of checks and knocks where they were not known yet. */
  hmacs: number
  /** Of knocks that were sealed, and of sealed ones that were opened. */
  knocks: number
  /** Of packets in WireGuard's sessions. */
  tags: number
  /** Of first messages that were made, and of messages that a node tested; not what others compute for themselves. */
  mac1s: number
}

export class StandIn implements Cryptography {
  readonly counts: PrimitiveCounts = {
    signatures: 0,
    verifications: 0,
    initiationsMade: 0,
    initiationsOpened: 0,
    pairKeys: 0,
    hmacs: 0,
    knocks: 0,
    tags: 0,
    mac1s: 0,
  }
  /** By private key, in base64: a host that starts again still has its key. */
  readonly #owners = new Map<string, Owner>()
  readonly #owned = new Set<PublicKey>()

  nodeKeys(privateKey: Uint8Array): NodeKeys {
    return new StandInNodeKeys(this.#owner(privateKey), this.counts)
  }

  wireguardKeys(privateKey: Uint8Array): WireGuardKeys {
    return new StandInWireGuardKeys(this.#owner(privateKey), this.counts)
  }

  /** Bound to this object, for it is passed on alone. */
  readonly openRecord = (signedRecord: Uint8Array): PeerRecord | Dropped =>
    openVerified(signedRecord, (publicKey, message, signature) => {
      this.counts.verifications += 1
      return isSignatureOf(publicKey, message, signature)
    })

  recordSealing(keys: NodeKeys, network: string): RecordSealing {
    return sealingWith(keys, standInPrimitives(network, this.#owned, this.#verifyBlinded))
  }

  /** Bound to this object, for it is passed on alone. */
  readonly verifySealedRecord = (bytes: Uint8Array): SealedRecord | Dropped =>
    verifySealedWith(bytes, this.#verifyBlinded)

  readonly #verifyBlinded = (blindedKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
    this.counts.verifications += 1
    return isBlindedSignatureOf(blindedKey, message, signature)
  }

  #owner(privateKey: Uint8Array): Owner {
    const name = toText(privateKey, 'base64')
    let owner = this.#owners.get(name)
    if (owner === undefined) {
      owner = new Owner(privateKey, this.#owned)
      this.#owners.set(name, owner)
      this.#owned.add(owner.publicKey)
    }
    return owner
  }
}

class StandInNodeKeys implements NodeKeys {
  readonly publicKey: PublicKey
  readonly #owner: Owner
  readonly #counts: PrimitiveCounts

  constructor(owner: Owner, counts: PrimitiveCounts) {
    this.publicKey = owner.publicKey
    this.#owner = owner
    this.#counts = counts
  }

  mac1IsForUs(message: Uint8Array): boolean {
    this.#counts.mac1s += 1
    return mac1Matches(this.#owner.mac1Key, message)
  }

  openInitiation(message: Uint8Array): OpenedInitiation | Dropped {
    this.#counts.initiationsOpened += 1
    return this.#owner.openInitiation(message)
  }

  sign(message: Uint8Array, random: Random): Uint8Array {
    this.#counts.signatures += 1
    return signatureOf(this.publicKey, message, random.bytes(XEDDSA_RANDOM_LENGTH))
  }

  signBlinded(parameter: Uint8Array, message: Uint8Array, random: Random): Uint8Array {
    if (parameter.length !== BLINDING_PARAMETER_LENGTH)
      throw new RangeError(`a blinding parameter has 32 bytes, not ${parameter.length}`)
    this.#counts.signatures += 1
    const blinded = blindedKeyOf(this.#owner.bytes, parameter)
    return blindedSignatureOf(blinded, message, random.bytes(XEDDSA_RANDOM_LENGTH))
  }

  pairKeys(peer: PublicKey): PairKeys | undefined {
    this.#counts.pairKeys += 1
    const order = compare(this.#owner.bytes, publicKeyBytes(peer))
    const secret = this.#owner.peer(peer)?.secret
    if (order === 0 || secret === undefined) return undefined
    const checks = directed(
      order < 0,
      this.#checks(secret, PURPOSE.upwardCheck, PURPOSE.upwardName),
      this.#checks(secret, PURPOSE.downwardCheck, PURPOSE.downwardName),
    )
    const knocks = directed(
      order < 0,
      this.#knocks(secret, PURPOSE.upwardKnock, PURPOSE.upwardKnockName),
      this.#knocks(secret, PURPOSE.downwardKnock, PURPOSE.downwardKnockName),
    )
    const ownIsLower = order < 0
    const [lower, higher] = ownIsLower
      ? [this.#owner.bytes, publicKeyBytes(peer)]
      : [publicKeyBytes(peer), this.#owner.bytes]
    return { ...checks, knocks, ...pairRelaying({ shared: secret, lower, higher, ownIsLower }) }
  }

  identitySeed(): Uint8Array {
    return this.#owner.identitySeed()
  }

  get relay(): RelayKeys {
    return this.#owner.relay()
  }

  #checks(secret: Uint8Array, check: number, name: number): CheckCredentials {
    return checkCredentials(this.#hmac(secret, check), this.#hmac(secret, name))
  }

  #knocks(secret: Uint8Array, knock: number, name: number): KnockCredentials {
    const counts = this.#counts
    const keyOf = (nonce: Uint8Array) => mix(secret, knock, nonce, 32)
    return {
      nameAt: changingName(this.#hmac(secret, name)),
      seal(nonce, plaintext, associated) {
        counts.knocks += 1
        return seal(keyOf(nonce), plaintext, associated)
      },
      open(nonce, sealed, associated) {
        counts.knocks += 1
        return unseal(keyOf(nonce), sealed, associated)
      },
    }
  }

  #hmac(secret: Uint8Array, purpose: number): HmacSha256 {
    const counts = this.#counts
    return (data) => {
      counts.hmacs += 1
      return mix(secret, purpose, data, 32)
    }
  }
}

/** As in reality, what is authenticated to the owner of a key of small order comes from anybody. */
const NO_SECRET = new Uint8Array(32)

class StandInWireGuardKeys implements WireGuardKeys {
  readonly #owner: Owner
  readonly #counts: PrimitiveCounts

  constructor(owner: Owner, counts: PrimitiveCounts) {
    this.#owner = owner
    this.#counts = counts
  }

  createInitiation(
    responder: PublicKey,
    senderIndex: number,
    timestamp: Uint8Array,
    random: Random,
  ): Uint8Array {
    this.#counts.initiationsMade += 1
    this.#counts.mac1s += 1
    return this.#owner.createInitiation(responder, senderIndex, timestamp, random)
  }

  openInitiation(message: Uint8Array): OpenedInitiation | Dropped {
    this.#counts.initiationsOpened += 1
    return this.#owner.openInitiation(message)
  }

  sessionSecret(peer: PublicKey, firstMessage: Uint8Array, ephemeral: Uint8Array): Uint8Array {
    const secret = this.#owner.peer(peer)?.secret ?? NO_SECRET
    return mix(secret, PURPOSE.session, concat([firstMessage, ephemeral]), 32)
  }

  tag(secret: Uint8Array, byInitiator: boolean, counter: number, packet: Uint8Array): Uint8Array {
    this.#counts.tags += 1
    const purpose = byInitiator ? PURPOSE.initiatorTag : PURPOSE.responderTag
    return mix(secret, purpose, packet, 16, counter >>> 0, Math.floor(counter / 2 ** 32))
  }
}
