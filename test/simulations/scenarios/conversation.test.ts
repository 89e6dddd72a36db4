import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Ping } from '../../../simulations/hosts/pinger.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Conversation, Tally } from '../../../simulations/scenarios/conversation.js'
import { Waits } from '../../../simulations/scenarios/waits.js'
import { publicKeyFromBytes } from '../../../src/base/publicKey.js'

const SECOND = 1_000

describe('a conversation', () => {
  it('pings at its pace while it lasts, and counts the answers', () => {
    const { queue, conversation, tally, sent } = talking(() => 40)
    conversation.begin(SECOND)
    queue.run(10.5 * SECOND)
    conversation.end()
    queue.run(60 * SECOND)
    assert.equal(sent.length, 11)
    assert.deepEqual({ ...tally }, { pings: 11, answered: 11, lost: 0, lostWaiting: 0 })
  })

  it('counts a ping as lost that has no answer within ten seconds', () => {
    const { queue, conversation, tally } = talking((number) => (number % 5 === 0 ? undefined : 40))
    conversation.begin(SECOND)
    queue.run(19.5 * SECOND)
    conversation.end()
    queue.run(60 * SECOND)
    assert.deepEqual({ ...tally }, { pings: 20, answered: 16, lost: 4, lostWaiting: 0 })
  })

  it('that waits pings more often, and is answered by a ping that was sent since', () => {
    const { queue, conversation, sent } = talking((number) => (number < 8 ? undefined : 40))
    const waits = new Waits()
    queue.run(5 * SECOND)
    conversation.expect(waits, { what: 'it began', isPromised: true })
    conversation.begin(SECOND)
    queue.run(3 * SECOND)
    assert.equal(sent.length, 11)
    const answered = waits.measurement('wait', 'the wait')
    assert.ok('distribution' in answered)
    // Seven pings were lost, 100 ms apart; the eighth was answered after 40 ms.
    assert.equal(answered.distribution.max, 740)
  })

  it('is not answered by what was sent before the wait began', () => {
    const { queue, conversation } = talking((number) => (number === 1 ? 500 : undefined))
    const waits = new Waits()
    conversation.begin(SECOND)
    queue.run(100)
    conversation.expect(waits, { what: 'it moved', isPromised: true })
    queue.run(30 * SECOND)
    conversation.end()
    assert.deepEqual(waits.expectation('e', 'e').broken, ['it moved had no answer in 30.0 s'])
  })

  it('gives up a wait for another one', () => {
    const { queue, conversation } = talking(() => undefined)
    const [first, second] = [new Waits(), new Waits()]
    conversation.begin(SECOND)
    conversation.expect(first, { what: 'one', isPromised: true })
    queue.run(20 * SECOND)
    conversation.expect(second, { what: 'two', isPromised: true })
    queue.run(20 * SECOND)
    conversation.end()
    assert.equal(first.expectation('e', 'e').broken.length, 0)
    assert.equal(second.expectation('e', 'e').broken.length, 1)
  })

  it('keeps nothing of what is over', () => {
    const { queue, conversation, tally } = talking(() => 40)
    conversation.begin(SECOND)
    queue.run(10_000 * SECOND)
    conversation.end()
    queue.run(SECOND)
    assert.equal(tally.answered, tally.pings)
    // Nothing is due any more: a run of any length has nothing to do.
    let due = 0
    queue.runUntil(() => {
      due += 1
      return false
    }, 1_000 * SECOND)
    assert.equal(due, 1)
  })
})

describe('waits', () => {
  const wait = (isPromised: boolean) => ({ what: 'a to b', isPromised })

  it('break a promise only where there was one, and one in a thousand may', () => {
    const waits = new Waits(10 * SECOND)
    waits.answered(wait(false), 60 * SECOND)
    waits.givenUp(wait(false), 60 * SECOND)
    waits.answered(wait(true), 10 * SECOND)
    assert.deepEqual(waits.expectation('e', 'e').broken, [])
    waits.answered(wait(true), 10.1 * SECOND)
    assert.deepEqual(waits.expectation('e', 'e').broken, ['a to b waited 10.1 s'])
    for (let count = 0; count < 998; count++) waits.answered(wait(true), 100)
    assert.deepEqual(waits.expectation('e', 'e').broken, [])
    waits.givenUp(wait(true), 12 * SECOND)
    assert.equal(waits.expectation('e', 'e').broken.length, 2)
  })

  it('that were cut short say nothing of the promise', () => {
    const waits = new Waits(10 * SECOND)
    waits.givenUp(wait(true), 9 * SECOND)
    const expectation = waits.expectation('e', 'all are answered')
    assert.deepEqual(expectation, {
      name: 'e',
      what: 'all are answered within 10 s, 99.9 % of 0',
      broken: [],
    })
  })
})

/** A conversation whose n-th ping is answered after so many milliseconds; undefined for never. */
function talking(answer: (number: number) => number | undefined) {
  const queue = new EventQueue(0, 0)
  const tally = new Tally()
  const sent: Ping[] = []
  const peer = publicKeyFromBytes(new Uint8Array(32).fill(1))
  const send = (): Ping => {
    const ping: Ping = { peer, sentAt: queue.elapsed, answeredAt: undefined }
    sent.push(ping)
    const ms = answer(sent.length)
    if (ms !== undefined)
      queue.in(ms, () => {
        ping.answeredAt = queue.elapsed
      })
    return ping
  }
  return { queue, tally, sent, conversation: new Conversation(queue, send, tally) }
}
