import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ask } from '../../../simulations/discovery/channel.js'
import { Connection, type Dialler, type Owner } from '../../../simulations/discovery/connection.js'
import { Relayed } from '../../../simulations/discovery/relayed.js'
import type { Counts, Setting } from '../../../simulations/discovery/setting.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { SECOND } from '../../../src/base/time.js'
import { verifySealedRecord } from '../../../src/crypto/sealedRecord.js'

const DELAY_MS = 50
const PING_MS = 5 * SECOND

class Process implements Dialler, Owner {
  readonly name: string
  readonly key: string
  readonly closedConnections: Connection[] = []
  isPowered = true
  pingMs = PING_MS
  isAnswering = true
  /** One way to anywhere. */
  delay: () => number | undefined = () => DELAY_MS
  readonly #queue: EventQueue
  readonly #backlog: (() => void)[] = []

  constructor(name: string, queue: EventQueue) {
    this.name = name
    this.key = name
    this.#queue = queue
  }

  wayTo(): number | undefined {
    return this.isPowered ? this.delay() : undefined
  }

  in(ms: number, action: () => void): void {
    this.#queue.in(ms, action)
  }

  atNextPing(action: () => void): void {
    this.#queue.in(this.pingMs - (this.#queue.elapsed % this.pingMs), action)
  }

  read(action: () => void): void {
    if (this.isAnswering) action()
    else this.#backlog.push(action)
  }

  goOn(): void {
    this.isAnswering = true
    for (const action of this.#backlog.splice(0)) action()
  }

  closed(connection: Connection): void {
    this.closedConnections.push(connection)
  }
}

describe('a connection', () => {
  it('delivers after one way', () => {
    const { queue, ana, connection, arrived } = setup()
    connection.send(ana, 1, arrived('a'))
    queue.run(DELAY_MS - 1)
    assert.deepEqual(arrived.times, [])
    queue.run(1)
    assert.deepEqual(arrived.times, [['a', DELAY_MS]])
  })

  it('keeps the order, whatever each segment takes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(500), fc.nat(100)), { minLength: 2, maxLength: 20 }),
        (messages) => {
          const { queue, ana, ben, connection, arrived } = setup()
          messages.forEach(([delay, waitMs], at) => {
            ana.delay = () => delay
            connection.send(at % 3 === 0 ? ben : ana, 1, arrived(`${at % 3 === 0 ? 'back' : 'forth'} ${at}`))
            queue.run(waitMs)
          })
          queue.run(10 * SECOND)
          for (const direction of ['back', 'forth']) {
            const numbers = arrived.times
              .filter(([what]) => what.startsWith(direction))
              .map(([what]) => Number(what.split(' ')[1]))
            assert.deepEqual(
              numbers,
              numbers.toSorted((a, b) => a - b),
            )
          }
          assert.equal(arrived.times.length, messages.length)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('sends again after 0.2 s, twice as long each time, while there is no way', () => {
    const { queue, ana, connection, arrived } = setup()
    ana.delay = () => undefined
    connection.send(ana, 1, arrived('a'))
    queue.run(700)
    ana.delay = () => DELAY_MS
    queue.run(5 * SECOND)
    assert.deepEqual(arrived.times, [['a', 1_400 + DELAY_MS]])
  })

  it('is reset where the other end is gone: by what is sent, or else by a ping', () => {
    for (const sends of [true, false]) {
      const { queue, ana, ben, connection } = setup()
      connection.vanish(ben)
      assert.equal(connection.isOpenAt(ana), true)
      if (sends) connection.send(ana, 1, () => assert.fail('delivered'))
      queue.run(2 * DELAY_MS)
      assert.equal(connection.isOpenAt(ana), !sends)
      queue.run(PING_MS)
      assert.deepEqual(ana.closedConnections, [connection])
    }
  })

  it('tells the other end of its closing, once', () => {
    const { queue, ana, ben, connection } = setup()
    let closed = 0
    connection.onClosedAt(ben, () => {
      closed += 1
    })
    const callOff = connection.onClosedAt(ben, () => assert.fail('it was called off'))
    callOff()
    connection.close(ana)
    connection.close(ana)
    queue.run(DELAY_MS)
    assert.deepEqual([closed, ana.closedConnections.length, ben.closedConnections.length], [1, 1, 1])
  })

  it('whose source address is gone says nothing until a ping fails', () => {
    const { queue, ana, ben, connection, arrived } = setup()
    connection.breakOff('source-gone')
    for (const end of [ana, ben]) connection.send(end, 1, arrived('a'))
    queue.run(2 * PING_MS - 1)
    assert.deepEqual([connection.isOpenAt(ana), connection.isOpenAt(ben)], [true, true])
    queue.run(1)
    assert.deepEqual([connection.isOpenAt(ana), connection.isOpenAt(ben)], [false, false])
    assert.deepEqual(arrived.times, [])
  })

  it('that a NAT forgot is reset by what the inner side sends, and not by what the outer side does', () => {
    const { queue, ana, ben, connection } = setup()
    connection.breakOff('mapping-gone')
    connection.send(ben, 1, () => assert.fail('delivered'))
    queue.run(SECOND)
    assert.equal(connection.isOpenAt(ana), true)
    connection.send(ana, 1, () => assert.fail('delivered'))
    queue.run(2 * DELAY_MS)
    assert.deepEqual([connection.isOpenAt(ana), connection.isOpenAt(ben)], [false, true])
  })

  it('keeps for a process that is stopped what its kernel took', () => {
    const { queue, ana, ben, connection, arrived } = setup()
    ben.isAnswering = false
    connection.send(ana, 1, arrived('a'))
    queue.run(3 * SECOND)
    assert.deepEqual(arrived.times, [])
    ben.goOn()
    assert.deepEqual(arrived.times, [['a', 3 * SECOND]])
  })
})

describe('a question', () => {
  it('ends once: answered, reset, or late', () => {
    const answers: readonly [string, (answer: (value: string | undefined) => void) => void, number][] = [
      ['answered', (answer) => answer('b'), 2 * DELAY_MS],
      ['failed', (answer) => answer(undefined), 2 * DELAY_MS],
      ['late', () => undefined, 300],
    ]
    for (const [expected, put, atMs] of answers) {
      const { queue, ana, connection, counts } = setup()
      const ends: [string, number][] = []
      const question = {
        length: 10,
        deadlineMs: 300,
        put: (answer: (value: string | undefined, length: number) => void) =>
          put((value) => answer(value, 5)),
      }
      ask(connection, ana, question, counts, ({ type }) => ends.push([type, queue.elapsed]))
      queue.run(SECOND)
      connection.close(ana)
      queue.run(SECOND)
      assert.deepEqual(ends, [[expected, atMs]])
    }
  })

  it('fails at once where the connection closes, or is closed', () => {
    const { queue, ana, connection, counts } = setup()
    const ends: string[] = []
    const question = { length: 10, deadlineMs: undefined, put: () => undefined }
    ask(connection, ana, question, counts, ({ type }) => ends.push(type))
    connection.close(ana)
    ask(connection, ana, question, counts, ({ type }) => ends.push(type))
    queue.run(SECOND)
    assert.deepEqual(ends, ['failed', 'failed'])
    assert.equal(counts.streams, 1)
  })
})

describe('a relayed connection', () => {
  it('delivers after both ways, and closes with either leg', () => {
    for (const leg of [0, 1]) {
      const { queue, ana, ben, relayed, legs, arrived } = relay()
      relayed.send(ana, 1, arrived('a'))
      queue.run(2 * DELAY_MS)
      assert.deepEqual(arrived.times, [['a', 2 * DELAY_MS]])
      legs[leg]?.close(leg === 0 ? ana : ben)
      queue.run(2 * DELAY_MS)
      assert.deepEqual([relayed.isOpenAt(ana), relayed.isOpenAt(ben)], [false, false])
    }
  })

  it('closes at both ends where one closes it, and leaves the legs', () => {
    const { queue, ana, ben, relayed, legs } = relay()
    relayed.close(ben)
    queue.run(2 * DELAY_MS)
    assert.deepEqual([relayed.isOpenAt(ana), relayed.isOpenAt(ben)], [false, false])
    assert.ok(legs.every((leg) => leg.isOpenAt(ana) || leg.isOpenAt(ben)))
  })

  it('is found dead by the pings of one member where the leg of the other is', () => {
    const { queue, ana, server, relayed, legs } = relay()
    server.pingMs = 30 * SECOND
    legs[1].breakOff('source-gone')
    queue.run(2 * PING_MS)
    assert.equal(relayed.isOpenAt(ana), false)
    assert.equal(legs[0].isOpenAt(ana), true)
  })
})

function setup() {
  const queue = new EventQueue(1_000, 0)
  const [ana, ben] = [new Process('ana', queue), new Process('ben', queue)]
  const setting = settingOf(queue)
  const connection = new Connection({
    setting,
    dialler: ana,
    acceptor: ben,
    ip: '192.0.2.1',
    source: undefined,
  })
  return { queue, ana, ben, connection, counts: setting.counts, arrived: diary(queue) }
}

function relay() {
  const queue = new EventQueue(1_000, 0)
  const setting = settingOf(queue)
  const [ana, ben, server] = ['ana', 'ben', 'server'].map((name) => new Process(name, queue))
  assert.ok(ana && ben && server)
  const leg = (dialler: Process) =>
    new Connection({ setting, dialler, acceptor: server, ip: '192.0.2.1', source: undefined })
  const legs: readonly [Connection, Connection] = [leg(ana), leg(ben)]
  return { queue, ana, ben, server, legs, relayed: new Relayed(server, legs), arrived: diary(queue) }
}

function settingOf(queue: EventQueue): Setting {
  const counts: Counts = { lookUps: 0, knocks: 0, publications: 0, dials: 0, streams: 0, bytes: 0 }
  const practice = { followsMoves: true, closesFormerConnections: true }
  return { queue, counts, practice, verify: verifySealedRecord }
}

/** Notes what arrived, and when. */
function diary(queue: EventQueue) {
  const times: [string, number][] = []
  return Object.assign((what: string) => () => void times.push([what, queue.elapsed]), { times })
}
