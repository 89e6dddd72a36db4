import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RPC } from '@libp2p/gossipsub/message'
import { after, asInstant, MINUTE, SECOND } from '../../../src/base/time.js'
import { GossipIntake, MAX_IDS, messageId, SEEN_MS } from '../../../src/io/mesh/gossipIntake.js'

const start = asInstant(1_000)
const LENGTH = 8

function intake(each = 100, all = 1_000) {
  const faults: string[] = []
  const drops: string[] = []
  const limits = { each: { perSecond: 1, burst: each }, all: { perSecond: 1, burst: all } }
  const subject = new GossipIntake(
    new Map([
      ['a', { length: LENGTH, ...limits }],
      ['b', { length: LENGTH, ...limits }],
    ]),
    (neighbour) => faults.push(neighbour),
    (reason) => drops.push(reason),
    start,
  )
  const takes = (neighbour: string, message: RPC.Message, now = start) =>
    subject.admit(neighbour, { subscriptions: [], messages: [message] }, now).messages.length === 1
  const trims = (control: Partial<RPC.ControlMessage>) =>
    subject.admit('n', { subscriptions: [], messages: [], control: { ...NO_CONTROL, ...control } }, start)
      .control
  return { subject, faults, drops, takes, trims }
}

const NO_CONTROL: RPC.ControlMessage = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }

let made = 0
function message(topic = 'a', length = LENGTH): RPC.Message {
  const data = new Uint8Array(length)
  if (length >= 4) new DataView(data.buffer).setUint32(0, ++made)
  return { topic, data }
}

test('a message of the right length under a known topic is taken', () => {
  const { takes, faults } = intake()
  assert.ok(takes('n', message()))
  assert.deepEqual(faults, [])
})

test('a message of another topic is not taken, and is no fault', () => {
  const { takes, faults } = intake()
  assert.equal(takes('n', message('c')), false)
  assert.deepEqual(faults, [])
})

test('a wrong length is a fault, and so is any field of an author', () => {
  const { takes, faults, drops } = intake()
  assert.equal(takes('n', message('a', LENGTH - 1)), false)
  assert.equal(takes('n', message('a', LENGTH + 1)), false)
  assert.equal(takes('n', message('a', 0)), false)
  assert.equal(takes('n', { topic: 'a' }), false)
  for (const field of ['from', 'seqno', 'signature', 'key'])
    assert.equal(takes('n', { ...message(), [field]: new Uint8Array(1) }), false)
  assert.deepEqual(faults, Array(8).fill('n'))
  assert.deepEqual(drops, Array(8).fill('gossip-malformed'))
})

test('a neighbour that sends too much is not heard for a while, and it is no fault; others are heard', () => {
  const { takes, faults, drops } = intake(2)
  assert.deepEqual(
    [1, 2, 3].map(() => takes('n', message())),
    [true, true, false],
  )
  assert.ok(takes('m', message()))
  assert.ok(takes('n', message('b')))
  assert.ok(takes('n', message(), after(start, SECOND)))
  assert.deepEqual(faults, [])
  assert.deepEqual(drops, ['gossip-rate-limited'])
})

test('a message that was not taken for the rate of who brought it is taken from another neighbour', () => {
  const { takes } = intake(1)
  const wanted = message()
  assert.ok(takes('n', message()))
  assert.equal(takes('n', wanted), false)
  assert.ok(takes('m', wanted))
})

test('copies count against who brings them, and not against all', () => {
  const { takes } = intake(100, 2)
  const first = message()
  for (const neighbour of ['k', 'l', 'm', 'n']) assert.ok(takes(neighbour, first))
  assert.ok(takes('n', message()))
  assert.equal(takes('n', message()), false)
  assert.equal(takes('m', message()), false)
  assert.ok(takes('m', message('b')))
})

test('what comes back of our own messages counts against nobody else', () => {
  const { subject, takes } = intake(100, 1)
  const own = message()
  subject.sent(own.topic, own.data ?? new Uint8Array())
  assert.ok(takes('n', own))
  assert.ok(takes('n', message()))
})

test('the id of a message depends on its topic: refused under one, it passes under the other', () => {
  const data = new Uint8Array(LENGTH)
  assert.notDeepEqual(messageId('a', data), messageId('b', data))
  assert.notDeepEqual(messageId('a', data), messageId('a', new Uint8Array(LENGTH + 1)))
})

test('ids are forgotten, and no more are remembered than are taken in all', () => {
  const { subject, takes } = intake(100_000, 50)
  for (let count = 0; count < 10_000; count += 1) takes(String(count), message())
  assert.equal(subject.seen, 50)
  takes('n', message(), after(start, MINUTE))
  assert.equal(subject.seen, 51)
  takes('n', message(), after(start, SEEN_MS))
  assert.equal(subject.seen, 2)
})

test('of what neighbours have only some that are new are asked for, and of what they ask only some is sent', () => {
  const { subject, trims } = intake()
  const own = new Uint8Array(LENGTH)
  subject.sent('a', own)
  const ids = [messageId('a', own), ...Array.from({ length: 100 }, (_, id) => Uint8Array.of(id))]
  const control = trims({
    ihave: [
      { topicID: 'a', messageIDs: ids },
      { topicID: 'b', messageIDs: ids },
    ],
    iwant: [{ messageIDs: ids }, { messageIDs: ids }],
  })
  assert.deepEqual(control?.ihave, [{ topicID: 'a', messageIDs: ids.slice(1, 1 + MAX_IDS) }])
  assert.deepEqual(control?.iwant, [{ messageIDs: ids.slice(0, MAX_IDS) }])
})

test('a neighbour can neither send us to others, nor have us remember it for a time of its choice', () => {
  const { trims } = intake()
  const peers = [{ peerID: Uint8Array.of(1) }]
  const control = trims({
    graft: [{ topicID: 'a' }],
    prune: [{ topicID: 'a', peers, backoff: 1e9 }],
    idontwant: [{ messageIDs: [Uint8Array.of(1)] }],
  })
  assert.deepEqual(control, {
    ...NO_CONTROL,
    graft: [{ topicID: 'a' }],
    prune: [{ topicID: 'a', peers: [] }],
  })
})
