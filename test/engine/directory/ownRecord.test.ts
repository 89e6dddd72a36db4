import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import {
  after,
  asInstant,
  elapsed,
  HOUR,
  type Instant,
  MINUTE,
  type Now,
  SECOND,
} from '../../../src/base/time.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import { admitRecord, admitStoredRecord, recordKey } from '../../../src/engine/directory/admission.js'
import { type OwnContent, OwnRecord } from '../../../src/engine/directory/ownRecord.js'
import type { Effect } from '../../../src/engine/effects.js'
import { MAX_CANDIDATES, MAX_MULTIADDRS, type PeerRecord } from '../../../src/wire/record.js'
import { EffectLog } from '../effectLog.js'
import { testNode } from '../nodes.js'
import { at, nowAt, START, sleepUntil, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const IDENTITY = new Uint8Array(32).fill(7)
const HOST = { type: 'host', address: { ip: '192.168.1.2', port: 51_821 } } as const
const UNKNOWN_NAT = { mapping: 'unknown', filtering: 'unknown' } as const
const CONTENT: OwnContent = {
  candidates: [reflexive(40_000), HOST],
  multiaddrs: ['/ip4/198.51.100.1/tcp/51821'],
  nat: UNKNOWN_NAT,
}
const REPUBLISH_MS = 10 * MINUTE

let log: EffectLog
let own: OwnRecord

const AUTHOR = { keys: ALICE.keys, identity: IDENTITY, random: seededRandom(1), lastSequence: 0 }

beforeEach(() => {
  log = new EffectLog()
  own = new OwnRecord(AUTHOR, log.emit)
  own.describe(CONTENT, START)
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
    own.describe({ candidates, multiaddrs, nat: UNKNOWN_NAT }, START)
    const record = open(own.signed(nowAt(0)))
    assert.deepEqual(record.candidates, candidates.slice(0, MAX_CANDIDATES))
    assert.deepEqual(record.multiaddrs, multiaddrs.slice(0, MAX_MULTIADDRS))
  })

  it('is signed once while nothing changes, and anew after ten minutes', () => {
    const bytes = own.signed(nowAt(0))
    assert.equal(own.signed(nowAt(REPUBLISH_MS - 1)), bytes)
    const renewed = open(own.signed(nowAt(REPUBLISH_MS)))
    assert.equal(renewed.issuedAt, after(UNIX_START, REPUBLISH_MS))
  })

  it('is signed anew when a reflexive port changes, for knocks', () => {
    const { sequence } = open(own.signed(nowAt(0)))
    own.describe(withReflexive(40_001), START)
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
        const fresh = new OwnRecord(AUTHOR, () => {})
        let last = 0
        for (const [index, offset] of offsets.entries()) {
          fresh.describe(withReflexive(1 + index), START)
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
      const later = new OwnRecord({ ...AUTHOR, lastSequence: last }, log.emit)
      return open(later.signed(nowAt(0))).sequence
    })
    assert.deepEqual(sequences, [UNIX_START, UNIX_START + 1, UNIX_START + HOUR + 1, UNIX_START])
  })

  it('has whole milliseconds, whatever the clock has', () => {
    const record = open(own.signed({ instant: START, unix: after(UNIX_START, 0.75) }))
    assert.equal(record.issuedAt, UNIX_START)
    assert.equal(record.expiresAt, after(UNIX_START, 4 * HOUR))
  })

  it('is admitted until it is made anew by readers and storers whose clock is 1 h 59 min ahead, or behind', () => {
    const signed = own.signed(nowAt(0))
    const last = nowAt(REPUBLISH_MS - 1)
    assert.equal(own.signed(last), signed)
    for (const [made, skew] of [
      [last, 119 * MINUTE],
      [nowAt(0), -119 * MINUTE],
    ] as const) {
      const theirs = after(made.unix, skew)
      assert.deepEqual(admitRecord(signed, theirs), open(signed))
      assert.deepEqual(admitStoredRecord(recordKey(ALICE.publicKey), signed, theirs), open(signed))
    }
  })

  it('is believed as soon as a clock that was days ahead is right again', () => {
    sequenceAt(72 * HOUR, 40_001)
    own.describe(withReflexive(40_002), START)
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
      own.describe(content, START)
      return own.version
    })
    // The first is what was said before.
    assert.equal(new Set(versions).size, 5)
  })

  it('does not change with time, nor with what leads nobody elsewhere', () => {
    const { version } = own
    own.signed(nowAt(0))
    own.signed(nowAt(REPUBLISH_MS))
    own.describe(withReflexive(40_000), at(1_000))
    own.describe({ ...CONTENT, multiaddrs: [] }, at(2_000))
    own.describe({ ...CONTENT, nat: { mapping: 'endpoint-independent', filtering: 'unknown' } }, at(3_000))
    assert.equal(own.version, version)
  })

  it('does not change with candidates beyond those that a record may have', () => {
    const candidates = Array.from({ length: MAX_CANDIDATES }, (_, index) => reflexive(1_000 + index))
    own.describe({ ...CONTENT, candidates }, START)
    const { version } = own
    own.describe({ ...CONTENT, candidates: [...candidates, reflexive(9)] }, START)
    assert.equal(own.version, version)
  })
})

describe('publishing', () => {
  it('waits until there is somebody to publish to, and then does not wait', () => {
    assert.equal(own.nextWake, undefined)
    own.wake(nowAt(5))
    assert.deepEqual(log.take(), [])
    own.setOnline(true, at(10))
    assert.equal(own.nextWake, at(10))
    own.wake(nowAt(10))
    const signedRecord = own.signed(nowAt(10))
    assert.deepEqual(log.take(), [{ type: 'publish', signedRecord, sequence: open(signedRecord).sequence }])
    assert.equal(own.nextWake, undefined)
  })

  it('is repeated every ten minutes, with a new record', () => {
    publishAt(0)
    own.publicationEnded(5, at(400))
    assert.equal(own.nextWake, at(400 + REPUBLISH_MS))
    assert.deepEqual(published(400, 400 + REPUBLISH_MS - 1), [])
    const [[ms, record] = none()] = published(400, 400 + REPUBLISH_MS)
    assert.equal(ms, 400 + REPUBLISH_MS)
    assert.equal(record.issuedAt, after(UNIX_START, 400 + REPUBLISH_MS))
  })

  it('is tried again where nobody took it: after 500 ms, and twice as long each time, up to 30 s', () => {
    publishAt(0)
    const waits: number[] = []
    let now = 0
    for (let failures = 0; failures < 9; failures++) {
      own.publicationEnded(0, at(now))
      const [[ms] = none()] = published(now, now + HOUR)
      waits.push(ms - now)
      now = ms
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    own.publicationEnded(1, at(now))
    own.describe(withReflexive(40_000, []), at(now))
    const [[again] = none()] = published(now, now + HOUR)
    own.publicationEnded(0, at(again))
    assert.equal(own.nextWake, at(again + 500))
  })

  it('of changes that come together is one publication', () => {
    settled()
    for (let ms = 1_000; ms <= 1_090; ms += 10)
      own.describe({ ...CONTENT, multiaddrs: [`/ip4/198.51.100.1/tcp/${ms}`] }, at(ms))
    const [[ms, record] = none(), ...others] = published(1_090, 5_000)
    assert.equal(ms, 1_100)
    assert.deepEqual(record.multiaddrs, ['/ip4/198.51.100.1/tcp/1090'])
    assert.deepEqual(others, [])
  })

  it('is not for a reflexive port, nor for the order of things', () => {
    settled()
    own.describe(withReflexive(40_001), at(1_000))
    own.describe({ ...CONTENT, candidates: [HOST, reflexive(40_002)] }, at(2_000))
    own.describe({ ...CONTENT, candidates: [HOST, reflexive(40_002), reflexive(40_003)] }, at(3_000))
    assert.deepEqual(published(3_000, 60 * SECOND), [])
  })

  it('is for anything else', () => {
    const changed: readonly OwnContent[] = [
      { ...CONTENT, multiaddrs: [] },
      { ...CONTENT, candidates: [HOST] },
      { ...CONTENT, candidates: [reflexive(40_000)] },
      { ...CONTENT, candidates: [reflexive(40_000), { ...HOST, address: { ...HOST.address, port: 9 } }] },
      { ...CONTENT, nat: { mapping: 'endpoint-independent', filtering: 'unknown' } },
    ]
    for (const content of changed) {
      log = new EffectLog()
      own = new OwnRecord(AUTHOR, log.emit)
      own.describe(CONTENT, START)
      settled()
      own.describe(content, at(1_000))
      assert.equal(own.nextWake, at(1_100))
    }
  })

  it('of what changes meanwhile follows when it ends', () => {
    publishAt(0)
    own.describe({ ...CONTENT, multiaddrs: [] }, at(50))
    assert.equal(own.nextWake, undefined)
    own.publicationEnded(3, at(400))
    const [[ms, record] = none()] = published(400, HOUR)
    assert.equal(ms, 500)
    assert.deepEqual(record.multiaddrs, [])
  })

  it('does not wait long after a failure where something changed', () => {
    publishAt(0)
    for (let count = 0; count < 5; count++) {
      own.publicationEnded(0, at(count * MINUTE))
      published(count * MINUTE, (count + 1) * MINUTE)
    }
    own.publicationEnded(0, at(5 * MINUTE))
    assert.equal(own.nextWake, at(5 * MINUTE + 16_000))
    own.describe({ ...CONTENT, multiaddrs: [] }, at(5 * MINUTE))
    assert.equal(own.nextWake, at(5 * MINUTE + 100))
  })

  it('ends with the mesh, and begins with it', () => {
    settled()
    own.setOnline(false, at(1_000))
    own.describe({ ...CONTENT, multiaddrs: [] }, at(1_100))
    assert.equal(own.nextWake, undefined)
    own.setOnline(true, at(2_000))
    const [[ms, record] = none()] = published(2_000, 2_000)
    assert.equal(ms, 2_000)
    assert.deepEqual(record.multiaddrs, [])
  })

  it('is not begun again by who is online already', () => {
    settled()
    own.setOnline(true, at(1_000))
    assert.equal(own.nextWake, at(REPUBLISH_MS))
  })

  it('that nobody began does not end', () => {
    own.publicationEnded(0, at(0))
    assert.equal(own.nextWake, undefined)
  })
})

describe('the laws of an engine', () => {
  const contents = fc.record({
    candidates: fc.subarray([HOST, reflexive(1), reflexive(2)]),
    multiaddrs: fc.subarray(['/ip4/198.51.100.1/tcp/1', '/ip4/198.51.100.1/tcp/2']),
    nat: fc.constant(UNKNOWN_NAT),
  })
  const steps: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.tuple(
      fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 20 * MINUTE })),
      fc.oneof(
        contents.map((content) => (record: OwnRecord, now: Instant) => record.describe(content, now)),
        fc.boolean().map((online) => (record: OwnRecord, now: Instant) => record.setOnline(online, now)),
        fc.nat({ max: 2 }).map((acknowledgements) => (record: OwnRecord, now: Instant) => {
          record.publicationEnded(acknowledgements, now)
        }),
      ),
    ),
    { maxLength: 12 },
  )

  it('hold: it is never to be woken in the past, and waking it early changes nothing', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat({ max: 40 * MINUTE }), { maxLength: 10 }), (taken, early) => {
        assert.deepEqual(play(taken, 0, early), play(taken, 0, []))
      }),
      { numRuns: 30 },
    )
  })

  it('hold: times mean nothing in themselves', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: -900_000, max: 900_000 }), (taken, shift) => {
        assert.deepEqual(play(taken, shift, []), play(taken, 0, []))
      }),
      { numRuns: 30 },
    )
  })

  it('hold: left alone it settles into one publication every ten minutes', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const effects = play([...taken, [0, (record, now) => record.setOnline(true, now)]], 0, [])
        const times = effects.map(([ms]) => ms)
        // One is under way for as long as nobody says that it has ended.
        assert.ok(times.length <= taken.length + 2)
      }),
      { numRuns: 30 },
    )
  })
})

type Step = readonly [gap: number, happen: (record: OwnRecord, now: Instant) => void]

/** Plays a story `shift` milliseconds later than {@link START}, woken needlessly at `early`. */
function play(
  steps: readonly Step[],
  shift: number,
  early: readonly number[],
): (readonly [number, Effect])[] {
  const start = after(START, shift)
  const effects: (readonly [number, Effect])[] = []
  let now = 0
  const record = new OwnRecord({ ...AUTHOR, random: seededRandom(1) }, (effect) =>
    effects.push([now, effect]),
  )
  const wake = (ms: number) => {
    now = ms
    record.wake({ instant: after(start, ms), unix: after(UNIX_START, ms) })
  }
  const needless = [...early].sort((a, b) => a - b)
  const pass = (until: number) => {
    const sleeper = {
      get nextWake() {
        const wanted =
          record.nextWake === undefined ? until : Math.min(until, elapsed(start, record.nextWake))
        while ((needless[0] ?? Number.POSITIVE_INFINITY) < wanted) wake(needless.shift() ?? 0)
        return record.nextWake === undefined ? undefined : asInstant(record.nextWake - shift)
      },
    }
    sleepUntil(sleeper, now, until, wake)
    now = until
  }
  for (const [gap, happen] of steps) {
    pass(now + gap)
    happen(record, after(start, now))
  }
  pass(now + HOUR)
  return effects
}

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
  own.describe(withReflexive(port), at(ms))
  return open(own.signed(nowAt(ms))).sequence
}

function publishAt(ms: number): void {
  own.setOnline(true, at(ms))
  assert.equal(published(ms, ms).length, 1)
}

/** Published, taken by somebody, and nothing to do for ten minutes. */
function settled(): void {
  publishAt(0)
  own.publicationEnded(5, START)
}

/** Wakes it whenever it wants, and returns what it published. */
function published(fromMs: number, untilMs: number): readonly (readonly [ms: number, PeerRecord])[] {
  const records: (readonly [number, PeerRecord])[] = []
  sleepUntil(own, fromMs, untilMs, (ms) => {
    const now: Now = nowAt(ms)
    own.wake(now)
    for (const effect of log.take())
      if (effect.type === 'publish') records.push([ms, open(effect.signedRecord)])
  })
  return records
}

function none(): never {
  throw new TypeError('nothing was published')
}
