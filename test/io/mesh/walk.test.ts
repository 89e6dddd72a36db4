import '../../../src/io/nodeCompatibility.js'

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ASKED_AT_ONCE, DIALS_AT_ONCE, MAX_ASKED, REPLICATION } from '../../../src/engine/dht/query.js'
import { type Answer, distance, kadId } from '../../../src/io/mesh/dht.js'
import { type Walked, walk } from '../../../src/io/mesh/walk.js'
import { collect, newKey, soon } from './meshes.js'

async function makePeers(count: number): Promise<readonly PeerId[]> {
  return Promise.all(
    Array.from({ length: count }, async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))),
  )
}

function answer(...closer: readonly PeerId[]): Answer {
  return { value: undefined, closer: closer.map((id) => ({ id, multiaddrs: [] })) }
}

/** All nodes are connected unless it is said of which. */
function walked(request: Walked['request'], isConnected: Walked['isConnected'] = () => true): Walked {
  return { request, isConnected }
}

const [self = assert.fail()] = await makePeers(1)

test('from one node of a ring, the closest of all are found', async () => {
  const peers = await makePeers(40)
  const key = newKey()
  const target = kadId(key)
  const sorted = peers.toSorted((a, b) => Buffer.compare(distance(target, a), distance(target, b)))
  // Each knows the next three closer ones only.
  const request = async (peer: PeerId) => {
    const at = sorted.findIndex((other) => other.equals(peer))
    return answer(...sorted.slice(Math.max(0, at - 3), at))
  }
  const found = await collect(walk(key, sorted.slice(-1), self, walked(request), soon()))
  const asked = new Set(found.map(({ peer }) => peer.toString()))
  for (const peer of sorted.slice(0, 3)) assert(asked.has(peer.toString()))
  assert.equal(asked.size, found.length)
})

test('a node that hangs holds up no other answer', async () => {
  const peers = await makePeers(3)
  const [hanging = assert.fail()] = peers
  const over = new AbortController()
  const request = (peer: PeerId) =>
    peer.equals(hanging) ? new Promise<undefined>(() => {}) : Promise.resolve(answer())
  let answers = 0
  for await (const _ of walk(newKey(), peers, self, walked(request), over.signal)) {
    answers += 1
    if (answers === 2) over.abort()
  }
  assert.equal(answers, 2)
})

test('made-up closer nodes are not followed for ever', async () => {
  const peers = await makePeers(MAX_ASKED * 2)
  const target = kadId(newKey())
  let asked = 0
  const sorted = peers.toSorted((a, b) => Buffer.compare(distance(target, b), distance(target, a)))
  const request = async () => {
    asked += 1
    return answer(...sorted.slice(asked, asked + REPLICATION))
  }
  await collect(walk(newKey(), sorted.slice(0, 1), self, walked(request), soon()))
  assert(asked <= MAX_ASKED)
})

test('we ourselves are never asked, and nodes that fail are replaced by the next closest', async () => {
  const peers = await makePeers(REPLICATION * 2)
  const asked: PeerId[] = []
  const request = async (peer: PeerId) => {
    asked.push(peer)
    if (asked.length % 2 === 0) throw new Error('not reachable')
    return answer(self)
  }
  const found = await collect(walk(newKey(), peers, self, walked(request), soon()))
  assert(asked.every((peer) => !peer.equals(self)))
  assert.equal(found.length, REPLICATION)
})

test('a few nodes are asked at a time, and fewer dialled', async () => {
  const peers = await makePeers(REPLICATION)
  for (const [isConnected, expected] of [
    [true, ASKED_AT_ONCE],
    [false, DIALS_AT_ONCE],
  ] as const) {
    const over = new AbortController()
    let asked = 0
    const request = async () => {
      asked += 1
      queueMicrotask(() => over.abort())
      return new Promise<undefined>(() => {})
    }
    await collect(
      walk(
        newKey(),
        peers,
        self,
        walked(request, () => isConnected),
        over.signal,
      ),
    )
    assert.equal(asked, expected)
  }
})

test('nodes that hang are replaced by the next closest', async () => {
  const peers = await makePeers(REPLICATION * 2)
  const hanging = peers.slice(0, REPLICATION)
  const request = (peer: PeerId) =>
    hanging.includes(peer) ? new Promise<undefined>(() => {}) : Promise.resolve(answer())
  const over = new AbortController()
  let answers = 0
  for await (const _ of walk(
    newKey(),
    peers,
    self,
    walked(request, () => false),
    over.signal,
  )) {
    answers += 1
    if (answers === REPLICATION) over.abort()
  }
  assert.equal(answers, REPLICATION)
})

test('nodes that failed are asked a second time when nobody else is left, and no third time', async () => {
  const peers = await makePeers(3)
  const asked: PeerId[] = []
  const forgiven: PeerId[] = []
  const request = async (peer: PeerId) => {
    asked.push(peer)
    return peer === peers[0] || (peer === peers[1] && forgiven.includes(peer)) ? answer() : undefined
  }
  const forgive = (peer: PeerId) => {
    assert.equal(asked.length, peers.length)
    forgiven.push(peer)
  }
  const found = await collect(walk(newKey(), peers, self, { ...walked(request), forgive }, soon()))
  assert.deepEqual(
    found.map(({ peer }) => peer),
    peers.slice(0, 2),
  )
  assert.equal(asked.length, peers.length + 2)
})

test('an answer tells whether its giver is among the closest known', async () => {
  const peers = await makePeers(REPLICATION + 1)
  const key = newKey()
  const target = kadId(key)
  const [furthest = assert.fail(), ...closer] = peers.toSorted((a, b) =>
    Buffer.compare(distance(target, b), distance(target, a)),
  )
  const request = async (peer: PeerId) => (peer === furthest ? answer(...closer) : answer())
  const steps = await collect(walk(key, [furthest], self, walked(request), soon()))
  assert.deepEqual(
    steps.map(({ isClose }) => isClose),
    [false, ...closer.map(() => true)],
  )
})
