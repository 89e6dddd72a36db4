import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import type { Random } from '../../src/base/random.js'
import { asUnixTime } from '../../src/base/time.js'
import { hmacSha256 } from '../../src/crypto/hmacSha256.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import type { PairKeys } from '../../src/crypto/pair.js'
import {
  grantMac,
  membershipKey,
  openGrant,
  SEALED_GRANT_LENGTH,
  sealGrant,
} from '../../src/crypto/relayGrant.js'
import { sealToRelay } from '../../src/crypto/relayKeys.js'
import { encodeGrantRequest, type GrantRequest, type GrantTerms } from '../../src/wire/relayGrant.js'
import { privateKeys, randoms } from './arbitraries.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { hex, readVectors, toHex } from './vectors.js'

type Bytes =
  | 'relay_private_key'
  | 'asker_private_key'
  | 'peer_private_key'
  | 'ephemeral_private_key'
  | 'relay_public_key'
  | 'nonce'
  | 'key'
  | 'asker_name'
  | 'peer_name'
  | 'membership_key'
  | `${'network' | 'peer'}_${'mac' | 'content' | 'sealed'}`

interface RelayVectors extends Readonly<Record<Bytes, string>> {
  readonly issued_at: number
  readonly network_key: string
}

const vector = readVectors<RelayVectors>('relay.json')

const RELAY = nodeKeys(bytesOf('relay_private_key'))
const ASKER = nodeKeys(bytesOf('asker_private_key'))
const PEER = nodeKeys(bytesOf('peer_private_key'))

test('keys, names and proofs are those that a second implementation computed', () => {
  const session = pair(ASKER, PEER).relaySession(bytesOf('nonce'))
  assert.equal(toHex(session.key), vector.key)
  assert.equal(toHex(session.ownName), vector.asker_name)
  assert.equal(toHex(session.peerName), vector.peer_name)
  assert.equal(toHex(RELAY.relay.publicKey), vector.relay_public_key)
  const membership = membershipKey(fromString(vector.network_key))
  assert.equal(toHex(membership), vector.membership_key)
  assert.equal(toHex(grantMac(hmacSha256(membership), RELAY.relay.publicKey, terms())), vector.network_mac)
  const { relayProof } = pair(ASKER, RELAY)
  assert.equal(toHex(grantMac(relayProof, RELAY.relay.publicKey, terms())), vector.peer_mac)
})

test('requests have the bytes that a second implementation made of them, and open again', () => {
  const requests: readonly (readonly ['network' | 'peer', GrantRequest])[] = [
    ['network', { ...terms(), proof: { type: 'network', mac: bytesOf('network_mac') } }],
    ['peer', { ...terms(), proof: { type: 'peer', publicKey: ASKER.publicKey, mac: bytesOf('peer_mac') } }],
  ]
  for (const [name, request] of requests) {
    assert.equal(toHex(encodeGrantRequest(request)), vector[`${name}_content`])
    const random: Random = { bytes: () => bytesOf('ephemeral_private_key') }
    const sealed = sealGrant(RELAY.relay.publicKey, request, random)
    assert.equal(sealed && toHex(sealed), vector[`${name}_sealed`])
    assert.deepEqual(openGrant(RELAY.relay, bytesOf(`${name}_sealed`)), request)
  }
})

test('both sides of a pair have the same session for a nonce, with the names swapped, and another for each other nonce', () => {
  const nonces = fc.uint8Array({ minLength: 16, maxLength: 16 })
  fc.assert(
    fc.property(privateKeys(), privateKeys(), nonces, nonces, (a, b, nonce, other) => {
      const [alice, bob] = [nodeKeys(a), nodeKeys(b)]
      fc.pre(alice.publicKey !== bob.publicKey && toHex(nonce) !== toHex(other))
      const atAlice = pair(alice, bob).relaySession(nonce)
      const atBob = pair(bob, alice).relaySession(nonce)
      assert.deepEqual(atAlice.key, atBob.key)
      assert.deepEqual([atAlice.ownName, atAlice.peerName], [atBob.peerName, atBob.ownName])
      assert.deepEqual(atAlice.hmac(nonce), hmacSha256(atBob.key)(nonce))
      assert.notDeepEqual(atAlice.ownName, atAlice.peerName)
      assert.notDeepEqual(pair(alice, bob).relaySession(other).key, atAlice.key)
      assert.deepEqual(pair(alice, bob).relayProof(nonce), pair(bob, alice).relayProof(nonce))
    }),
    { numRuns: 20 },
  )
})

test('a nonce of another length is refused', () => {
  assert.throws(() => pair(ASKER, PEER).relaySession(new Uint8Array(15)), RangeError)
})

test('what is sealed to a relay opens there alone, and not once a bit of it has changed', () => {
  fc.assert(
    fc.property(randoms(), fc.nat({ max: 8 * SEALED_GRANT_LENGTH - 1 }), (random, bit) => {
      const sealed = sealGrant(RELAY.relay.publicKey, request(), random)
      assert.ok(sealed)
      assert.equal(sealed.length, SEALED_GRANT_LENGTH)
      assert.deepEqual(openGrant(RELAY.relay, sealed), request())
      assert.deepEqual(openGrant(PEER.relay, sealed), { dropped: 'relay-grant-unreadable' })
      const at = bit >> 3
      // X25519 masks the most significant bit of a public key (RFC 7748 section 5); the key derivation does not.
      sealed[at] = (sealed[at] ?? 0) ^ (1 << (bit & 7))
      assert.deepEqual(openGrant(RELAY.relay, sealed), { dropped: 'relay-grant-unreadable' })
    }),
    { numRuns: 50 },
  )
})

test('nothing is sealed to a key of small order, and nothing of one is opened', () => {
  for (const key of SMALL_ORDER_KEYS) {
    assert.equal(sealGrant(key, request(), { bytes: (length) => new Uint8Array(length).fill(9) }), undefined)
    const sealed = new Uint8Array(SEALED_GRANT_LENGTH)
    sealed.set(key)
    assert.deepEqual(openGrant(RELAY.relay, sealed), { dropped: 'relay-grant-unreadable' })
  }
})

test('no bytes make opening throw', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), sealedRubbish()), (any) => {
      const opened = openGrant(RELAY.relay, any)
      assert.ok(isDropped(opened))
    }),
    { numRuns: 50 },
  )
})

test('a proof holds for its relay, its time, its key and its names alone', () => {
  const hmac = hmacSha256(new Uint8Array(32).fill(7))
  const mac = (relay: NodeKeys, over: GrantTerms) => toHex(grantMac(hmac, relay.relay.publicKey, over))
  const [own, peer] = terms().names
  const all = [
    mac(RELAY, terms()),
    mac(PEER, terms()),
    mac(RELAY, { ...terms(), issuedAt: asUnixTime(terms().issuedAt + 1) }),
    mac(RELAY, { ...terms(), key: new Uint8Array(32) }),
    mac(RELAY, { ...terms(), names: [peer, own] }),
  ]
  assert.equal(new Set(all).size, all.length)
})

test("a relay's key is neither the node's nor its pairs', and both spellings of a private key give the same", () => {
  assert.notEqual(toHex(RELAY.relay.publicKey), toHex(fromString(RELAY.publicKey, 'base64pad')))
  const clamped = Uint8Array.from(bytesOf('relay_private_key'))
  clamped[0] = (clamped[0] ?? 0) & 0xf8
  clamped[31] = ((clamped[31] ?? 0) & 0x7f) | 0x40
  assert.deepEqual(nodeKeys(clamped).relay.publicKey, RELAY.relay.publicKey)
})

/** What opens, and says nothing. */
function sealedRubbish(): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.uint8Array({ minLength: 192, maxLength: 192 }), randoms())
    .map(([content, random]) => sealToRelay(RELAY.relay.publicKey, content, random) ?? content)
}

function terms(): GrantTerms {
  return {
    issuedAt: asUnixTime(vector.issued_at),
    key: bytesOf('key'),
    names: [bytesOf('asker_name'), bytesOf('peer_name')],
  }
}

function request(): GrantRequest {
  return { ...terms(), proof: { type: 'network', mac: bytesOf('network_mac') } }
}

function bytesOf(name: Bytes): Uint8Array {
  return hex(vector[name])
}

function pair(own: NodeKeys, peer: NodeKeys): PairKeys {
  const keys = own.pairKeys(peer.publicKey)
  assert.ok(keys)
  return keys
}
