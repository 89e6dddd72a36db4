import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, HOUR, MINUTE } from '../../../src/base/time.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import { admitRecord } from '../../../src/engine/directory/admission.js'
import { type OwnContent, OwnRecord } from '../../../src/engine/directory/ownRecord.js'
import { OwnSequence } from '../../../src/engine/directory/ownSequence.js'
import {
  MAX_CANDIDATES,
  MAX_MULTIADDRS,
  MAX_RECORD_LENGTH,
  type PeerRecord,
} from '../../../src/wire/record.js'
import { testNode } from '../nodes.js'
import { nowAt, START, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const IDENTITY = new Uint8Array(32).fill(7)
const HOST = { type: 'host', address: { ip: '192.168.1.2', port: 51_821 } } as const
const UNKNOWN_NAT = { mapping: 'unknown', filtering: 'unknown' } as const
const CONTENT: OwnContent = {
  candidates: [reflexive(40_000), HOST],
  multiaddrs: ['/ip4/198.51.100.1/tcp/51821'],
  nat: UNKNOWN_NAT,
}
const RENEW_MS = 8 * MINUTE

let own: OwnRecord

const author = (last = 0) => ({
  keys: ALICE.keys,
  identity: IDENTITY,
  random: seededRandom(1),
  sequence: new OwnSequence(last),
})

beforeEach(() => {
  own = new OwnRecord(author())
  own.describe(CONTENT)
})

describe('our own record', () => {
  it('says what there is to say, for two hours and as much as clocks may differ, signed', () => {
    assert.deepEqual(open(own.signed(nowAt(0))), {
      publicKey: ALICE.publicKey,
      sequence: UNIX_START,
      issuedAt: UNIX_START,
      expiresAt: after(UNIX_START, 4 * HOUR),
      identity: IDENTITY,
      ...CONTENT,
    })
  })

  it('has as many candidates and multiaddrs as a record may have, the first ones', () => {
    const candidates = Array.from({ length: 40 }, (_, index) => reflexive(1_000 + index))
    const multiaddrs = Array.from({ length: 40 }, (_, index) => `/ip4/198.51.100.1/tcp/${1 + index}`)
    own.describe({ candidates, multiaddrs, nat: UNKNOWN_NAT })
    const record = open(own.signed(nowAt(0)))
    assert.deepEqual(record.candidates, candidates.slice(0, MAX_CANDIDATES))
    assert.deepEqual(record.multiaddrs, multiaddrs.slice(0, MAX_MULTIADDRS))
  })

  it('has what there is room for: the last multiaddrs go first, then the last candidates', () => {
    const multiaddr = (length: number, index: number) =>
      `/dns4/${'x'.repeat(60)}.${'y'.repeat(length)}/tcp/${1 + index}`
    fc.assert(
      fc.property(
        fc.nat({ max: 16 }),
        fc.array(fc.integer({ min: 1, max: 250 }), { maxLength: 8 }),
        (count, lengths) => {
          const candidates = Array.from({ length: count }, (_, index) => reflexive(1_000 + index))
          const multiaddrs = lengths.map(multiaddr)
          own.describe({ candidates, multiaddrs, nat: UNKNOWN_NAT })
          const signed = own.signed(nowAt(0))
          assert.ok(signed.length <= MAX_RECORD_LENGTH)
          const record = open(signed)
          assert.deepEqual(record.candidates, candidates.slice(0, record.candidates.length))
          assert.deepEqual(record.multiaddrs, multiaddrs.slice(0, record.multiaddrs.length))
          if (record.multiaddrs.length > 0) assert.equal(record.candidates.length, count)
          // One more would not have fitted.
          const next = multiaddrs[record.multiaddrs.length]
          if (next !== undefined) assert.ok(signed.length + next.length > MAX_RECORD_LENGTH)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('is signed once while nothing changes, and anew after eight minutes', () => {
    const bytes = own.signed(nowAt(0))
    assert.equal(own.signed(nowAt(RENEW_MS - 1)), bytes)
    const renewed = open(own.signed(nowAt(RENEW_MS)))
    assert.equal(renewed.issuedAt, after(UNIX_START, RENEW_MS))
  })

  it('is signed anew when a reflexive port changes, for knocks', () => {
    const { sequence } = open(own.signed(nowAt(0)))
    own.describe(withReflexive(40_001))
    const record = open(own.signed(nowAt(0)))
    assert.deepEqual(record.candidates, [reflexive(40_001), HOST])
    assert.equal(record.sequence, sequence + 1)
  })

  it('has a sequence that grows with the clock', () => {
    assert.equal(sequenceAt(0, 40_001), UNIX_START)
    assert.equal(sequenceAt(5_000, 40_002), UNIX_START + 5_000)
  })

  it('has a sequence that grows when the clock stands or jumps back, and is believed by those whose clock is right', () => {
    const clocks = fc.array(fc.integer({ min: -2 * HOUR + 100, max: 0 }), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(clocks, (offsets) => {
        const fresh = new OwnRecord(author())
        let last = 0
        for (const [index, offset] of offsets.entries()) {
          fresh.describe(withReflexive(1 + index))
          const signed = fresh.signed({ instant: START, unix: after(UNIX_START, offset) })
          const { sequence } = open(signed)
          assert.ok(sequence > last)
          assert.ok(!isDropped(admitRecord(signed, after(UNIX_START, offset))))
          last = sequence
        }
      }),
      { numRuns: 20 },
    )
  })

  it('goes on above the sequence of an earlier run, unless that one is out of all bounds', () => {
    const sequences = [UNIX_START - 5, UNIX_START, UNIX_START + HOUR, UNIX_START + 3 * HOUR].map((last) => {
      const later = new OwnRecord(author(last))
      return open(later.signed(nowAt(0))).sequence
    })
    assert.deepEqual(sequences, [UNIX_START, UNIX_START + 1, UNIX_START + HOUR + 1, UNIX_START])
  })

  it('has whole milliseconds, whatever the clock has', () => {
    const record = open(own.signed({ instant: START, unix: after(UNIX_START, 0.75) }))
    assert.equal(record.issuedAt, UNIX_START)
    assert.equal(record.expiresAt, after(UNIX_START, 4 * HOUR))
  })

  it('is admitted until it is made anew by readers whose clock is 1 h 59 min ahead, or behind', () => {
    const signed = own.signed(nowAt(0))
    const last = nowAt(RENEW_MS - 1)
    assert.equal(own.signed(last), signed)
    for (const [made, skew] of [
      [last, 119 * MINUTE],
      [nowAt(0), -119 * MINUTE],
    ] as const) {
      const theirs = after(made.unix, skew)
      assert.deepEqual(admitRecord(signed, theirs), open(signed))
    }
  })

  it('is believed as soon as a clock that was days ahead is right again', () => {
    sequenceAt(72 * HOUR, 40_001)
    own.describe(withReflexive(40_002))
    const signed = own.signed(nowAt(0))
    assert.ok(!isDropped(admitRecord(signed, UNIX_START)))
    assert.equal(open(signed).sequence, UNIX_START)
  })
})

describe('the version of what we say', () => {
  it('changes with our candidates, be it by a port', () => {
    const versions = [
      withReflexive(40_000),
      withReflexive(40_001),
      { ...CONTENT, candidates: [HOST] },
      { ...CONTENT, candidates: [] },
      CONTENT,
    ].map((content) => {
      own.describe(content)
      return own.version
    })
    // The first is what was said before.
    assert.equal(new Set(versions).size, 5)
  })

  it('does not change with time, nor with what leads nobody elsewhere', () => {
    const { version } = own
    own.signed(nowAt(0))
    own.signed(nowAt(RENEW_MS))
    own.describe(withReflexive(40_000))
    own.describe({ ...CONTENT, multiaddrs: [] })
    own.describe({ ...CONTENT, nat: { mapping: 'endpoint-independent', filtering: 'unknown' } })
    assert.equal(own.version, version)
  })

  it('does not change with candidates beyond those that a record may have', () => {
    const candidates = Array.from({ length: MAX_CANDIDATES }, (_, index) => reflexive(1_000 + index))
    own.describe({ ...CONTENT, candidates })
    const { version } = own
    own.describe({ ...CONTENT, candidates: [...candidates, reflexive(9)] })
    assert.equal(own.version, version)
  })
})

describe('what is worth a publication', () => {
  it('is not a reflexive port, nor the order of things', () => {
    const same: readonly OwnContent[] = [
      withReflexive(40_001),
      { ...CONTENT, candidates: [HOST, reflexive(40_002)] },
      { ...CONTENT, candidates: [HOST, reflexive(40_002), reflexive(40_003)] },
    ]
    const { published } = own
    for (const content of same) assert.equal(own.describe(content), false)
    assert.equal(own.published, published)
  })

  it('is anything else', () => {
    const changed: readonly OwnContent[] = [
      { ...CONTENT, multiaddrs: [] },
      { ...CONTENT, candidates: [HOST] },
      { ...CONTENT, candidates: [reflexive(40_000)] },
      { ...CONTENT, candidates: [reflexive(40_000), { ...HOST, address: { ...HOST.address, port: 9 } }] },
      { ...CONTENT, nat: { mapping: 'endpoint-independent', filtering: 'unknown' } },
    ]
    for (const content of changed) {
      assert.equal(own.describe(content), true)
      assert.equal(own.describe(CONTENT), true)
    }
  })
})

describe('a record that is outdated', () => {
  it('is signed anew, with a number of its own', () => {
    const former = open(own.signed(nowAt(0)))
    own.outdate()
    const record = open(own.signed(nowAt(0)))
    assert.equal(record.sequence, former.sequence + 1)
    assert.deepEqual(record.candidates, former.candidates)
  })
})

function reflexive(port: number): OwnContent['candidates'][number] {
  return { type: 'server-reflexive', address: { ip: '198.51.100.1', port } }
}

function withReflexive(port: number, multiaddrs = CONTENT.multiaddrs): OwnContent {
  return { ...CONTENT, candidates: [reflexive(port), HOST], multiaddrs }
}

function open(signedRecord: Uint8Array): PeerRecord {
  const record = openSignedRecord(signedRecord)
  assert.ok(!isDropped(record))
  return record
}

function sequenceAt(ms: number, port: number): number {
  own.describe(withReflexive(port))
  return open(own.signed(nowAt(ms))).sequence
}
