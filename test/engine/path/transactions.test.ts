import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.js'
import { isLate, Transactions } from '../../../src/engine/path/transactions.js'
import { at, START } from '../virtualTime.js'

describe('an answer', () => {
  it('is late more than ten seconds after the question', () => {
    const transaction = { subject: 'a', sentAt: at(5) }
    assert.equal(isLate(transaction, at(5)), false)
    assert.equal(isLate(transaction, at(10_005)), false)
    assert.equal(isLate(transaction, at(10_006)), true)
  })
})

describe('transactions', () => {
  it('are found by their id until they end', () => {
    const transactions = new Transactions<string>(seededRandom(1), 10)
    const id = transactions.begin('a', at(5))
    assert.equal(id.length, 12)
    assert.deepEqual(transactions.get(id.slice()), { subject: 'a', sentAt: at(5) })
    transactions.end(id.slice())
    assert.equal(transactions.get(id), undefined)
  })

  it('have ids of the random source, each its own', () => {
    const transactions = new Transactions<number>(seededRandom(1), 1_000)
    const ids = Array.from({ length: 1_000 }, (_, index) => transactions.begin(index, START))
    assert.equal(new Set(ids.map(String)).size, 1_000)
    assert.deepEqual(ids[0], seededRandom(1).bytes(12))
    assert.deepEqual(
      ids.map((id) => transactions.get(id)?.subject),
      ids.map((_, index) => index),
    )
  })

  it('are bounded, and the oldest is forgotten first', () => {
    const transactions = new Transactions<number>(seededRandom(1), 3)
    const ids = Array.from({ length: 8 }, (_, index) => transactions.begin(index, START))
    const subjects = ids.map((id) => transactions.get(id)?.subject)
    assert.deepEqual(subjects, [undefined, undefined, undefined, undefined, undefined, 5, 6, 7])
  })

  it('do not crowd each other out while there is room', () => {
    const transactions = new Transactions<number>(seededRandom(1), 2)
    const kept = transactions.begin(0, START)
    for (let index = 1; index < 100; index++) transactions.end(transactions.begin(index, START))
    assert.equal(transactions.get(kept)?.subject, 0)
  })

  it('can be forgotten by their subject', () => {
    const transactions = new Transactions<string>(seededRandom(1), 10)
    const a = transactions.begin('a', START)
    const b = transactions.begin('b', START)
    transactions.forget((subject) => subject === 'a')
    assert.equal(transactions.get(a), undefined)
    assert.equal(transactions.get(b)?.subject, 'b')
  })
})
