import assert from 'node:assert/strict'
import { createPublicKey, hkdfSync, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { concat, fromString } from 'uint8arrays'
import { drop, isDropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../../src/base/publicKey.js'
import { seededRandom } from '../../src/base/random.js'
import { after, asUnixTime, HOUR } from '../../src/base/time.js'
import { aeadSeal } from '../../src/crypto/aead.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import {
  admitSealedRecord,
  recordSealing,
  type SealingPrimitives,
  sealingWith,
  verifySealedRecord,
} from '../../src/crypto/sealedRecord.js'
import { signRecord } from '../../src/crypto/signedRecord.js'
import {
  encodeSealedContent,
  encodeSealedRecordHead,
  SEALED_RECORD_LENGTH,
} from '../../src/wire/sealedRecord.js'
import { SMALL_ORDER_KEYS } from './smallOrderKeys.js'
import { hex, readVectors, toHex } from './vectors.js'

interface SealedVectors {
  readonly private_key: string
  readonly signed_record: string
  readonly sequence: number
  readonly sealed_record: {
    readonly network: string
    readonly period: number
    readonly blinded_key: string
    readonly sealed: string
  }
}

const vector = readVectors<SealedVectors>('sealed.json')
const { network, period } = vector.sealed_record
const NOW = asUnixTime(vector.sequence)
const ALICE = nodeKeys(hex(vector.private_key))
const MALLORY = nodeKeys(new Uint8Array(32).fill(2))
const SIGNATURE_LABEL = fromString('tunnelbore sealed record v1\0')

describe('a sealed record', () => {
  const sealing = recordSealing(MALLORY, network)

  it('is the one written down, as a second implementation made it', () => {
    const sealed = hex(vector.sealed_record.sealed)
    assert.equal(toHex(blindedKeyOf(ALICE.publicKey, period)), vector.sealed_record.blinded_key)
    assert.deepEqual(sealing.open(sealed, ALICE.publicKey), {
      signedRecord: hex(vector.signed_record),
      sequence: vector.sequence,
      period,
    })
    const verified = verifySealedRecord(sealed)
    assert.ok(!isDropped(verified))
    assert.equal(toHex(verified.blindedKey), vector.sealed_record.blinded_key)
  })

  it('verifies as plain Ed25519, with the key taken bare from its bytes', () => {
    const sealed = sealedBy(ALICE)
    const der = Buffer.from(concat([hex('302a300506032b6570032100'), sealed.slice(13, 45)]))
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const message = concat([SIGNATURE_LABEL, sealed.slice(0, 1472)])
    assert.ok(verify(null, message, key, sealed.slice(1472)))
  })

  it('shares no run of bytes with the next sealing of the same record, nor with that of another day', () => {
    const random = seededRandom(5)
    const seals = [0, 0, 1].map((days) => sealedBy(ALICE, period + days, NOW + days, random))
    assert.deepEqual(
      seals.map(({ length }) => length),
      seals.map(() => SEALED_RECORD_LENGTH),
    )
    for (const [a, b, from] of [
      // Of one day: the blinded key is the same, as it must be.
      [seals[0], seals[1], 45],
      // Of two: nothing but version, period and sequence.
      [seals[0], seals[2], 13],
    ] as const) {
      assert.ok(a && b)
      const runs = runsOf(a.subarray(from))
      for (const run of runsOf(b.subarray(from))) assert.ok(!runs.has(run), run)
    }
  })

  it('holds neither its author’s key nor a word of the record in any four bytes', () => {
    const signedRecord = signedBy(ALICE)
    const sealed = runsOf(sealedBy(ALICE).subarray(13), 4)
    for (const secret of [publicKeyBytes(ALICE.publicKey), signedRecord])
      for (const run of runsOf(secret, 4)) assert.ok(!sealed.has(run), run)
  })

  it('cannot be made by one who knows the author’s public key and nothing else', () => {
    const own = blindedKeyOf(MALLORY.publicKey, period)
    const alices = blindedKeyOf(ALICE.publicKey, period)
    // Under Alice's blinded key, with a signature that is not by it.
    assert.equal(sealing.open(forged(alices, period), ALICE.publicKey), drop('record-bad-signature'))
    assert.equal(verifySealedRecord(forged(alices, period)), drop('record-bad-signature'))
    // Under her own: a storer has nothing against it, a reader of Alice's records has.
    assert.ok(!isDropped(verifySealedRecord(forged(own, period))))
    assert.equal(sealing.open(forged(own, period), ALICE.publicKey), drop('record-wrong-author'))
    // Under Alice's blinded key of another day.
    assert.equal(sealing.open(forged(alices, period + 1), ALICE.publicKey), drop('record-wrong-author'))
  })

  it('of a key that nobody can own is under no key, and does not open', () => {
    for (const bytes of SMALL_ORDER_KEYS) {
      const nobody = publicKeyFromBytes(bytes)
      assert.equal(sealing.blindedKey(nobody, period), undefined)
      assert.equal(sealing.open(sealedBy(ALICE), nobody), drop('record-unreadable'))
      const forgery = forged(blindedKeyOf(MALLORY.publicKey, period), period, nobody)
      assert.equal(sealing.open(forgery, nobody), drop('record-wrong-author'))
    }
  })

  it('of a key beyond the curve is under no key', () => {
    // u = 2 lies on the twist: X25519 takes it, no Edwards point has it.
    const twisted = publicKeyFromBytes(Uint8Array.of(2, ...new Uint8Array(31)))
    assert.equal(sealing.blindedKey(twisted, period), undefined)
  })

  /** By Mallory, with content that the readers of `author` can open. */
  function forged(blindedKey: Uint8Array, forPeriod: number, author: PublicKey = ALICE.publicKey) {
    const salt = new Uint8Array(16).fill(9)
    const head = encodeSealedRecordHead({ period: forPeriod, sequence: NOW, blindedKey, salt })
    const info = concat([fromString('tunnelbore sealed content v1\0'), blindedKey, fromString(network)])
    const key = new Uint8Array(hkdfSync('sha256', publicKeyBytes(author), salt, info, 44))
    const content = encodeSealedContent(signedBy(MALLORY))
    const signed = concat([head, aeadSeal(key.subarray(0, 32), key.subarray(32), content, head)])
    const number = Uint8Array.of(0, 0, period >> 8, period & 0xff)
    const parameterInfo = concat([fromString('tunnelbore blinding v1\0'), number, fromString(network)])
    const parameter = hkdfSync('sha256', publicKeyBytes(MALLORY.publicKey), '', parameterInfo, 32)
    const message = concat([SIGNATURE_LABEL, signed])
    return concat([signed, MALLORY.signBlinded(new Uint8Array(parameter), message, seededRandom(8))])
  }

  function blindedKeyOf(author: PublicKey, ofPeriod: number): Uint8Array {
    const key = sealing.blindedKey(author, ofPeriod)
    assert.ok(key)
    return key
  }
})

describe('a storer', () => {
  it('takes a record whose form, times and signature are right', () => {
    const admitted = admitSealedRecord(sealedBy(ALICE), NOW)
    assert.ok(!isDropped(admitted))
    assert.deepEqual([admitted.period, admitted.sequence], [period, NOW])
  })

  it('looks at the signature last, since it takes the longest', () => {
    let verified = 0
    const admit = (bytes: Uint8Array, now = NOW) =>
      admitSealedRecord(bytes, now, (each) => {
        verified += 1
        return verifySealedRecord(each)
      })
    const sealed = sealedBy(ALICE)
    assert.equal(admit(sealed.slice(1)), drop('record-malformed'))
    assert.equal(admit(concat([Uint8Array.of(2), sealed.slice(1)])), drop('record-unknown-version'))
    assert.equal(admit(sealed, after(NOW, 48 * HOUR)), drop('record-wrong-period'))
    assert.equal(admit(sealed, after(NOW, 4 * HOUR)), drop('record-expired'))
    assert.equal(admit(sealed, after(NOW, -2 * HOUR - 1)), drop('record-from-future'))
    assert.equal(verified, 0)
    const forgery = sealed.slice()
    forgery.fill(0, 1472)
    assert.equal(admit(forgery), drop('record-bad-signature'))
    assert.equal(verified, 1)
  })
})

describe('blinded keys', () => {
  it('differ by author, period and network', () => {
    const keys = ['one', 'two'].flatMap((name) =>
      [ALICE, MALLORY].flatMap(({ publicKey }) =>
        [1, 2, 2 ** 31].map((each) =>
          toHex(recordSealing(ALICE, name).blindedKey(publicKey, each) ?? new Uint8Array(0)),
        ),
      ),
    )
    assert.equal(new Set(keys).size, 12)
  })

  it('are computed once, also where there is none, and forgotten one by one in a flood of others', () => {
    let blinded = 0
    const counted: SealingPrimitives = {
      blindingParameter: (_author, of) => Uint8Array.of(of),
      blind(_author, parameter) {
        blinded += 1
        return parameter[0] === 1 ? undefined : parameter
      },
      sealContent: () => new Uint8Array(0),
      openContent: () => undefined,
      verify: () => false,
    }
    const { blindedKey } = sealingWith(ALICE, counted)
    for (let time = 0; time < 3; time++) {
      assert.equal(blindedKey(ALICE.publicKey, 1), undefined)
      assert.deepEqual(blindedKey(ALICE.publicKey, 2), Uint8Array.of(2))
    }
    assert.equal(blinded, 2)
    for (let other = 100; other < 10_000; other++) {
      blindedKey(MALLORY.publicKey, other)
      if (other % 100 === 0) blindedKey(ALICE.publicKey, 1)
    }
    blinded = 0
    blindedKey(ALICE.publicKey, 1)
    assert.equal(blinded, 0)
    blindedKey(ALICE.publicKey, 2)
    assert.equal(blinded, 1)
  })
})

function sealedBy(keys: NodeKeys, forPeriod = period, sequence: number = NOW, random = seededRandom(3)) {
  return recordSealing(keys, network).seal(signedBy(keys), forPeriod, sequence, random)
}

function signedBy(keys: NodeKeys): Uint8Array {
  const record = {
    publicKey: keys.publicKey,
    sequence: NOW,
    issuedAt: NOW,
    expiresAt: after(NOW, HOUR),
    candidates: [{ type: 'host', address: { ip: '192.168.1.2', port: 51_821 } }],
    identity: new Uint8Array(32).fill(9),
    multiaddrs: ['/ip4/203.0.113.10/tcp/51821'],
    nat: { mapping: 'endpoint-independent', filtering: 'unknown' },
  } as const
  return signRecord(record, keys, seededRandom(1))
}

/** Every run of `length` bytes, in hex. By chance two sealings share one of five in a million attempts. */
function runsOf(bytes: Uint8Array, length = 5): ReadonlySet<string> {
  return new Set(
    Array.from({ length: bytes.length - length + 1 }, (_, at) => toHex(bytes.subarray(at, at + length))),
  )
}
