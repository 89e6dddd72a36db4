/**
 * The owner of a private key in the stand-in: what it makes and reads with its key, and what it shares with each peer,
 * worked out once. A first message is made and read as src/crypto/initiation.ts does it, step by step, but sealed with
 * secrets.ts; the sender's index and mac2 are covered by neither.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { concat, fromString, toString as toText } from 'uint8arrays'
import { type Dropped, drop, isDropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import type { OpenedInitiation } from '../../src/crypto/initiation.js'
import { computeMac1, mac1Key } from '../../src/crypto/mac1.js'
import { identitySeed } from '../../src/crypto/nodeKeys.js'
import { type RelayKeys, relayKeys } from '../../src/crypto/relayKeys.js'
import { X25519_KEY_LENGTH, x25519 } from '../../src/crypto/x25519.js'
import { decodeInitiation, encodeInitiation, MAC_LENGTH, mac1Of } from '../../src/wire/wireguard.js'
import { firstMessageSecret, seal, sharedSecret, unseal } from './secrets.js'

interface Peer {
  readonly bytes: Uint8Array
  /** What only the two can tell. */
  readonly secret: Uint8Array
  readonly mac1Key: Uint8Array
}

export class Owner {
  readonly publicKey: PublicKey
  /** Of the public key. */
  readonly bytes: Uint8Array
  readonly mac1Key: Uint8Array
  readonly #privateBytes: Uint8Array
  readonly #privateKey: KeyObject
  readonly #owned: ReadonlySet<PublicKey>
  readonly #peers = new Map<PublicKey, Peer | undefined>()
  #relay: RelayKeys | undefined

  /** `owned` are public keys that are known to be somebody's. Throws a RangeError where the private key has not 32 bytes. */
  constructor(privateKey: Uint8Array, owned: ReadonlySet<PublicKey>) {
    if (privateKey.length !== X25519_KEY_LENGTH)
      throw new RangeError(`an X25519 private key has 32 bytes, not ${privateKey.length}`)
    this.#privateBytes = privateKey.slice()
    // Node reads `d` alone and computes the public key itself. To import DER takes ten times as long.
    this.#privateKey = createPrivateKey({
      key: { kty: 'OKP', crv: 'X25519', d: toText(privateKey, 'base64url'), x: '' },
      format: 'jwk',
    })
    const { x } = createPublicKey(this.#privateKey).export({ format: 'jwk' })
    this.bytes = fromString(x ?? '', 'base64url')
    this.publicKey = publicKeyFromBytes(this.bytes)
    this.mac1Key = mac1Key(this.bytes)
    this.#owned = owned
  }

  identitySeed(): Uint8Array {
    return identitySeed(this.#privateBytes)
  }

  relay(): RelayKeys {
    this.#relay ??= relayKeys(this.#privateBytes)
    return this.#relay
  }

  /** Undefined for a public key of small order, which nobody can own. */
  peer(publicKey: PublicKey): Peer | undefined {
    if (this.#peers.has(publicKey)) return this.#peers.get(publicKey)
    const bytes = publicKeyBytes(publicKey)
    const canBeOwned = this.#owned.has(publicKey) || x25519(this.#privateKey, bytes) !== undefined
    const peer = canBeOwned
      ? { bytes, secret: sharedSecret(this.bytes, bytes), mac1Key: mac1Key(bytes) }
      : undefined
    this.#peers.set(publicKey, peer)
    return peer
  }

  createInitiation(
    responder: PublicKey,
    senderIndex: number,
    timestamp: Uint8Array,
    random: Random,
  ): Uint8Array {
    const ephemeral = random.bytes(X25519_KEY_LENGTH)
    const peer = this.peer(responder)
    if (peer === undefined)
      throw new RangeError(`${responder} is a key of small order: nobody can be its owner`)
    const encryptedStatic = seal(firstMessageSecret(peer.bytes, ephemeral), this.bytes, ephemeral)
    const message = encodeInitiation({
      senderIndex,
      ephemeral,
      encryptedStatic,
      encryptedTimestamp: seal(peer.secret, timestamp, concat([peer.bytes, ephemeral, encryptedStatic])),
      mac1: new Uint8Array(MAC_LENGTH),
      mac2: new Uint8Array(MAC_LENGTH),
    })
    mac1Of(message).set(computeMac1(peer.mac1Key, message))
    return message
  }

  openInitiation(message: Uint8Array): OpenedInitiation | Dropped {
    const fields = decodeInitiation(message)
    if (isDropped(fields)) return fields
    const { ephemeral, encryptedStatic, encryptedTimestamp } = fields
    const initiator = unseal(firstMessageSecret(this.bytes, ephemeral), encryptedStatic, ephemeral)
    if (initiator === undefined) return drop('wireguard-unreadable')
    const publicKey = publicKeyFromBytes(initiator)
    const peer = this.peer(publicKey)
    if (peer === undefined) return drop('wireguard-unreadable')
    const associated = concat([this.bytes, ephemeral, encryptedStatic])
    const timestamp = unseal(peer.secret, encryptedTimestamp, associated)
    return timestamp === undefined ? drop('wireguard-unreadable') : { peer: publicKey, timestamp }
  }
}
