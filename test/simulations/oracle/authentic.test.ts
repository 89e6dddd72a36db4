import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { asUnixTime, HOUR } from '../../../src/base/time.js'
import { encodeKnock } from '../../../src/wire/knock.js'
import { encodeRecord, encodeSignedRecord, type PeerRecord } from '../../../src/wire/record.js'
import { type PretendMachine, PretendWorld, UNIX_START, violated } from './pretendWorld.js'

const THERE = { ip: '203.0.113.2', port: 51_821 }
const ELSEWHERE = { ip: '192.0.2.66', port: 4_000 }

function cast(): { world: PretendWorld; ana: PretendMachine; ben: PretendMachine; cleo: PretendMachine } {
  const world = new PretendWorld()
  world.introduce()
  return { world, ana: world.machine(0), ben: world.machine(1), cleo: world.machine(2) }
}

function record(of: PretendMachine, sequence: number, aheadMs = 0): PeerRecord {
  return {
    publicKey: of.publicKey,
    sequence,
    issuedAt: asUnixTime(UNIX_START + aheadMs),
    expiresAt: asUnixTime(UNIX_START + aheadMs + 4 * HOUR),
    candidates: [{ type: 'host', address: THERE }],
    identity: new Uint8Array(32),
    multiaddrs: [],
    nat: { mapping: 'none', filtering: 'unknown' },
  }
}

function signed(content: PeerRecord): Uint8Array {
  return encodeSignedRecord({ record: encodeRecord(content), signature: new Uint8Array(64) })
}

function publishes(machine: PretendMachine, content: PeerRecord): void {
  const { sequence } = content
  const sealedRecord = signed(content)
  const where = { period: 1, key: new Uint8Array(32), gossip: false }
  machine.handles({ type: 'woken' }, { type: 'publish', ...where, sealedRecord, sequence })
}

/** An engine is given a record, and believes it. */
function finds(machine: PretendMachine, of: PretendMachine, content: PeerRecord): void {
  machine.node.records.set(of.publicKey, content)
  machine.handles({ type: 'record-found', peer: of.publicKey, sealedRecord: signed(content) })
}

describe('authentic paths', () => {
  it('are those that the peer itself has answered over', () => {
    const { world, ana, ben } = cast()
    ana.receives(THERE, 'ben')
    ana.node.believe(ben.publicKey, THERE)
    ana.receives(THERE, 'ben')
    assert.equal(violated(world), undefined)
    assert.deepEqual(world.invariants.statistics.paths, { proved: 1, taken: 1 })
  })

  it('are not those that an attacker answered over', () => {
    const { world, ana, ben } = cast()
    ana.node.believe(ben.publicKey, ELSEWHERE)
    ana.receives(ELSEWHERE, 'mallory')
    assert.equal(violated(world), 'authentic-paths')
    assert.match(
      world.invariants.violation?.message ?? '',
      /192\.0\.2\.66:4000 became a path to ben, and mallory wrote/,
    )
  })

  it('are not those that another peer answered over, though the peer was there once', () => {
    const { world, ana, ben } = cast()
    ana.receives(THERE, 'ben')
    ana.node.believe(ben.publicKey, THERE)
    ana.receives(THERE, 'cleo')
    assert.equal(violated(world), 'authentic-paths')
  })

  it("are proved by WireGuard's handshake where the peer has written from there", () => {
    const sends = (ana: PretendMachine, ben: PretendMachine) =>
      ana.handles(
        { type: 'wireguard-sent', peer: ben.publicKey, datagram: new Uint8Array(32) },
        { type: 'send', socket: 1, remote: THERE, datagram: new Uint8Array(32) },
      )
    const good = cast()
    good.ana.receives(THERE, 'ben')
    good.ana.receives(THERE, 'mallory')
    good.ana.node.believe(good.ben.publicKey, THERE)
    sends(good.ana, good.ben)
    assert.equal(violated(good.world), undefined)

    const bad = cast()
    bad.ana.receives(THERE, 'mallory')
    bad.ana.node.believe(bad.ben.publicKey, THERE)
    sends(bad.ana, bad.ben)
    assert.equal(violated(bad.world), 'authentic-paths')
  })

  it('are looked at again after a restart', () => {
    const { world, ana, ben } = cast()
    ana.receives(THERE, 'ben')
    ana.node.believe(ben.publicKey, THERE)
    ana.receives(THERE, 'ben')
    ana.restarts()
    ana.node.believe(ben.publicKey, ELSEWHERE)
    ana.receives(ELSEWHERE, 'mallory')
    assert.equal(violated(world), 'authentic-paths')
  })
})

describe('authentic records', () => {
  it('are those that their author published, knocked with, or answered with', () => {
    const { world, ana, ben } = cast()
    const [first, second] = [record(ben, 1), record(ben, 2)]
    publishes(ben, first)
    finds(ana, ben, first)
    const knock = encodeKnock({ version: 1, signedRecord: signed(second) })
    ben.handles(
      { type: 'woken' },
      { type: 'knock', peer: ana.publicKey, identity: new Uint8Array(32), multiaddrs: [], knock },
    )
    ana.node.records.set(ben.publicKey, second)
    ana.handles({ type: 'knock-received', id: 1, from: new Uint8Array(32), knock })
    assert.equal(violated(world), undefined)
    assert.deepEqual(world.invariants.statistics.records, { accepted: 2 })
  })

  it('are not forged, changed, older, from the future, or of another', () => {
    const bad: readonly (readonly [(content: PeerRecord) => PeerRecord, RegExp])[] = [
      [(content) => ({ ...content, sequence: 9 }), /not what that node signed/],
      [
        (content) => ({ ...content, candidates: [{ type: 'host', address: ELSEWHERE }] }),
        /not what that node signed/,
      ],
      [(content) => ({ ...content, sequence: 3 }), /from 5 back to 3/],
    ]
    for (const [spoil, message] of bad) {
      const { world, ana, ben } = cast()
      for (const sequence of [3, 5]) publishes(ben, record(ben, sequence))
      finds(ana, ben, record(ben, 5))
      finds(ana, ben, spoil(record(ben, 5)))
      assert.equal(violated(world), 'authentic-records')
      assert.match(world.invariants.violation?.message ?? '', message)
    }
    const { world, ana, ben } = cast()
    publishes(ben, record(ben, 1, 3 * HOUR))
    finds(ana, ben, record(ben, 1, 3 * HOUR))
    assert.match(world.invariants.violation?.message ?? '', /from the future/)

    const others = cast()
    publishes(others.cleo, record(others.cleo, 1))
    others.ana.node.records.set(others.ben.publicKey, record(others.cleo, 1))
    finds(others.ana, others.ben, record(others.cleo, 1))
    assert.match(others.world.invariants.violation?.message ?? '', /another peer's/)
  })

  it('never get older: not after a restart, nor for a peer that was removed, unless the disk was lost', () => {
    const ways: readonly (readonly [
      (ana: PretendMachine, ben: PretendMachine) => void,
      string | undefined,
    ])[] = [
      [
        (ana, ben) => {
          ana.knows()
          ana.knows(ben)
        },
        'authentic-records',
      ],
      [(ana) => ana.restarts(), 'authentic-records'],
      [
        (ana) => {
          ana.diskLosses += 1
          ana.restarts()
        },
        undefined,
      ],
    ]
    for (const [happens, broken] of ways) {
      const { world, ana, ben } = cast()
      for (const sequence of [1, 2]) publishes(ben, record(ben, sequence))
      finds(ana, ben, record(ben, 2))
      happens(ana, ben)
      finds(ana, ben, record(ben, 1))
      assert.equal(violated(world), broken)
    }
  })

  it('are signed by nobody in the name of another', () => {
    const { world, ben, cleo } = cast()
    publishes(ben, record(cleo, 1))
    assert.match(world.invariants.violation?.message ?? '', /it signed a record of/)
  })
})

describe('own packets', () => {
  it('are delivered as what they are, and an attacker as whom he pretends to be', () => {
    const { world, ana, ben } = cast()
    world.invariants.delivered('ana', ben.publicKey, new Uint8Array(32), 'ben')
    world.invariants.delivered('ana', ben.publicKey, new Uint8Array(32), 'mallory')
    assert.equal(violated(world), undefined)
    world.invariants.delivered(ana.name, ben.publicKey, new Uint8Array(32), 'cleo')
    assert.equal(violated(world), 'own-packets')
    assert.match(
      world.invariants.violation?.message ?? '',
      /a message of cleo was handed to WireGuard as if it were ben's/,
    )
  })

  it('come out of the tunnel with whom they were sent into it', () => {
    const packet = new Uint8Array(32).fill(7)
    const { world, ana, ben, cleo } = cast()
    world.invariants.entered('ben', ana.publicKey, packet)
    world.invariants.emerged('ana', ben.publicKey, packet)
    world.invariants.emerged('ana', ben.publicKey, packet)
    assert.equal(violated(world), undefined)
    world.invariants.emerged('ana', cleo.publicKey, packet)
    assert.equal(violated(world), 'own-packets')
  })
})
