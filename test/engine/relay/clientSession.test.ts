import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.js'
import { TokenBucket } from '../../../src/base/rateLimit.js'
import { streamAddress } from '../../../src/base/streamAddress.js'
import type { LocalSocket } from '../../../src/engine/inputs.js'
import type { Route } from '../../../src/engine/path/path.js'
import { Transactions } from '../../../src/engine/path/transactions.js'
import { ClientSession, type RelayRequest } from '../../../src/engine/relay/clientSession.js'
import type { DecodedStun } from '../../../src/wire/stun/message.js'
import { EffectLog } from '../effectLog.js'
import { at, nowAt, START } from '../virtualTime.js'
import { ALICE, BOB, decoded, sessionOf } from './relayByHand.js'

const FOUR: Route = { socket: 1, remote: { ip: '203.0.113.1', port: 40_000 } }
const SIX: Route = { socket: 2, remote: { ip: '2001:db8::1', port: 40_000 } }

/** A stream to the relay, which is at the same address. */
const STREAM: LocalSocket = {
  id: -1,
  address: streamAddress(0),
  device: '',
  purpose: 'stream',
  relay: { identity: new Uint8Array(32), ip: FOUR.remote.ip },
}
const THROUGH_STREAM: Route = { socket: STREAM.id, remote: FOUR.remote }

interface Bind {
  readonly way: Route
  readonly message: DecodedStun
  readonly request: RelayRequest
}

let log: EffectLog
let transactions: Transactions<RelayRequest>
let session: ClientSession
let budget: TokenBucket

beforeEach(() => {
  log = new EffectLog()
  transactions = new Transactions<RelayRequest>(seededRandom(1), 100)
  budget = new TokenBucket(50, 100, START)
  session = new ClientSession(
    {
      peer: BOB.publicKey,
      nonce: new Uint8Array(16),
      keys: sessionOf(ALICE, BOB),
      offer: undefined,
      context: { emit: log.emit, transactions, budget, machine: () => ({ sockets: [STREAM], routes: [] }) },
    },
    START,
  )
})

describe('where a side is bound', () => {
  it('is said by the answer to its newest bind: a late one to an older bind moves nothing', () => {
    session.bind([SIX, FOUR], START)
    const [six] = binds(0)
    const [four] = binds(100)
    assert.deepEqual([six?.way, four?.way], [SIX, FOUR])
    answer(four, 150)
    assert.deepEqual(session.way, FOUR)
    answer(six, 160)
    assert.deepEqual(session.way, FOUR)
  })

  it('is told to the relay again where another bind left after the one that is answered', () => {
    session.bind([SIX, FOUR], START)
    const [six] = binds(0)
    const [four] = binds(100)
    answer(six, 150)
    assert.deepEqual(session.way, SIX)
    const [again] = binds(150)
    assert.deepEqual(again?.way, SIX)
    assert.ok((again?.request.sequence ?? 0) > (four?.request.sequence ?? 0))
    answer(four, 160)
    assert.deepEqual(session.way, SIX)
    answer(again, 200)
    assert.deepEqual(binds(10_000), [])
  })

  it('is not said by an answer to a bind of before the ways changed', () => {
    session.bind([SIX], START)
    const [six] = binds(0)
    session.bind([FOUR], at(50))
    answer(six, 60)
    assert.equal(session.way, undefined)
    const [four] = binds(60)
    answer(four, 100)
    assert.deepEqual(session.way, FOUR)
  })

  it('is heard of by a check, and bound again there, so that the relay may pass everything on', () => {
    session.bind([SIX], START)
    binds(0)
    session.heard(SIX, at(30))
    assert.deepEqual(session.way, SIX)
    assert.deepEqual(binds(100), [])
    const [again] = binds(130)
    answer(again, 150, new Uint8Array(8).fill(1))
    const [echo] = binds(150)
    assert.deepEqual(echo?.message.bindCookie, new Uint8Array(8).fill(1))
  })
})

describe('a machine without any network', () => {
  const MOVED: Route = { ...FOUR, socket: 9 }
  /** The ways that there are from now on. */
  const machineChanged = (ways: readonly Route[], ms: number) =>
    session.machineChanged(
      (way) => ways.includes(way),
      () => ways,
      at(ms),
    )

  beforeEach(() => {
    session.addresses = [FOUR.remote]
    session.bind([FOUR], START)
    answer(binds(0)[0], 20)
  })

  it('keeps its session, sends nothing, and goes on at once where there is a way again', () => {
    session.wasProved = true
    machineChanged([], 1_000)
    assert.deepEqual([session.hasEnded, session.way], [false, undefined])
    assert.deepEqual(binds(5_000), [])
    machineChanged([], 5_000)
    machineChanged([MOVED], 6_000)
    assert.deepEqual(session.way, MOVED)
    assert.deepEqual(
      binds(6_000).map(({ way }) => way),
      [MOVED],
    )
  })

  it('waits for the answer to its bind where nothing was heard from the peer before', () => {
    machineChanged([], 1_000)
    machineChanged([MOVED], 2_000)
    assert.equal(session.way, undefined)
    answer(binds(2_000)[0], 2_020)
    assert.deepEqual(session.way, MOVED)
  })

  it('says when the relay last knew it, so that what the relay has ended by now is not kept', () => {
    machineChanged([], 1_000)
    assert.deepEqual([session.isStranded, session.boundAt], [true, at(20)])
  })
})

describe('binds', () => {
  const ways = (series: readonly Route[]) => {
    session.bind(series, START)
    return [0, 100, 300, 700].flatMap((ms) => binds(ms).map(({ way }) => way))
  }

  it('take turns between UDP and a stream to one address, since UDP may go nowhere', () => {
    assert.deepEqual(ways([FOUR, THROUGH_STREAM]), [FOUR, THROUGH_STREAM, FOUR, THROUGH_STREAM])
  })

  it('do not take turns between sockets of one kind: a relay knows us at one', () => {
    assert.deepEqual(ways([FOUR, { ...FOUR, socket: 5 }]), [FOUR, FOUR, FOUR, FOUR])
  })
})

describe('a cookie', () => {
  const cookie = new Uint8Array(8).fill(7)

  it('goes back over the way that it came, once, and with each renewal there', () => {
    session.bind([SIX], START)
    const [first] = binds(0)
    answer(first, 20, cookie)
    const [echo] = binds(20)
    answer(echo, 40, cookie)
    assert.deepEqual(binds(19_000), [])
    session.renew(at(20_000))
    const [renewal] = binds(20_000)
    assert.deepEqual(renewal?.message.bindCookie, cookie)
    answer(renewal, 20_020, cookie)
    session.bind([FOUR], at(21_000))
    assert.deepEqual(binds(21_000)[0]?.message.bindCookie, new Uint8Array(8))
  })

  it('goes back though nothing is left of the budget of requests', () => {
    session.bind([SIX], START)
    const [first] = binds(0)
    let left = true
    while (left) left = budget.take(at(20))
    answer(first, 20, cookie)
    assert.equal(binds(20).length, 1)
  })

  it('that changes when the side has moved goes back at once', () => {
    session.bind([SIX], START)
    answer(binds(0)[0], 20, cookie)
    answer(binds(20)[0], 40, cookie)
    session.renew(at(20_000))
    const other = new Uint8Array(8).fill(8)
    answer(binds(20_000)[0], 20_020, other)
    const [echo] = binds(20_020)
    assert.deepEqual(echo?.message.bindCookie, other)
  })
})

/** The binds that are due. */
function binds(ms: number): readonly Bind[] {
  while (session.wake(nowAt(ms)));
  return log.takeSent().map(({ socket, remote, datagram }) => {
    const message = decoded(datagram)
    const request = transactions.get(message.transactionId)?.subject
    assert.ok(request)
    return { way: { socket, remote }, message, request }
  })
}

/** The relay answers a bind, with a cookie or, as one that knows of none, without. */
function answer(bind: Bind | undefined, ms: number, bindCookie?: Uint8Array): void {
  assert.ok(bind)
  const response: DecodedStun = {
    messageClass: 'success',
    method: bind.message.method,
    transactionId: bind.message.transactionId,
    integrity: undefined,
    unknownRequired: [],
    ...(bindCookie === undefined ? {} : { bindCookie }),
  }
  session.answered(bind.request, response, bind.way, () => [], at(ms))
}
