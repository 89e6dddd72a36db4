import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { drop, isDropped } from '../../src/base/drops.js'
import { publicKeyFromBytes } from '../../src/base/publicKey.js'
import { seededRandom } from '../../src/base/random.js'
import { after, asUnixTime } from '../../src/base/time.js'
import { aeadSeal } from '../../src/crypto/aead.js'
import { blake2sHash, kdf1, kdf2 } from '../../src/crypto/blake2s.js'
import { createInitiation, openInitiation } from '../../src/crypto/initiation.js'
import { mac1Key, mac1Matches } from '../../src/crypto/mac1.js'
import { compareTai64n, tai64n } from '../../src/crypto/tai64n.js'
import { type X25519KeyPair, x25519, x25519KeyPair } from '../../src/crypto/x25519.js'
import { encodeInitiation, mac1Covered, receiverIndex, senderIndex } from '../../src/wire/wireguard.js'
import { privateKeys, randoms } from './arbitraries.js'
import { CAPTURED_INITIATIONS, CAPTURED_RESPONSE } from './capturedInitiations.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { flipBit } from './vectors.js'

const ALICE = x25519KeyPair(new Uint8Array(32).fill(1))
const BOB = x25519KeyPair(new Uint8Array(32).fill(2))
const TIMESTAMP = tai64n(asUnixTime(1_800_000_000_000))
const ZERO_SECRET = new Uint8Array(32)

test("wireguard-go's first messages tell who sent them, and when", () => {
  for (const { message, responder, peer, timestamp, capturedAt } of CAPTURED_INITIATIONS) {
    const opened = openInitiation(responder, message)
    assert.deepEqual(opened, { peer, timestamp })
    // wireguard-go rounds down to 2^24 ns, and the message took a moment.
    assert.ok(compareTai64n(timestamp, tai64n(capturedAt)) <= 0)
    assert.ok(compareTai64n(timestamp, tai64n(after(capturedAt, -100))) > 0)
  }
})

test('a first message of ours was answered by wireguard-go', () => {
  const { initiation, response, initiator, responder } = CAPTURED_RESPONSE
  const opened = openInitiation(responder, initiation)
  assert.ok(!isDropped(opened))
  assert.equal(opened.peer, publicKeyFromBytes(initiator.publicKey))
  assert.equal(receiverIndex(response), senderIndex(initiation))
})

test('a first message that is for another key does not open', () => {
  const stranger = x25519KeyPair(new Uint8Array(32).fill(9))
  for (const { message } of CAPTURED_INITIATIONS)
    assert.equal(openInitiation(stranger, message), drop('wireguard-unreadable'))
})

test('no bit of what is authenticated can be flipped', () => {
  const [captured] = CAPTURED_INITIATIONS
  assert.ok(captured)
  const opened = openInitiation(captured.responder, captured.message)
  for (let bit = 8 * 8; bit < 8 * 116; bit += 5) {
    const result = openInitiation(captured.responder, flipBit(captured.message, bit))
    assert.equal(result, drop('wireguard-unreadable'), `bit ${bit}`)
  }
  // The sender index is covered by mac1 alone.
  assert.deepEqual(openInitiation(captured.responder, flipBit(captured.message, 8 * 4)), opened)
})

test('what is no first message is dropped', () => {
  const { responder, response } = CAPTURED_RESPONSE
  for (const bytes of [response, new Uint8Array(0), new Uint8Array(148), new Uint8Array(149).fill(1)])
    assert.equal(openInitiation(responder, bytes), drop('wireguard-malformed'))
})

test('the handshake spelt out step by step gives the message that is written', () => {
  const ephemeral = x25519KeyPair(seededRandom(1).bytes(32))
  const literal = spellOut({
    ephemeral: ephemeral.publicKey,
    initiator: ALICE.publicKey,
    responder: BOB.publicKey,
    es: agreed(ephemeral, BOB),
    ss: agreed(ALICE, BOB),
  })
  const parts = { initiator: ALICE, responder: publicKeyFromBytes(BOB.publicKey), senderIndex: 1 }
  const written = createInitiation({ ...parts, timestamp: TIMESTAMP }, seededRandom(1))
  assert.deepEqual(mac1Covered(written), mac1Covered(literal))
  assert.deepEqual(openInitiation(BOB, literal), {
    peer: publicKeyFromBytes(ALICE.publicKey),
    timestamp: TIMESTAMP,
  })
})

test('a first message sealed with the zero that an ephemeral key of small order gives is dropped', () => {
  for (const ephemeral of SMALL_ORDER_KEYS) {
    const keys = { ephemeral, initiator: ALICE.publicKey, responder: BOB.publicKey }
    const message = spellOut({ ...keys, es: ZERO_SECRET, ss: agreed(ALICE, BOB) })
    assert.equal(openInitiation(BOB, message), drop('wireguard-unreadable'))
  }
})

test('a first message sealed with the zero that a static key of small order gives is dropped', () => {
  for (const initiator of SMALL_ORDER_KEYS) {
    const keys = { ephemeral: ALICE.publicKey, initiator, responder: BOB.publicKey }
    const message = spellOut({ ...keys, es: agreed(ALICE, BOB), ss: ZERO_SECRET })
    assert.equal(openInitiation(BOB, message), drop('wireguard-unreadable'))
  }
})

test('no first message is written to a key of small order', () => {
  for (const key of SMALL_ORDER_KEYS) {
    const parts = {
      initiator: ALICE,
      responder: publicKeyFromBytes(key),
      senderIndex: 1,
      timestamp: TIMESTAMP,
    }
    assert.throws(() => createInitiation(parts, seededRandom(1)), RangeError)
  }
})

test('a first message written by one opens for the other', () => {
  const moments = fc.nat({ max: 4_000_000_000_000 }).map((ms) => tai64n(asUnixTime(ms)))
  const indices = fc.nat({ max: 0xffff_ffff })
  fc.assert(
    fc.property(
      privateKeys(),
      privateKeys(),
      indices,
      moments,
      randoms(),
      (a, b, index, timestamp, random) => {
        const initiator = x25519KeyPair(a)
        const responder = x25519KeyPair(b)
        const to = publicKeyFromBytes(responder.publicKey)
        const message = createInitiation({ initiator, responder: to, senderIndex: index, timestamp }, random)
        assert.equal(senderIndex(message), index)
        assert.ok(mac1Matches(mac1Key(responder.publicKey), message))
        const opened = openInitiation(responder, message)
        assert.deepEqual(opened, { peer: publicKeyFromBytes(initiator.publicKey), timestamp })
      },
    ),
  )
})

interface Handshake {
  readonly ephemeral: Uint8Array
  readonly initiator: Uint8Array
  readonly responder: Uint8Array
  readonly es: Uint8Array
  readonly ss: Uint8Array
}

/** A first message with sender index 1 at {@link TIMESTAMP}, line by line as in the whitepaper, from whatever secrets are given. */
function spellOut({ ephemeral, initiator, responder, es, ss }: Handshake): Uint8Array {
  const nonce = new Uint8Array(12)
  const c0 = blake2sHash(fromString('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'))
  const h0 = blake2sHash(c0, fromString('WireGuard v1 zx2c4 Jason@zx2c4.com'))
  const h1 = blake2sHash(h0, responder)
  const c1 = kdf1(c0, ephemeral)
  const h2 = blake2sHash(h1, ephemeral)
  const [c2, k1] = kdf2(c1, es)
  const encryptedStatic = aeadSeal(k1, nonce, initiator, h2)
  const h3 = blake2sHash(h2, encryptedStatic)
  const [, k2] = kdf2(c2, ss)
  const encryptedTimestamp = aeadSeal(k2, nonce, TIMESTAMP, h3)
  const mac = new Uint8Array(16)
  return encodeInitiation({
    senderIndex: 1,
    ephemeral,
    encryptedStatic,
    encryptedTimestamp,
    mac1: mac,
    mac2: mac,
  })
}

function agreed(own: X25519KeyPair, peer: X25519KeyPair): Uint8Array {
  const shared = x25519(own.privateKey, peer.publicKey)
  assert.ok(shared)
  return shared
}
