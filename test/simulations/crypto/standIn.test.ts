import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type PrimitiveCounts, StandIn } from '../../../simulations/crypto/standIn.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, asUnixTime, HOUR } from '../../../src/base/time.js'
import { openKnock, sealKnock } from '../../../src/crypto/sealedKnock.js'
import { signRecord } from '../../../src/crypto/signedRecord.js'
import { toHex } from '../../crypto/vectors.js'

const DATA = Uint8Array.of(1, 2, 3)
const TIMESTAMP = new Uint8Array(12)

describe('the counts of a stand-in', () => {
  it('begin at zero, and no key that is made ready counts', () => {
    const { standIn } = pair()
    assert.ok(Object.values(standIn.counts).every((count) => count === 0))
  })

  it('count what a handshake takes', () => {
    const { standIn, ana, ben } = pair()
    const first = ana.wireguard.createInitiation(ben.node.publicKey, 1, TIMESTAMP, seededRandom(1))
    ben.node.mac1IsForUs(first)
    ben.node.openInitiation(first)
    ben.wireguard.openInitiation(first)
    const secret = ben.wireguard.sessionSecret(ana.node.publicKey, first, DATA)
    ana.wireguard.tag(secret, true, 0, DATA)
    ben.wireguard.tag(secret, true, 0, DATA)
    assertCounts(standIn, { initiationsMade: 1, mac1s: 2, initiationsOpened: 2, tags: 2 })
  })

  it('count what fails as well', () => {
    const { standIn, ana } = pair()
    ana.wireguard.openInitiation(DATA)
    ana.node.pairKeys(ana.node.publicKey)
    assertCounts(standIn, { initiationsOpened: 1, pairKeys: 1 })
  })

  it('count the checks of a pair, and the name of an epoch once', () => {
    const { standIn, ana, ben } = pair()
    const keys = ana.node.pairKeys(ben.node.publicKey)
    for (let time = 0; time < 5; time++) {
      keys?.outgoing.nameAt(7)
      keys?.outgoing.hmac(DATA)
    }
    assertCounts(standIn, { pairKeys: 1, hmacs: 6 })
  })

  it('count what sealing takes', () => {
    const { standIn, ana, ben } = pair()
    const sealed = standIn.recordSealing(ana.node, 'net').seal(DATA, 1, 1, seededRandom(1))
    standIn.verifySealedRecord(sealed)
    standIn.recordSealing(ben.node, 'net').open(sealed, ana.node.publicKey)
    assertCounts(standIn, { signatures: 1, verifications: 2 })
  })

  it('count sealed knocks', () => {
    const { standIn, ana, ben } = pair()
    const knock = { kind: 'knock', sequence: 1, knock: DATA } as const
    const atAna = ana.node.pairKeys(ben.node.publicKey)
    const atBen = ben.node.pairKeys(ana.node.publicKey)
    assert.ok(atAna && atBen)
    openKnock(atBen.knocks.incoming, sealKnock(atAna.knocks.outgoing, knock, 7, seededRandom(1)))
    assertCounts(standIn, { pairKeys: 2, hmacs: 1, knocks: 2 })
  })

  it('count signatures, and those that were verified', () => {
    const { standIn, ana } = pair()
    const issuedAt = asUnixTime(1_800_000_000_000)
    const record = {
      publicKey: ana.node.publicKey,
      sequence: 1,
      issuedAt,
      expiresAt: after(issuedAt, HOUR),
      candidates: [],
      identity: new Uint8Array(32),
      multiaddrs: [],
      nat: { mapping: 'unknown', filtering: 'unknown' },
    } as const
    const signed = signRecord(record, ana.node, seededRandom(1))
    // Without the object, as a function that is passed on is called.
    const { openRecord } = standIn
    assert.ok(!isDropped(openRecord(signed)))
    // What does not decode needs no verification.
    assert.ok(isDropped(openRecord(signed.subarray(1))))
    assertCounts(standIn, { signatures: 1, verifications: 1 })
  })
})

describe('a stand-in', () => {
  it('makes the same bytes as another with the same randomness', () => {
    const [one, other] = [pair(), pair()].map(({ ana, ben }) => {
      const first = ana.wireguard.createInitiation(ben.node.publicKey, 1, TIMESTAMP, seededRandom(1))
      const secret = ana.wireguard.sessionSecret(ben.node.publicKey, first, DATA)
      const keys = ana.node.pairKeys(ben.node.publicKey)
      return [
        first,
        ana.node.sign(DATA, seededRandom(1)),
        ana.wireguard.tag(secret, false, 2 ** 40, DATA),
        keys?.incoming.hmac(DATA),
        keys?.outgoing.nameAt(1),
      ].map((bytes) => bytes && toHex(bytes))
    })
    assert.deepEqual(one, other)
  })

  it('keeps the two spellings of a private key one owner', () => {
    const standIn = new StandIn()
    const clamped = new Uint8Array(32).fill(64)
    const other = clamped.slice()
    other[0] = 65
    const [one, same] = [clamped, other].map((privateKey) => standIn.nodeKeys(privateKey))
    assert.equal(one?.publicKey, same?.publicKey)
    assert.deepEqual(one?.identitySeed(), same?.identitySeed())
    const ben = standIn.nodeKeys(new Uint8Array(32).fill(2)).publicKey
    assert.deepEqual(one?.pairKeys(ben)?.outgoing.hmac(DATA), same?.pairKeys(ben)?.outgoing.hmac(DATA))
  })
})

function pair() {
  const standIn = new StandIn()
  const host = (fill: number) => {
    const privateKey = new Uint8Array(32).fill(fill)
    return { node: standIn.nodeKeys(privateKey), wireguard: standIn.wireguardKeys(privateKey) }
  }
  return { standIn, ana: host(1), ben: host(2) }
}

function assertCounts(standIn: StandIn, expected: Partial<PrimitiveCounts>): void {
  assert.deepEqual({ ...standIn.counts }, { ...new StandIn().counts, ...expected })
}
