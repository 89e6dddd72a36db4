import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { fromString } from 'uint8arrays'
import { MAX_STORED_RECORDS } from '../../../src/io/mesh/recordStore.js'
import { REQUEST_LIMITS, type RequestLimits } from '../../../src/io/mesh/requests.js'
import { usedMemory } from '../../usedMemory.js'
import {
  addressOf,
  collect,
  newKey,
  soon,
  startTestMesh,
  type TestMesh,
  testRecord,
  until,
} from './meshes.js'
import { SilentProxy } from './proxy.js'
import {
  ADD_PROVIDER,
  FIND_NODE,
  GET_PROVIDERS,
  GET_VALUE,
  PUT_VALUE,
  putOf,
  request,
  requestAll,
  requestOf,
} from './rawDht.js'
import { connectRaw } from './rawNode.js'

const FLOOD = 10_000
const much = { perSecond: 1_000_000, burst: 1_000_000 }
const none = { perSecond: 0.000_001, burst: 0 }
const UNLIMITED: RequestLimits = {
  storing: { eachNeighbour: much, eachAddress: much, all: much },
  asking: { eachNeighbour: much, eachAddress: much, all: much },
}

/** A neighbour whose connection comes from another address than those of all others here. */
async function stranger(t: TestContext, server: TestMesh, localAddress = '127.0.0.2') {
  return connectRaw(t, (await SilentProxy.start(t, addressOf(server), localAddress)).address)
}

function* range(count: number): Generator<number> {
  for (let n = 0; n < count; n++) yield n
}

function* map<From, To>(items: Iterable<From>, make: (item: From) => To): Generator<To> {
  for (const item of items) yield make(item)
}

const key = (n: number | string) => fromString(`/record/${n}`)
const counted = (server: TestMesh) => {
  const counts: Record<string, number> = {}
  for (const reason of server.drops) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}

test('10,000 forged records: none is stored, the memory stays, and others are served', async (t) => {
  const server = await startTestMesh(t, { serves: true, requestLimits: UNLIMITED })
  const author = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  const own = newKey()
  assert.equal(await author.publish(own, testRecord(1), soon()), 1)
  const attacker = await stranger(t, server)
  const forged = (n: number) => putOf(key(n), fromString(`forged ${n}`.padEnd(1_500)))
  const flood = function* (from: number, to: number) {
    for (let n = from; n < to; n++) yield forged(n)
  }
  assert.equal((await requestAll(attacker, flood(0, FLOOD / 5))).answered, 0)
  const before = usedMemory()
  assert.equal((await requestAll(attacker, flood(FLOOD / 5, FLOOD))).answered, 0)
  // kad-dht holds on to each stream for ten seconds.
  await until(() => usedMemory() - before < 8_000_000)
  assert.deepEqual(counted(server), { 'record-bad-signature': FLOOD })
  assert.equal(server.state().storedRecords, 1)
  assert.deepEqual(await collect(author.lookUp(own, soon())), [testRecord(1)])
})

test('10,000 validly signed records under fresh keys: whoever stores them displaces his own', async (t) => {
  const server = await startTestMesh(t, { serves: true, requestLimits: UNLIMITED })
  const bootstrap = [addressOf(server)]
  const author = await startTestMesh(t, { bootstrap })
  const own = Array.from({ length: 20 }, newKey)
  for (const key of own) assert.equal(await author.publish(key, testRecord(2), soon()), 1)

  const attacker = await stranger(t, server)
  const valid = map(range(FLOOD), (n) => putOf(key(n), testRecord(1, `${n}`.padEnd(1_500))))
  assert.deepEqual(await requestAll(attacker, valid), { answered: FLOOD, refused: 0 })
  // Neither what is delivered again nor an older one changes whose it is, or what it is.
  await requestAll(
    attacker,
    own.map((key) => putOf(key, testRecord(2))),
  )
  await requestAll(
    attacker,
    own.map((key) => putOf(key, testRecord(1))),
  )
  assert.deepEqual(counted(server), { 'record-rollback': own.length })
  await requestAll(
    attacker,
    map(range(MAX_STORED_RECORDS), (n) => putOf(key(`more ${n}`), testRecord(1))),
  )
  assert.equal(server.state().storedRecords, MAX_STORED_RECORDS)
  const reader = await startTestMesh(t, { bootstrap })
  for (const key of own) assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(2)])
})

test('a neighbour has its limit, which is tested before a signature is verified', async (t) => {
  let judged = 0
  const server = await startTestMesh(t, {
    serves: true,
    judge: () => {
      judged += 1
      return { sequence: 1 }
    },
  })
  const attacker = await stranger(t, server)
  const { answered, refused } = await requestAll(
    attacker,
    map(range(1_000), (n) => putOf(key(n), testRecord(1))),
  )
  assert.equal(answered, judged)
  assert.deepEqual(counted(server), { 'record-rate-limited': refused })
  const { burst } = REQUEST_LIMITS.storing.eachNeighbour
  assert.ok(answered >= burst && answered < 1_000, `${answered}`)
  // Another one at another address has its own.
  const other = await stranger(t, server, '127.0.0.3')
  assert.ok(await request(other, putOf(key('other'), testRecord(1))))
})

test('all neighbours at one address have one limit, and those elsewhere their own', async (t) => {
  const two = { perSecond: 0.000_001, burst: 2 }
  const server = await startTestMesh(t, {
    serves: true,
    requestLimits: { ...UNLIMITED, storing: { eachNeighbour: much, eachAddress: two, all: much } },
  })
  const answers: boolean[] = []
  for (const at of ['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3']) {
    const neighbour = await stranger(t, server, at)
    answers.push((await request(neighbour, putOf(key(answers.length), testRecord(1)))) !== undefined)
  }
  assert.deepEqual(answers, [true, true, false, true])
})

test('many identities at one address use up what that address may, and nothing of what is for all', async (t) => {
  const once = { perSecond: 0.000_001, burst: 1 }
  const twice = { ...once, burst: 2 }
  const thrice = { ...once, burst: 3 }
  const server = await startTestMesh(t, {
    serves: true,
    requestLimits: { ...UNLIMITED, storing: { eachNeighbour: once, eachAddress: twice, all: thrice } },
  })
  const answers: boolean[] = []
  for (const at of ['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3']) {
    const neighbour = await stranger(t, server, at)
    answers.push((await request(neighbour, putOf(key(answers.length), testRecord(1)))) !== undefined)
  }
  assert.deepEqual(answers, [true, true, false, false, true])
})

test('other requests have limits too, and those for providers are refused', async (t) => {
  const two = { perSecond: 0.000_001, burst: 4 }
  const server = await startTestMesh(t, {
    serves: true,
    requestLimits: {
      storing: { eachNeighbour: none, eachAddress: none, all: none },
      asking: { eachNeighbour: two, eachAddress: much, all: much },
    },
  })
  const neighbour = await stranger(t, server)
  const id = fromString('an identity of 32 bytes, or a key')
  assert.ok(await request(neighbour, requestOf(GET_VALUE, key('a'))))
  assert.ok(await request(neighbour, requestOf(FIND_NODE, id)))
  assert.equal(await request(neighbour, requestOf(ADD_PROVIDER, id)), undefined)
  assert.equal(await request(neighbour, requestOf(GET_PROVIDERS, id)), undefined)
  assert.deepEqual(counted(server), { 'dht-unsupported': 2 })
  assert.equal(await request(neighbour, requestOf(GET_VALUE, key('a'))), undefined)
  assert.equal(await request(neighbour, requestOf(FIND_NODE, id)), undefined)
  assert.deepEqual(counted(server), { 'dht-unsupported': 2, 'dht-rate-limited': 2 })
  assert.equal(await request(neighbour, putOf(key('a'), testRecord(1))), undefined)
  assert.equal(counted(server)['record-rate-limited'], 1)
})

test('what is no record, or is under another key than it says, is refused', async (t) => {
  const server = await startTestMesh(t, { serves: true, judge: () => ({ sequence: 1 }) })
  const neighbour = await stranger(t, server)
  const inner = putOf(key('a'), testRecord(1)).subarray(2)
  for (const message of [
    requestOf(PUT_VALUE, key('a')),
    requestOf(PUT_VALUE, key('a'), Uint8Array.of(255, 255)),
    requestOf(PUT_VALUE, key('a'), new Uint8Array()),
    Uint8Array.of(8, PUT_VALUE, ...inner.subarray(3 + key('a').length)),
    putOf(fromString('/record/'), testRecord(1)),
    putOf(fromString('/pk/abc'), testRecord(1)),
    putOf(fromString(`/record/${'x'.repeat(300)}`), testRecord(1)),
  ])
    assert.equal(await request(neighbour, message), undefined)
  assert.deepEqual(new Set(server.drops), new Set(['record-malformed']))
  assert.equal(server.state().storedRecords, 0)
})

test('a stream that sends more than a request is cut off', async (t) => {
  const server = await startTestMesh(t, { serves: true })
  const neighbour = await stranger(t, server)
  const message = requestOf(GET_VALUE, key('a'), new Uint8Array(1_000_000))
  assert.equal(await request(neighbour, message), undefined)
  await until(() => server.drops.includes('dht-too-large'))
  assert.deepEqual(counted(server), { 'dht-too-large': 1 })
  assert.ok(await request(neighbour, requestOf(GET_VALUE, key('a'))))
})
