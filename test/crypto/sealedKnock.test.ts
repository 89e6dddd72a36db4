import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drop } from '../../src/base/drops.js'
import { publicKeyBytes } from '../../src/base/publicKey.js'
import { seededRandom } from '../../src/base/random.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import type { PairKeys } from '../../src/crypto/pair.js'
import { openKnock, sealKnock } from '../../src/crypto/sealedKnock.js'
import { SEALED_KNOCK_LENGTH, sealedKnockName } from '../../src/wire/sealedKnock.js'
import { hex, readVectors, toHex } from './vectors.js'

interface KnockVectors {
  readonly private_key: string
  readonly peer_private_key: string
  readonly sequence: number
  readonly sealed_knock: {
    readonly epoch: number
    readonly name: string
    readonly knock: string
    readonly sealed: string
  }
}

const vector = readVectors<KnockVectors>('sealed.json')
const { epoch } = vector.sealed_knock
const ALICE = nodeKeys(hex(vector.private_key))
const BOB = nodeKeys(hex(vector.peer_private_key))
const KNOCK = { kind: 'knock', sequence: vector.sequence, knock: hex(vector.sealed_knock.knock) } as const

test('a sealed knock is the one written down, as a second implementation made it', () => {
  const sealed = hex(vector.sealed_knock.sealed)
  assert.equal(toHex(sealedKnockName(sealed) ?? new Uint8Array(0)), vector.sealed_knock.name)
  const { incoming } = pair(BOB, ALICE).knocks
  assert.equal(toHex(incoming.nameAt(epoch)), vector.sealed_knock.name)
  assert.deepEqual(openKnock(incoming, sealed), { ...KNOCK, kind: 'answer' })
})

test('knocks have names and keys of their own, not those of the checks', () => {
  const { outgoing, incoming, knocks } = pair(ALICE, BOB)
  const names = [outgoing, incoming, knocks.outgoing, knocks.incoming].map((each) =>
    toHex(each.nameAt(epoch)),
  )
  assert.equal(new Set(names).size, 4)
})

test('two knocks with the same content share their name and nothing else', () => {
  const random = seededRandom(1)
  const { outgoing } = pair(ALICE, BOB).knocks
  const [one, two] = [1, 2].map(() => sealKnock(outgoing, KNOCK, epoch, random))
  assert.ok(one && two)
  assert.equal(one.length, SEALED_KNOCK_LENGTH)
  assert.deepEqual(one.slice(0, 17), two.slice(0, 17))
  const runs = runsOf(one.subarray(17))
  for (const run of runsOf(two.subarray(17))) assert.ok(!runs.has(run), run)
  for (const secret of [publicKeyBytes(ALICE.publicKey), publicKeyBytes(BOB.publicKey), KNOCK.knock])
    for (const run of runsOf(secret)) assert.ok(!runs.has(run), run)
})

test('a knock that is no knock any more is dropped with what is wrong', () => {
  const sealed = sealKnock(pair(ALICE, BOB).knocks.outgoing, KNOCK, epoch, seededRandom(1))
  const { incoming } = pair(BOB, ALICE).knocks
  assert.equal(openKnock(incoming, sealed.slice(1)), drop('knock-malformed'))
  assert.equal(openKnock(incoming, Uint8Array.of(2, ...sealed.slice(1))), drop('knock-unknown-version'))
})

function pair(own: NodeKeys, peer: NodeKeys): PairKeys {
  const keys = own.pairKeys(peer.publicKey)
  assert.ok(keys)
  return keys
}

function runsOf(bytes: Uint8Array): ReadonlySet<string> {
  return new Set(Array.from({ length: bytes.length - 4 }, (_, at) => toHex(bytes.subarray(at, at + 5))))
}
