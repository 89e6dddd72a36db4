import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DropReason, drop } from '../../../src/base/drops.js'
import { after, asInstant, asUnixTime, type Now } from '../../../src/base/time.js'
import { judgeKnock, RecordVerdicts } from '../../../src/io/mesh/gossipVerdicts.js'
import { MemoryFloors } from '../../../src/io/mesh/memoryFloors.js'
import { gossipedRecord, judgeGossipedRecord, newAuthor } from './gossiping.js'

const start: Now = { instant: asInstant(1_000), unix: asUnixTime(1_000_000) }
const then = (ms: number): Now => ({ instant: after(start.instant, ms), unix: after(start.unix, ms) })
const verdicts = () => new RecordVerdicts(judgeGossipedRecord, new MemoryFloors(), start)

test('a newer record is accepted, an older one ignored, and so is another one of the same number', () => {
  const judge = verdicts()
  const author = newAuthor()
  const says = (sequence: number, filling?: number) =>
    judge.judge(gossipedRecord(author, sequence, filling), start)
  assert.equal(says(5).verdict, 'accept')
  assert.deepEqual(says(4), { verdict: 'ignore', reason: 'record-rollback' })
  assert.deepEqual(says(5, 1), { verdict: 'ignore', reason: 'record-rollback' })
  assert.equal(says(6).verdict, 'accept')
  assert.equal(judge.judge(gossipedRecord(newAuthor(), 1), start).verdict, 'accept')
})

test('a forged record is rejected, and raises no floor', () => {
  const judge = verdicts()
  const author = newAuthor()
  const forged = gossipedRecord(author, 9)
  forged[1535] = (forged[1535] ?? 0) ^ 1
  assert.deepEqual(judge.judge(forged, start), { verdict: 'reject', reason: 'record-bad-signature' })
  assert.equal(judge.judge(gossipedRecord(author, 1), start).verdict, 'accept')
})

test('what only another clock would let pass is not held against who sent it', () => {
  const verdictOn = (reason: DropReason) =>
    new RecordVerdicts(() => drop(reason), new MemoryFloors(), start).judge(new Uint8Array(1536), start)
  for (const reason of ['record-expired', 'record-from-future', 'record-rollback'] as const)
    assert.deepEqual(verdictOn(reason), { verdict: 'ignore', reason })
  for (const reason of ['record-malformed', 'record-unknown-version', 'record-bad-signature'] as const)
    assert.deepEqual(verdictOn(reason), { verdict: 'reject', reason })
})

test('an author has some changes at once, and then one each five seconds; others are not touched by it', () => {
  const judge = verdicts()
  const author = newAuthor()
  let sequence = 0
  const next = (now: Now) => judge.judge(gossipedRecord(author, ++sequence), now).verdict
  assert.deepEqual(
    Array.from({ length: 7 }, () => next(start)),
    ['accept', 'accept', 'accept', 'accept', 'accept', 'ignore', 'ignore'],
  )
  assert.equal(judge.judge(gossipedRecord(newAuthor(), 1), start).verdict, 'accept')
  assert.equal(next(then(4_999)), 'ignore')
  assert.equal(next(then(5_000)), 'accept')
  assert.equal(next(then(5_000)), 'ignore')
})

test('a knock of another version is rejected', () => {
  assert.deepEqual(judgeKnock(Uint8Array.of(1, 2, 3)), { verdict: 'accept' })
  for (const bytes of [Uint8Array.of(0), Uint8Array.of(2), new Uint8Array()])
    assert.deepEqual(judgeKnock(bytes), { verdict: 'reject', reason: 'knock-unknown-version' })
})
