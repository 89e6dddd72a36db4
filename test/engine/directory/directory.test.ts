import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { drop, isDropped } from '../../../src/base/drops.js'
import { after, HOUR } from '../../../src/base/time.js'
import { Directory } from '../../../src/engine/directory/directory.js'
import { EffectLog } from '../effectLog.js'
import { recordOf, signedRecordOf, testNode } from '../nodes.js'
import { at, nowAt, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const anybody = () => true
const NEWEST = UNIX_START + 20

describe('the directory', () => {
  it('knows the newest record of a peer, and when it was heard of', () => {
    const directory = new Directory({ emit: () => undefined })
    assert.equal(directory.get(ALICE.publicKey, UNIX_START), undefined)
    const older = recordOf(ALICE)
    const newer = recordOf(ALICE, { sequence: NEWEST })
    assert.deepEqual(directory.accept(signedRecordOf(ALICE), anybody, nowAt(1)), {
      record: older,
      newer: true,
    })
    assert.deepEqual(directory.accept(signedRecordOf(ALICE, { sequence: NEWEST }), anybody, nowAt(2)), {
      record: newer,
      newer: true,
    })
    assert.deepEqual(directory.get(ALICE.publicKey, UNIX_START), { record: newer, heardAt: at(2) })
    assert.equal(directory.get(BOB.publicKey, UNIX_START), undefined)
  })

  it('takes no record older than the one it knows', () => {
    const directory = new Directory({ emit: () => undefined })
    directory.accept(signedRecordOf(ALICE, { sequence: NEWEST }), anybody, nowAt(1))
    const older = signedRecordOf(ALICE, { sequence: NEWEST - 1 })
    assert.equal(directory.accept(older, anybody, nowAt(2)), drop('record-rollback'))
    assert.equal(directory.get(ALICE.publicKey, UNIX_START)?.record.sequence, NEWEST)
    assert.equal(directory.get(ALICE.publicKey, UNIX_START)?.heardAt, at(1))
  })

  it('takes none either once the one it knows has expired', () => {
    const directory = new Directory({ emit: () => undefined })
    directory.accept(signedRecordOf(ALICE, { sequence: NEWEST }), anybody, nowAt(1))
    const older = signedRecordOf(ALICE, { expiresAt: after(UNIX_START, 10 * HOUR) })
    assert.equal(directory.accept(older, anybody, nowAt(3 * HOUR)), drop('record-rollback'))
  })

  it('is surer of a record that it hears of again', () => {
    const directory = new Directory({ emit: () => undefined })
    const record = signedRecordOf(ALICE)
    directory.accept(record, anybody, nowAt(1))
    assert.deepEqual(directory.accept(record, anybody, nowAt(9)), { record: recordOf(ALICE), newer: false })
    assert.equal(directory.get(ALICE.publicKey, UNIX_START)?.heardAt, at(9))
  })

  it('takes records of peers only, and only such as can be believed', () => {
    const directory = new Directory({ emit: () => undefined })
    const isBob = (key: string) => key === BOB.publicKey
    assert.equal(directory.accept(signedRecordOf(ALICE), isBob, nowAt(0)), drop('record-unknown-author'))
    assert.equal(directory.accept(signedRecordOf(BOB), isBob, nowAt(2 * HOUR)), drop('record-expired'))
    assert.equal(directory.accept(new Uint8Array(9), isBob, nowAt(0)), drop('record-malformed'))
    assert.equal(directory.get(ALICE.publicKey, UNIX_START), undefined)
    assert.equal(directory.get(BOB.publicKey, UNIX_START), undefined)
  })

  it('tells no record that has expired', () => {
    const directory = new Directory({ emit: () => undefined })
    directory.accept(signedRecordOf(ALICE), anybody, nowAt(0))
    assert.ok(directory.get(ALICE.publicKey, after(UNIX_START, 2 * HOUR - 1)))
    assert.equal(directory.get(ALICE.publicKey, after(UNIX_START, 2 * HOUR)), undefined)
  })

  it('knows the record of a peer that was gone for a while, though the mesh has an older one only', () => {
    const directory = new Directory({ emit: () => undefined })
    directory.accept(signedRecordOf(ALICE, { sequence: NEWEST }), anybody, nowAt(0))
    directory.forget(ALICE.publicKey)
    assert.equal(directory.accept(signedRecordOf(ALICE), anybody, nowAt(0)), drop('record-rollback'))
    const known = directory.get(ALICE.publicKey, UNIX_START)
    assert.deepEqual([known?.record.sequence, known?.heardAt], [NEWEST, Number.NEGATIVE_INFINITY])
    const again = directory.accept(signedRecordOf(ALICE, { sequence: NEWEST }), anybody, nowAt(0))
    assert.equal(!isDropped(again) && again.newer, false)
  })

  it('has each record that is news remembered, and no other', () => {
    const log = new EffectLog()
    const directory = new Directory({ emit: log.emit })
    const [older, newer] = [signedRecordOf(ALICE), signedRecordOf(ALICE, { sequence: NEWEST })]
    for (const signedRecord of [older, older, newer, older, signedRecordOf(BOB)])
      directory.accept(signedRecord, (key) => key === ALICE.publicKey, nowAt(0))
    const peer = ALICE.publicKey
    assert.deepEqual(log.take(), [
      { type: 'remember', peer, signedRecord: older },
      { type: 'remember', peer, signedRecord: newer },
    ])
  })

  it('never goes back, in whatever order records come', () => {
    const records = Array.from({ length: 6 }, (_, index) =>
      signedRecordOf(ALICE, { sequence: UNIX_START + index }),
    )
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 12 }), (order) => {
        const directory = new Directory({ emit: () => undefined })
        let newest = -1
        for (const index of order) {
          const record = records[index]
          assert.ok(record)
          const accepted = directory.accept(record, anybody, nowAt(0))
          if (index < newest) assert.equal(accepted, drop('record-rollback'))
          else assert.equal(!isDropped(accepted) && accepted.newer, index > newest)
          newest = Math.max(newest, index)
        }
        const known = directory.get(ALICE.publicKey, UNIX_START)
        assert.equal(known?.record.sequence, UNIX_START + newest)
      }),
      { numRuns: 20 },
    )
  })
})

describe('a record that an earlier run remembered', () => {
  const remembered = [
    signedRecordOf(ALICE, { sequence: NEWEST - 5 }),
    signedRecordOf(ALICE, { sequence: NEWEST }),
    new Uint8Array(5),
  ]

  it('is known while it lives, though not as one that was just heard of', () => {
    const directory = new Directory({ emit: () => undefined, remembered })
    const known = directory.get(ALICE.publicKey, UNIX_START)
    assert.equal(known?.record.sequence, NEWEST)
    assert.equal(known.heardAt, Number.NEGATIVE_INFINITY)
    assert.equal(directory.get(ALICE.publicKey, after(UNIX_START, 2 * HOUR)), undefined)
  })

  it('lets nothing older in, also once it has expired', () => {
    for (const ms of [0, 3 * HOUR]) {
      const directory = new Directory({ emit: () => undefined, remembered })
      const times = { issuedAt: after(UNIX_START, ms), expiresAt: after(UNIX_START, ms + HOUR) }
      const older = signedRecordOf(ALICE, { ...times, sequence: NEWEST - 1 })
      assert.equal(directory.accept(older, anybody, nowAt(ms)), drop('record-rollback'))
      const newer = signedRecordOf(ALICE, { ...times, sequence: NEWEST + 1 })
      assert.equal(isDropped(directory.accept(newer, anybody, nowAt(ms))), false)
    }
  })

  it('counts for nothing where it is more than two hours ahead: our clock was wrong, and the log says so', () => {
    const log = new EffectLog()
    const ahead = signedRecordOf(ALICE, { sequence: UNIX_START + 2 * HOUR + 1 })
    const directory = new Directory({ emit: log.emit, remembered: [ahead] })
    const accepted = directory.accept(signedRecordOf(ALICE), anybody, nowAt(0))
    assert.equal(!isDropped(accepted) && accepted.newer, true)
    assert.deepEqual(
      log.take().map(({ type }) => type),
      ['log', 'remember'],
    )
    assert.equal(directory.get(ALICE.publicKey, UNIX_START)?.record.sequence, UNIX_START)
    // The time comes at which it counts.
    const other = new Directory({ emit: log.emit, remembered: [ahead] })
    assert.equal(other.accept(signedRecordOf(ALICE), anybody, nowAt(1)), drop('record-rollback'))
  })
})
