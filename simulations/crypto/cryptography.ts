/**
 * The cryptography of a simulated host, as an argument: the real one, or a counted stand-in that does without the
 * arithmetic (standIn.ts). Both read the same randomness in the same places and make messages of the same lengths, so
 * that a run takes the same course with either.
 */

import { createHash } from 'node:crypto'
import type { Dropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import { createInitiation, type OpenedInitiation, openInitiation } from '../../src/crypto/initiation.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import { type RecordSealing, recordSealing, verifySealedRecord } from '../../src/crypto/sealedRecord.js'
import { openSignedRecord } from '../../src/crypto/signedRecord.js'
import { type X25519KeyPair, x25519, x25519KeyPair } from '../../src/crypto/x25519.js'
import { writeUint32 } from '../../src/wire/integers.js'
import type { PeerRecord } from '../../src/wire/record.js'
import type { SealedRecord } from '../../src/wire/sealedRecord.js'

export const TAG_LENGTH = 16

/** What a simulated WireGuard does with its private key. */
export interface WireGuardKeys {
  /** A first message for `responder`; reads 32 random bytes. */
  createInitiation(
    responder: PublicKey,
    senderIndex: number,
    timestamp: Uint8Array,
    random: Random,
  ): Uint8Array
  openInitiation(message: Uint8Array): OpenedInitiation | Dropped
  /** What the two ends of a handshake know and nobody else: 32 bytes. */
  sessionSecret(peer: PublicKey, firstMessage: Uint8Array, ephemeral: Uint8Array): Uint8Array
  /**
   * Authenticates a packet of a session, in place of the encryption: {@link TAG_LENGTH} bytes. `counter` is a safe
   * integer: no session gets beyond.
   */
  tag(secret: Uint8Array, byInitiator: boolean, counter: number, packet: Uint8Array): Uint8Array
}

export interface Cryptography {
  nodeKeys(privateKey: Uint8Array): NodeKeys
  wireguardKeys(privateKey: Uint8Array): WireGuardKeys
  openRecord(signedRecord: Uint8Array): PeerRecord | Dropped
  /** `keys` are from {@link nodeKeys}. */
  recordSealing(keys: NodeKeys, network: string): RecordSealing
  /** What a storer does, which knows nobody. */
  verifySealedRecord(bytes: Uint8Array): SealedRecord | Dropped
}

/** What src/crypto does. */
export const realCryptography: Cryptography = {
  nodeKeys,
  wireguardKeys: (privateKey) => new RealWireGuardKeys(privateKey),
  openRecord: openSignedRecord,
  recordSealing,
  verifySealedRecord,
}

/** With a key of small order nobody shares a secret; what is authenticated under this one comes from anybody. */
const NO_SECRET = new Uint8Array(32)

/** First messages are WireGuard's own. What follows them is authenticated with SHA-256, and in the clear. */
class RealWireGuardKeys implements WireGuardKeys {
  readonly #own: X25519KeyPair
  /** X25519 of our key and a peer's. */
  readonly #shared = new Map<PublicKey, Uint8Array>()

  constructor(privateKey: Uint8Array) {
    this.#own = x25519KeyPair(privateKey)
  }

  createInitiation(
    responder: PublicKey,
    senderIndex: number,
    timestamp: Uint8Array,
    random: Random,
  ): Uint8Array {
    return createInitiation({ initiator: this.#own, responder, senderIndex, timestamp }, random)
  }

  openInitiation(message: Uint8Array): OpenedInitiation | Dropped {
    return openInitiation(this.#own, message)
  }

  sessionSecret(peer: PublicKey, firstMessage: Uint8Array, ephemeral: Uint8Array): Uint8Array {
    const hash = createHash('sha256').update(this.#sharedWith(peer)).update(firstMessage).update(ephemeral)
    return new Uint8Array(hash.digest())
  }

  tag(secret: Uint8Array, byInitiator: boolean, counter: number, packet: Uint8Array): Uint8Array {
    const head = secret.length
    const covered = new Uint8Array(head + 9 + packet.length)
    covered.set(secret)
    covered[head] = byInitiator ? 1 : 0
    writeUint32(covered, head + 1, Math.floor(counter / 2 ** 32))
    writeUint32(covered, head + 5, counter >>> 0)
    covered.set(packet, head + 9)
    return new Uint8Array(createHash('sha256').update(covered).digest().subarray(0, TAG_LENGTH))
  }

  #sharedWith(peer: PublicKey): Uint8Array {
    let shared = this.#shared.get(peer)
    if (shared === undefined) {
      shared = x25519(this.#own.privateKey, publicKeyBytes(peer)) ?? NO_SECRET
      this.#shared.set(peer, shared)
    }
    return shared
  }
}
