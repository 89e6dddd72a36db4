/**
 * Ten thousand of everything against one real node: none that is forged is accepted, what is valid and nobody's displaces
 * nothing of its peers, its memory stays, and afterwards it answers as before.
 *
 * Whoever floods makes valid records under plain Ed25519 keys: nobody can tell that no WireGuard key is behind them.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { concat, fromString } from 'uint8arrays'
import { seededRandom } from '../../src/base/random.js'
import { asUnixTime, HOUR } from '../../src/base/time.js'
import { signRecord } from '../../src/crypto/signedRecord.js'
import { recordKey } from '../../src/engine/directory/admission.js'
import { ask } from '../../src/io/mesh/exchange.js'
import { MAX_STORED_RECORDS } from '../../src/io/mesh/recordStore.js'
import type { RequestLimits } from '../../src/io/mesh/requests.js'
import { encodeKnock } from '../../src/wire/knock.js'
import { periodOf } from '../../src/wire/period.js'
import { SEALED_KNOCK_LENGTH } from '../../src/wire/sealedKnock.js'
import { encodeSealedRecordHead, SEALED_CONTENT_LENGTH } from '../../src/wire/sealedRecord.js'
import { firstMessage, type TestNode, testNode } from '../engine/nodes.js'
import { connectRawGossip, KNOCKS, RECORDS } from '../io/mesh/bareGossip.js'
import { addressOf } from '../io/mesh/meshes.js'
import { SilentProxy } from '../io/mesh/proxy.js'
import { putOf, requestAll } from '../io/mesh/rawDht.js'
import { connectRaw } from '../io/mesh/rawNode.js'
import { until } from '../until.js'
import { usedMemory } from '../usedMemory.js'
import { type RealNode, startRealNode } from './realNodes.js'

const FLOOD = 10_000
/** How much more may be in use after a flood than in its midst, in bytes: what the runtime needs, and not what came. */
const SLACK = 8_000_000
const ANA = testNode(1)
const BEN = testNode(2)
const CARL = testNode(3)

const much = { perSecond: 1_000_000, burst: 1_000_000 }
const UNLIMITED: RequestLimits = {
  storing: { eachNeighbour: much, eachAddress: much, all: much },
  asking: { eachNeighbour: much, eachAddress: much, all: much },
}

/** Ana serves; Ben is her peer, and knows the mesh through her. */
async function startPair(t: TestContext) {
  const ana = await startRealNode(t, {
    keys: ANA.keys,
    peers: [BEN.publicKey],
    serves: true,
    requestLimits: UNLIMITED,
  })
  const bootstrap = [addressOf(ana.mesh)]
  const ben = await startRealNode(t, { keys: BEN.keys, peers: [ANA.publicKey], bootstrap, ip: '203.0.113.5' })
  await until('both to know each other', () => ana.knows(ben) && ben.knows(ana))
  return { ana, ben, bootstrap }
}

/** Ben moves and knocks, and Ana knows him where he is now. */
async function assertAnswers(ana: RealNode, ben: RealNode): Promise<void> {
  ben.move('203.0.113.99')
  const answered = ben.answers.filter((type) => type === 'knock-answered').length
  ben.loop.handle({
    type: 'wireguard-sent',
    peer: ANA.publicKey,
    datagram: firstMessage(BEN, ANA, { sentAt: ben.clock().unix }),
  })
  await until(
    'an answered knock',
    () => ben.answers.filter((type) => type === 'knock-answered').length > answered,
    20_000,
  )
  const candidates = ana.engine.knownRecord(BEN.publicKey, ana.clock())?.candidates ?? []
  assert.deepEqual(
    candidates.map(({ address }) => address.ip),
    ['203.0.113.99'],
  )
}

/** Runs a flood, and looks that the memory after it is that in its midst, when all tables are full. */
async function assertFlat(flood: (from: number, to: number) => Promise<void>): Promise<void> {
  await flood(0, FLOOD / 2)
  const before = usedMemory()
  await flood(FLOOD / 2, FLOOD)
  // libp2p and kad-dht hold on to each stream for ten seconds.
  await until('the memory to be what it was', () => usedMemory() - before < SLACK, 30_000)
}

/** Sends messages as somebody new, who is perhaps left for it. */
async function gossipFlood(address: string, topic: string, make: () => Uint8Array, count: number) {
  const stops: (() => Promise<void>)[] = []
  const hostile = await connectRawGossip({ after: (stop) => stops.push(stop) }, address)
  const sends = Array.from({ length: count / 20 }, () => {
    const messages = Array.from({ length: 20 }, () => ({ topic, data: make() }))
    return hostile.send({ messages }).catch(() => {})
  })
  await Promise.all(sends)
  for (const stop of stops) await stop()
}

test('10,000 forged knocks over streams: none is answered or believed, and a true one is', async (t) => {
  const { ana, ben, bootstrap } = await startPair(t)
  const [address = ''] = bootstrap
  const connections = await Promise.all(Array.from({ length: 16 }, () => connectRaw(t, address)))
  const forged = forgedKnocks(ana)
  const known = ana.engine.knownRecord(BEN.publicKey, ana.clock())?.sequence
  let answered = 0
  await assertFlat(async (from, to) => {
    let next = from
    const one = async (connection: Connection) => {
      while (next < to) {
        const knock = forged[next % forged.length] ?? new Uint8Array(0)
        next += 1
        if (await knockRaw(connection, knock)) answered += 1
      }
    }
    await Promise.all(connections.flatMap((connection) => [one(connection), one(connection)]))
  })
  assert.equal(answered, 0)
  assert.equal(ana.engine.knownRecord(BEN.publicKey, ana.clock())?.sequence, known)
  const counted = Object.entries(ana.drops()).filter(([reason]) => /^(knock|record)-/.test(reason))
  assert.equal(
    counted.reduce((sum, [, count = 0]) => sum + count, 0),
    FLOOD,
    JSON.stringify(counted),
  )
  await assertAnswers(ana, ben)
})

test('10,000 forged records and 10,000 forged knocks, gossiped: none is believed, and a true knock is', async (t) => {
  const { ana, ben, bootstrap } = await startPair(t)
  const [address = ''] = bootstrap
  const mine = ana.engine.knownRecord(BEN.publicKey, ana.clock())?.sequence
  const valid = validRecord()
  const forgedRecord = () => withRandomTail(valid, 64)
  const forgedKnock = () => concat([Uint8Array.of(1), randomBytes(SEALED_KNOCK_LENGTH - 1)])
  await assertFlat(async (from, to) => {
    for (let sent = from; sent < to; sent += 500) {
      await gossipFlood(address, RECORDS, forgedRecord, 500)
      await gossipFlood(address, KNOCKS, forgedKnock, 500)
    }
  })
  assert.equal(ana.engine.knownRecord(BEN.publicKey, ana.clock())?.sequence, mine)
  const { 'record-bad-signature': forged = 0, 'knock-for-others': others = 0 } = ana.drops()
  assert.ok(forged >= 20 * 8 && others > 0, JSON.stringify(ana.drops()))
  assert.equal(ana.mesh.state().gossips, true)
  await assertAnswers(ana, ben)
})

test('10,000 valid records of nobody, stored: those of peers are still found', async (t) => {
  const { ana, ben, bootstrap } = await startPair(t)
  await until('Ben to have published', () => ben.answers.includes('publication-ended'))
  const proxy = await SilentProxy.start(t, bootstrap[0] ?? '', '127.0.0.2')
  const hostile = await connectRaw(t, proxy.address)
  await assertFlat(async (from, to) => {
    const puts = function* () {
      for (let n = from; n < to; n++) {
        const record = validRecord()
        yield putOf(recordKey(record.subarray(13, 45)), record)
      }
    }
    assert.equal((await requestAll(hostile, puts())).refused, 0)
  })
  assert.equal(ana.mesh.state().storedRecords, MAX_STORED_RECORDS)
  await ben.stop()
  const carl = await startRealNode(t, { keys: CARL.keys, peers: [BEN.publicKey], bootstrap })
  await until('Carl to know Ben', () => carl.knows(ben))
})

test('forged records, put in all their kinds: none is stored', async (t) => {
  const { ana, bootstrap } = await startPair(t)
  const hostile = await connectRaw(t, bootstrap[0] ?? '')
  await until('both to have published', () => ana.mesh.state().storedRecords >= 2)
  const before = ana.mesh.state().storedRecords
  const now = asUnixTime(Date.now())
  const bens = BEN.sealing.blindedKey(BEN.publicKey, periodOf(now))
  assert(bens)
  const puts = function* () {
    for (let n = 0; n < 100; n++) {
      const valid = validRecord()
      const key = valid.subarray(13, 45)
      yield putOf(recordKey(key), withRandomTail(valid, 64))
      yield putOf(recordKey(bens), valid)
      yield putOf(recordKey(bens), concat([valid.subarray(0, 13), bens, valid.subarray(45)]))
      yield putOf(recordKey(key), valid.subarray(0, -1))
      yield putOf(recordKey(key), concat([Uint8Array.of(2), valid.subarray(1)]))
      for (const [at, period] of [
        [now + 3 * HOUR, periodOf(now)],
        [now - 5 * HOUR, periodOf(now)],
        [now, periodOf(now) + 4],
      ] as const) {
        const untimely = validRecord(at, period)
        yield putOf(recordKey(untimely.subarray(13, 45)), untimely)
      }
    }
  }
  assert.deepEqual(await requestAll(hostile, puts()), { answered: 0, refused: 800 })
  assert.equal(ana.mesh.state().storedRecords, before)
})

test('10,000 valid records of nobody, gossiped: peers still hear each other', async (t) => {
  const { ana, ben, bootstrap } = await startPair(t)
  const [address = ''] = bootstrap
  await assertFlat(async (from, to) => {
    for (let sent = from; sent < to; sent += 500) await gossipFlood(address, RECORDS, validRecord, 500)
  })
  assert.ok((ana.drops()['gossip-rate-limited'] ?? 0) > 0, JSON.stringify(ana.drops()))
  assert.equal(ana.mesh.state().gossips, true)
  assert.ok(ana.knows(ben) && ben.knows(ana))
  await assertAnswers(ana, ben)
})

const content = randomBytes(SEALED_CONTENT_LENGTH + 16)

/** What anybody can make: a record under a new key, right in all that those can see who store it. */
function validRecord(at = Date.now(), period = periodOf(asUnixTime(at))): Uint8Array {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const blindedKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const head = encodeSealedRecordHead({ period, sequence: at, blindedKey, salt: randomBytes(16) })
  const signed = concat([head, content])
  return concat([signed, sign(null, concat([LABEL, signed]), privateKey)])
}

const LABEL = fromString('tunnelbore sealed record v1\0')

function withRandomTail(bytes: Uint8Array, length: number): Uint8Array {
  return concat([bytes.subarray(0, -length), randomBytes(length)])
}

/** Knocks that are right in all that somebody can get right who has no key of a peer; the same ones over and over. */
function forgedKnocks(victim: RealNode): readonly Uint8Array[] {
  const now = victim.clock().unix
  const signed = (own: TestNode, by: TestNode) => {
    const record = {
      publicKey: own.publicKey,
      sequence: asUnixTime(now + HOUR),
      issuedAt: now,
      expiresAt: asUnixTime(now + HOUR),
      candidates: [{ type: 'host', address: { ip: '192.0.2.66', port: 6_666 } }],
      identity: new Uint8Array(32).fill(6),
      multiaddrs: [],
      nat: { mapping: 'unknown', filtering: 'unknown' },
    } as const
    return signRecord(record, by.keys, seededRandom(1))
  }
  const bens = signed(BEN, BEN)
  return [
    // A stranger's own; Ben's by another hand; Ben's own, from an identity that is not his.
    encodeKnock({ version: 1, signedRecord: signed(CARL, CARL) }),
    encodeKnock({ version: 1, signedRecord: withRandomTail(bens, 64) }),
    encodeKnock({ version: 1, signedRecord: withRandomTail(bens, 1) }),
    encodeKnock({ version: 1, signedRecord: bens.subarray(0, 100) }),
    randomBytes(1_400),
    new Uint8Array(1),
  ]
}

const patience = { signal: new AbortController().signal }
setMaxListeners(0, patience.signal)

/** True where a knock is answered. */
async function knockRaw(connection: Connection, knock: Uint8Array): Promise<boolean> {
  try {
    await ask(connection, '/tunnelbore/test/knock/1', knock, 2_560, patience)
    return true
  } catch (error) {
    if (connection.status !== 'open') throw error
    return false
  }
}
