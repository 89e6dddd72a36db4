import assert from 'node:assert/strict'
import { it } from 'node:test'
import { BlindedKeys } from '../../../src/engine/directory/blindedKeys.js'
import { LookUps } from '../../../src/engine/directory/lookUps.js'
import { periodOf } from '../../../src/wire/period.js'
import { EffectLog } from '../effectLog.js'
import { testNode } from '../nodes.js'
import { START, UNIX_START } from '../virtualTime.js'

const ALICE = testNode(1)
const BOB = testNode(2)

it('of one author only one look-up is under way, whoever wants it', () => {
  const log = new EffectLog()
  const keys = new BlindedKeys(ALICE.sealing)
  keys.add(BOB.publicKey, START)
  const lookUps = new LookUps(keys, log.emit)
  const key = ALICE.sealing.blindedKey(BOB.publicKey, periodOf(UNIX_START))
  const lookUp = { type: 'look-up', peer: BOB.publicKey, keys: [key] }
  lookUps.begin(BOB.publicKey, UNIX_START)
  lookUps.begin(BOB.publicKey, UNIX_START)
  assert.deepEqual(log.take(), [lookUp])
  assert.equal(lookUps.isUnderWay(BOB.publicKey), true)
  lookUps.begin(ALICE.publicKey, UNIX_START)
  assert.equal(log.take().length, 1)
  lookUps.ended(BOB.publicKey)
  assert.equal(lookUps.isUnderWay(BOB.publicKey), false)
  lookUps.begin(BOB.publicKey, UNIX_START)
  assert.deepEqual(log.take(), [lookUp])
})
