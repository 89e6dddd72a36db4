import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { drop, isDropped } from '../../../src/base/drops.js'
import type { RecordJudge } from '../../../src/io/mesh/recordStore.js'
import { PersistentMap } from '../../../src/io/persistentMap.js'
import {
  type BadAnswer,
  closes,
  message,
  neverAnswers,
  nothing,
  record,
  resets,
  startBadStorer,
  stopsInTheMidst,
} from './badStorer.js'
import {
  addressOf,
  collect,
  judgeTestRecord,
  newKey,
  soon,
  startServers,
  startTestMesh,
  testRecord,
  until,
} from './meshes.js'
import { SilentProxy } from './proxy.js'
import { GET_VALUE, putOf, requestOf } from './rawDht.js'

test('what one client publishes, all others look up', async (t) => {
  const servers = await startServers(t, 2)
  const bootstrap = servers.map(addressOf)
  const clients = await Promise.all(Array.from({ length: 4 }, () => startTestMesh(t, { bootstrap })))
  const [author, ...readers] = clients
  assert(author)
  await until(() => author.state().servers.length === 2)
  const key = newKey()
  assert.equal(await author.publish(key, testRecord(7, 'here'), soon()), 2)
  for (const reader of readers)
    assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(7, 'here')])
  assert.deepEqual(await collect(author.lookUp(newKey(), soon())), [])
})

test('a node that just started publishes and looks up as soon as it reaches a server', async (t) => {
  const [server] = await startServers(t, 1)
  const key = newKey()
  const author = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  assert.equal(await author.publish(key, testRecord(1), soon()), 1)
  const reader = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(1)])
})

test('a reader who knows one server finds what only another holds', async (t) => {
  const [first, second] = await startServers(t, 2)
  assert(second)
  const key = newKey()
  await until(() => second.state().routingTable === 1)
  await second.publish(key, testRecord(3), soon())
  const reader = await startTestMesh(t, { bootstrap: [addressOf(first)] })
  assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(3)])
})

test('an older record does not overwrite a newer one where it is stored', async (t) => {
  const [server] = await startServers(t, 1)
  const bootstrap = [addressOf(server)]
  const [author, replayer, reader] = await Promise.all([
    startTestMesh(t, { bootstrap }),
    startTestMesh(t, { bootstrap }),
    startTestMesh(t, { bootstrap }),
  ])
  const key = newKey()
  assert.equal(await author.publish(key, testRecord(5), soon()), 1)
  assert.equal(await replayer.publish(key, testRecord(4), soon()), 0)
  assert.equal(await replayer.publish(key, testRecord(5, 'another of the same number'), soon()), 0)
  assert.deepEqual(server.drops, ['record-rollback', 'record-rollback'])
  assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(5)])
  assert.equal(await author.publish(key, testRecord(5), soon()), 1)
  assert.equal(await author.publish(key, testRecord(6), soon()), 1)
  assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(6)])
})

const acceptAll: RecordJudge = () => ({ sequence: 1 })

test('what is forged, malformed or too large is refused by the writer and by those who store', async (t) => {
  const [server] = await startServers(t, 1)
  const bootstrap = [addressOf(server)]
  const honest = await startTestMesh(t, { bootstrap })
  const hostile = await startTestMesh(t, { bootstrap, judge: acceptAll })
  const forged = fromString('forged')
  const tooLarge = testRecord(1, 'x'.repeat(2048))
  await assert.rejects(honest.publish(newKey(), forged, soon()), /record-bad-signature/)
  assert.equal(await hostile.publish(newKey(), forged, soon()), 0)
  assert.equal(await hostile.publish(newKey(), tooLarge, soon()), 0)
  assert.equal(await hostile.publish(newKey(), new Uint8Array(), soon()), 0)
  assert.deepEqual(server.drops, ['record-bad-signature', 'record-too-large', 'record-malformed'])
  assert.equal(server.state().storedRecords, 0)
})

test('a key of another form stores nothing', async (t) => {
  const [server] = await startServers(t, 1)
  const client = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  for (const key of ['record', '/record', '/other/abc', '/pk/abc'])
    assert.equal(await client.publish(fromString(key), testRecord(1), soon()), 0, key)
  assert.equal(server.state().storedRecords, 0)
})

test('storers that return forged and old records do not keep readers from the newest', async (t) => {
  const lenient = await startTestMesh(t, { serves: true, judge: acceptAll })
  const outdated = await startTestMesh(t, { serves: true })
  const key = newKey()
  const forger = await startTestMesh(t, { bootstrap: [addressOf(lenient)], judge: acceptAll })
  assert.equal(await forger.publish(key, fromString('forged'), soon()), 1)
  const early = await startTestMesh(t, { bootstrap: [addressOf(outdated)] })
  assert.equal(await early.publish(key, testRecord(1), soon()), 1)

  const good = await startTestMesh(t, { serves: true })
  const author = await startTestMesh(t, { bootstrap: [addressOf(good)] })
  assert.equal(await author.publish(key, testRecord(2), soon()), 1)

  const bootstrap = [lenient, outdated, good].map(addressOf)
  const reader = await startTestMesh(t, { bootstrap })
  await until(() => reader.state().servers.length === 3)
  const found = await collect(reader.lookUp(key, soon()))
  assert.deepEqual(new Set(found.map((record) => record[4])), new Set([1, 2]))
  assert(reader.drops.includes('record-bad-signature'))
})

/** A test record is of the key that its text begins with. */
const judgeKeyToo: RecordJudge = (key, value) => {
  const verdict = judgeTestRecord(key, value)
  if (isDropped(verdict)) return verdict
  return toText(value.subarray(5)).startsWith(toText(key)) ? verdict : drop('record-wrong-author')
}

test('no storer holds a reader or an author up, whatever it answers, and however slowly', async (t) => {
  const [key, other] = [newKey(), newKey()]
  const newest = testRecord(9, toText(key))
  const forged = Uint8Array.from(newest, (byte, at) => (at === 0 ? 7 : byte))
  const bad: Readonly<Record<string, BadAnswer>> = {
    old: record(key, testRecord(2, toText(key))),
    forged: record(key, forged),
    'truncated record': record(key, newest.subarray(0, 3)),
    'truncated message': message(putOf(key, newest).subarray(0, 60)),
    "another key's record": record(key, testRecord(99, toText(other))),
    "another key's record, under that key": record(other, testRecord(99, toText(other))),
    'no record that decodes': message(requestOf(GET_VALUE, key, Uint8Array.of(255, 255, 255))),
    rubbish: message(Uint8Array.from({ length: 300 }, (_, n) => (n * 7919) & 255)),
    nothing: nothing(key),
    'an empty message': message(new Uint8Array()),
    closes,
    resets,
    'never answers': neverAnswers,
    'stops in the midst': stopsInTheMidst,
  }
  const good = await startTestMesh(t, { serves: true, judge: judgeKeyToo })
  const author = await startTestMesh(t, { bootstrap: [addressOf(good)], judge: judgeKeyToo })
  assert.equal(await author.publish(key, newest, soon()), 1)
  const storers = new Map<string, string>()
  for (const [what, answer] of Object.entries(bad)) storers.set(what, await startBadStorer(t, answer))

  // Each alone beside the good one, which is enough for most; then as many as are asked at once.
  const names = [...storers.keys()]
  const sets = [...names.map((name) => [name]), names.slice(0, 7), names.slice(7)]
  for (const set of sets) {
    const bootstrap = [addressOf(good), ...set.map((name) => storers.get(name) ?? assert.fail())]
    const reader = await startTestMesh(t, { bootstrap, judge: judgeKeyToo })
    await until(() => reader.state().servers.length === bootstrap.length)
    const signal = soon()
    const found = await collect(reader.lookUp(key, signal))
    const newer = testRecord(10, toText(key))
    const acknowledged = await reader.publish(key, newer, signal)
    assert.ok(!signal.aborted, set.join())
    assert.ok(found.length <= 2 && found.some((value) => (value[4] ?? 0) >= 9), set.join())
    for (const value of found) assert.ok(!isDropped(judgeKeyToo(key, value)), set.join())
    // Only one that repeats the very record counts.
    assert.equal(acknowledged, 1, set.join())
    await reader.stop()
  }
})

test('what a node stored is there when it starts again, and cannot be rolled back', async (t) => {
  const datastore = new PersistentMap()
  const first = await startTestMesh(t, { serves: true, datastore })
  const author = await startTestMesh(t, { bootstrap: [addressOf(first)] })
  const key = newKey()
  assert.equal(await author.publish(key, testRecord(5), soon()), 1)
  await first.stop()
  const second = await startTestMesh(t, { serves: true, datastore })
  assert.equal(second.state().storedRecords, 1)
  const reader = await startTestMesh(t, { bootstrap: [addressOf(second)] })
  assert.deepEqual(await collect(reader.lookUp(key, soon())), [testRecord(5)])
  assert.equal(await reader.publish(key, testRecord(4), soon()), 0)
  assert.deepEqual(second.drops, ['record-rollback'])
})

test('a record that is no longer valid is not given out', async (t) => {
  let expired = false
  const judge: RecordJudge = (key, value) => (expired ? drop('record-expired') : judgeTestRecord(key, value))
  const server = await startTestMesh(t, { serves: true, judge })
  const client = await startTestMesh(t, { bootstrap: [addressOf(server)] })
  const key = newKey()
  assert.equal(await client.publish(key, testRecord(1), soon()), 1)
  expired = true
  assert.deepEqual(await collect(client.lookUp(key, soon())), [])
  assert.equal(server.state().storedRecords, 0)
})

test('a server that died leaves the routing table with the first query that meets it', async (t) => {
  const [alive, dying] = await startServers(t, 2)
  assert(dying)
  const client = await startTestMesh(t, { bootstrap: [addressOf(alive)] })
  await until(() => client.state().routingTable === 2 && client.state().reservations === 2)
  await dying.stop()
  await until(() => client.state().connections === 1)
  assert.equal(await client.publish(newKey(), testRecord(1), soon()), 1)
  await until(() => client.state().routingTable === 1)
})

test('a server that hangs does not hold a publication up, and gets the record when it goes on', async (t) => {
  const [alive, hanging] = [
    await startTestMesh(t, { serves: true }),
    await startTestMesh(t, { serves: true }),
  ]
  const proxy = await SilentProxy.start(t, addressOf(hanging))
  const client = await startTestMesh(t, { bootstrap: [addressOf(alive), proxy.address] })
  await until(() => client.state().servers.length === 2 && client.state().reservations === 2)
  proxy.hold()
  const key = newKey()
  assert.equal(await client.publish(key, testRecord(1), soon()), 1)
  assert.equal(hanging.state().storedRecords, 0)
  proxy.resume()
  await until(() => hanging.state().storedRecords === 1)
})

test('without a server, publishing and looking up wait and can be called off', async (t) => {
  const lonely = await startTestMesh(t)
  await assert.rejects(lonely.publish(newKey(), testRecord(1), soon(20)), { name: 'TimeoutError' })
  await assert.rejects(collect(lonely.lookUp(newKey(), soon(20))), { name: 'TimeoutError' })
})
