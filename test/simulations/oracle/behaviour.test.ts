import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MAX_QUEUED } from '../../../simulations/discovery/datagramStream.js'
import { DELAYS, PROMISE_MS } from '../../../simulations/oracle/connected.js'
import { QUIET_MS } from '../../../simulations/oracle/quiet.js'
import { SETTLED_MS } from '../../../simulations/oracle/settled.js'
import { IDLE_MS as STREAMS_IDLE_MS } from '../../../simulations/oracle/streamsEnd.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import { asInstant, MINUTE, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { DEFAULT_PUNCH_LIMITS } from '../../../src/engine/path/punchLimits.js'
import { MAX_CANDIDATES } from '../../../src/wire/record.js'
import { PretendWorld, violated } from './pretendWorld.js'
import { APD, EI, nat, site } from './terrains.js'

const REQUEST = new Uint8Array(32).fill(8)
const REPLY = new Uint8Array(32)
const NOBODY = { ip: '192.0.2.66', port: 4_000 }

function introduced(sites?: readonly SiteSpec[]): PretendWorld {
  const world = new PretendWorld(sites)
  world.introduce()
  return world
}

/** Ana pings Ben every second; `answered` says whether an answer comes. */
function pings(world: PretendWorld, ms: number, answered: () => boolean, everyMs = SECOND): void {
  const [ana, ben] = [world.machine(0), world.machine(1)]
  world.pass(ms, everyMs, () => {
    world.invariants.entered('ana', ben.publicKey, REQUEST)
    world.invariants.forwarded('ana', 'out', ben.publicKey, NOBODY)
    if (!answered()) return
    world.invariants.entered('ben', ana.publicKey, REPLY)
    world.invariants.emerged('ana', ben.publicKey, REPLY)
  })
}

describe('connected', () => {
  it('is promised for a time that is the sum of its parts', () => {
    const sum = Object.values(DELAYS).reduce((total, ms) => total + ms, 0)
    assert.ok(sum <= PROMISE_MS && PROMISE_MS <= sum + 5 * SECOND, `${sum} ms`)
  })

  it('holds where pings are answered, however late', () => {
    const world = introduced()
    let count = 0
    pings(world, 20 * MINUTE, () => ++count % 80 === 0)
    assert.equal(violated(world), undefined)
  })

  it('is broken where none is answered for the stated time, though there is a way', () => {
    const world = introduced()
    pings(world, 10 * MINUTE, () => false)
    assert.equal(violated(world), 'connected')
    const { atMs, host, message } = world.invariants.violation ?? { atMs: 0, host: '', message: '' }
    assert.ok(atMs > PROMISE_MS && atMs < PROMISE_MS + 5 * SECOND, `${atMs}`)
    assert.equal(host, 'ana')
    assert.match(message, /no ping to ben was answered for 9\d s.*by their own IPv4 addresses/)
  })

  it('is not promised where there is no way', () => {
    const world = introduced([site({ nat: nat(APD, APD) }), site({ nat: nat(APD, APD) }), site()])
    pings(world, 10 * MINUTE, () => false)
    assert.equal(violated(world), undefined)
  })

  it('is promised where there is none, and a member relay that both get to', () => {
    const hard = site({ nat: nat(APD, APD) })
    const worlds: readonly (readonly [string | undefined, (world: PretendWorld) => void])[] = [
      ['connected', () => undefined],
      [undefined, (world) => (world.server.relays = false)],
      [undefined, (world) => (world.server.serves = false)],
      [
        'connected',
        (world) => {
          for (const watched of world.sites) if (watched.index === 1) watched.passesUdp = false
        },
      ],
    ]
    for (const [broken, change] of worlds) {
      const world = introduced([hard, hard, site()])
      world.server.relays = true
      change(world)
      pings(world, 10 * MINUTE, () => false)
      assert.equal(violated(world), broken, String(change))
    }
    const world = introduced([site({ ...hard, ipv6: 'open', broken: 'ipv4' }), hard, site()])
    world.server.relays = true
    pings(world, 10 * MINUTE, () => false)
    assert.match(world.invariants.violation?.message ?? '', /a member relay that both reach/)
  })

  it('is not promised where one end is not there', () => {
    const absences: readonly ((world: PretendWorld) => void)[] = [
      (world) => (world.machine(1).runs = false),
      (world) => (world.machine(0).asleep = true),
      (world) => (world.machine(1).places = []),
      (world) => world.machine(1).knows(world.machine(2)),
      (world) => (world.server.serves = false),
      (world) => {
        for (const watched of world.sites) if (watched.index === 1) watched.isUp = false
      },
    ]
    for (const absent of absences) {
      const world = introduced()
      absent(world)
      pings(world, 10 * MINUTE, () => false)
      assert.equal(violated(world), undefined, String(absent))
    }
  })

  it('is promised anew after each break', () => {
    const world = introduced()
    const home = world.sites[0]
    assert.ok(home)
    for (let times = 0; times < 5; times++) {
      pings(world, PROMISE_MS - 10 * SECOND, () => false)
      home.isUp = false
      pings(world, 5 * SECOND, () => false)
      home.isUp = true
    }
    assert.equal(violated(world), undefined)
    pings(world, PROMISE_MS + 10 * SECOND, () => false)
    assert.equal(violated(world), 'connected')
  })

  it('is promised without any server to those who are connected and left alone', () => {
    const world = introduced()
    world.server.serves = false
    pings(world, MINUTE, () => true)
    pings(world, 10 * MINUTE, () => false)
    assert.equal(violated(world), 'connected')
  })

  it('is not promised where a server that came back has not got the record again', () => {
    const forgets = (world: PretendWorld) => {
      world.server.mesh = { record: () => undefined }
      pings(world, 5 * MINUTE, () => false)
    }
    const always = introduced()
    forgets(always)
    assert.equal(violated(always), 'connected')
    const back = introduced()
    back.server.serves = false
    pings(back, 5 * SECOND, () => false)
    back.server.serves = true
    forgets(back)
    assert.equal(violated(back), undefined)
    pings(back, 12 * MINUTE, () => false)
    assert.equal(violated(back), 'connected')
  })

  it('is not promised to those who ping now and then', () => {
    const world = introduced()
    pings(world, 60 * MINUTE, () => false, 30 * SECOND)
    assert.equal(violated(world), undefined)
  })

  it('is not promised where the clock went back, which WireGuard does not forgive', () => {
    const world = introduced()
    pings(world, 10 * SECOND, () => true)
    world.machine(0).aheadMs = -60 * MINUTE
    world.invariants.happened()
    pings(world, 10 * MINUTE, () => false)
    assert.equal(violated(world), undefined)
  })

  it('counts how long those take who begin in peace', () => {
    const world = introduced()
    world.pass(30 * SECOND, SECOND, () => world.machine(0).handles({ type: 'woken' }))
    pings(world, 3 * SECOND, () => world.queue.elapsed > 32 * SECOND)
    world.pass(5 * MINUTE, SECOND, () => world.machine(0).handles({ type: 'woken' }))
    pings(world, 30 * SECOND, () => world.queue.elapsed > 352 * SECOND)
    const { contacts, late } = world.invariants.statistics.connected
    assert.deepEqual([contacts.length, late], [2, 1])
    assert.equal(contacts[0], 2 * SECOND)
  })
})

describe('bounded', () => {
  /** A check, or a question to a reflector. */
  const request = new Uint8Array(20)
  request[1] = 1
  const send: Effect = { type: 'send', socket: 1, remote: NOBODY, datagram: request }

  it('holds for what punching may send, and bites for more', () => {
    const run = (eachTenth: number) => {
      const world = introduced()
      const remotes = Array.from({ length: eachTenth }, (_, port) => ({
        ...send,
        remote: { ip: NOBODY.ip, port: 1 + port },
      }))
      world.pass(5 * SECOND, 100, () => world.machine(0).handles({ type: 'woken' }, ...remotes))
      return world
    }
    assert.equal(violated(run(12)), undefined)
    const world = run(30)
    assert.equal(violated(world), 'bounded')
    assert.match(world.invariants.violation?.message ?? '', /questions in a second/)
  })

  it('bites where more is answered than was asked', () => {
    const run = (answers: number) => {
      const world = introduced()
      const answer: Effect = { ...send, datagram: new Uint8Array(20).fill(1) }
      world.pass(5 * SECOND, 100, () => {
        for (let times = 0; times < 20; times++) world.machine(0).receives(NOBODY, 'mallory')
        world.machine(0).handles({ type: 'woken' }, ...Array.from({ length: answers }, () => answer))
      })
      return world
    }
    assert.equal(violated(run(20)), undefined)
    assert.match(run(50).invariants.violation?.message ?? '', /answers and messages in a second/)
  })

  it('bites where checks beget checks, though never many in a second', () => {
    const run = (everyMs: number) => {
      const world = introduced()
      const [ana, ben] = [world.machine(0), world.machine(1)]
      world.pass(11 * MINUTE, everyMs, () => {
        world.invariants.forwarded('ana', 'out', ben.publicKey, NOBODY)
        world.invariants.arrived('ben', { from: NOBODY, to: NOBODY, bytes: request, author: ana.name })
      })
      return world
    }
    assert.equal(violated(run(250)), undefined)
    const world = run(100)
    assert.match(world.invariants.violation?.message ?? '', /checks came to ben in 10 minutes/)
    assert.equal(world.invariants.violation?.host, 'ana')
  })

  it('bites where one address that never answers is asked all the time', () => {
    const world = introduced()
    world.pass(30 * SECOND, 20, () => world.machine(0).handles({ type: 'woken' }, send))
    assert.match(world.invariants.violation?.message ?? '', /to 192\.0\.2\.66 port 4000, from where nothing/)
    const answered = introduced()
    answered.machine(0).receives(NOBODY, 'mallory')
    answered.pass(30 * SECOND, 20, () => answered.machine(0).handles({ type: 'woken' }, send))
    assert.equal(violated(answered), undefined)
  })

  it('bites where too much is to be done at once', () => {
    const world = introduced()
    const remotes = Array.from({ length: 200 }, (_, port) => ({ ip: NOBODY.ip, port: 1 + port }))
    world.machine(0).handles({ type: 'woken' }, ...remotes.map((remote) => ({ ...send, remote })))
    assert.match(world.invariants.violation?.message ?? '', /200 things are to be done at once/)
  })

  it('bites where more look-ups or knocks are under way than an attempt has', () => {
    const world = introduced()
    const [ana, ben] = [world.machine(0), world.machine(1)]
    const lookUp: Effect = { type: 'look-up', peer: ben.publicKey, keys: [] }
    for (let times = 0; times < 10; times++) {
      ana.handles({ type: 'woken' }, lookUp)
      ana.handles({ type: 'look-up-ended', peer: ben.publicKey })
    }
    assert.equal(violated(world), undefined)
    ana.handles({ type: 'woken' }, lookUp, lookUp)
    assert.match(world.invariants.violation?.message ?? '', /look-ups of one peer/)

    const other = introduced()
    const knock: Effect = {
      type: 'knock',
      peer: other.machine(1).publicKey,
      identity: new Uint8Array(32),
      multiaddrs: [],
      knock: new Uint8Array(1),
    }
    other.machine(0).handles({ type: 'woken' }, ...Array.from({ length: 4 }, () => knock))
    assert.equal(violated(other), undefined)
    other.machine(0).handles({ type: 'woken' }, knock)
    assert.match(other.invariants.violation?.message ?? '', /knocks on one peer/)
  })

  it('bites where a gateway gives more mappings than there are endpoints', () => {
    for (const [mapping, enough] of [
      [EI, 2 + 2 * 3 * DEFAULT_PUNCH_LIMITS.sockets],
      [APD, 2 * (11 * MAX_CANDIDATES + 8 + 3 * DEFAULT_PUNCH_LIMITS.sockets) + 8],
    ] as const) {
      const world = introduced([site({ nat: nat(mapping, APD) }), site(), site()])
      const [home] = world.sites
      assert.ok(home)
      home.mappings = enough
      world.invariants.finish()
      assert.equal(violated(world), undefined)
      home.mappings = enough + 1
      world.invariants.finish()
      assert.match(world.invariants.violation?.message ?? '', /mappings of its gateway/)
    }
  })
})

describe('no livelock', () => {
  it('bites where an engine wants to have been woken', () => {
    const world = introduced()
    const ana = world.machine(0)
    world.queue.elapsed = SECOND
    ana.node.nextWake = asInstant(SECOND)
    ana.handles({ type: 'woken' })
    assert.equal(violated(world), undefined)
    ana.node.nextWake = asInstant(SECOND - 1)
    ana.handles({ type: 'woken' })
    assert.equal(violated(world), 'no-livelock')
  })

  it('bites where it is woken every other millisecond', () => {
    const run = (everyMs: number) => {
      const world = introduced()
      world.pass(5 * SECOND, everyMs, () => world.machine(0).handles({ type: 'woken' }))
      return world
    }
    assert.equal(violated(run(10)), undefined)
    assert.equal(violated(run(2)), 'no-livelock')
  })
})

describe('quiet', () => {
  const datagram = (world: PretendWorld) => ({
    from: { ip: '203.0.113.1', port: 51_821 },
    to: { ip: world.machine(1).places[0]?.ips[0] ?? '', port: 51_821 },
    bytes: new Uint8Array(20),
    author: 'ana',
  })

  it('bites where a node sends something that has had nothing to do for a while', () => {
    const world = introduced()
    world.queue.elapsed = QUIET_MS
    world.invariants.sent('ana', datagram(world))
    assert.equal(violated(world), undefined)
    world.queue.elapsed = QUIET_MS + 1
    world.invariants.sent('ana', datagram(world))
    assert.equal(violated(world), 'quiet')
  })

  it('bites where a peer hears from one with whom it has no traffic', () => {
    const world = introduced()
    const [ana, cleo] = [world.machine(0), world.machine(2)]
    world.pass(QUIET_MS + SECOND, SECOND, () => {
      world.invariants.forwarded('ana', 'out', cleo.publicKey, NOBODY)
    })
    world.invariants.sent('ana', datagram(world))
    assert.equal(violated(world), undefined)
    world.invariants.arrived('ben', datagram(world))
    assert.equal(violated(world), 'quiet')
    assert.equal(world.invariants.violation?.host, ana.name)
  })

  it('bites where a host without traffic keeps a session at a relay, though that answers', () => {
    const world = introduced()
    const [relay = ''] = world.server.place.ips
    const bind = { ...datagram(world), to: { ip: relay, port: 61_000 } }
    const answer = { ...datagram(world), from: bind.to, author: 'server1' }
    world.pass(QUIET_MS, 20 * SECOND, () => {
      world.invariants.sent('ana', bind)
      world.invariants.arrived('ana', answer)
    })
    assert.equal(violated(world), undefined)
    world.queue.elapsed += SECOND
    world.invariants.sent('ana', { ...bind, to: { ip: relay, port: 51_821 } })
    assert.equal(violated(world), undefined)
    world.invariants.sent('ana', bind)
    assert.equal(violated(world), 'quiet')
  })

  it('does not blame who takes another for his peer, at the same private address', () => {
    const world = introduced()
    world.machine(0).knows()
    world.queue.elapsed = 10 * MINUTE
    world.invariants.arrived('ben', datagram(world))
    assert.equal(violated(world), undefined)
  })

  it('is not expected right after something was done to the world', () => {
    const world = introduced()
    world.queue.elapsed = 10 * MINUTE
    world.invariants.happened()
    world.invariants.sent('ana', datagram(world))
    world.invariants.arrived('ben', datagram(world))
    assert.equal(violated(world), undefined)
  })
})

describe('streams end', () => {
  it('where a host that had no traffic for a while keeps one', () => {
    const world = introduced()
    const [ana, ben] = [world.machine(0), world.machine(1)]
    ana.streams = { open: 1, queued: 0 }
    const talks = () => world.invariants.forwarded('ben', 'out', ana.publicKey, NOBODY)
    pings(world, 10 * MINUTE, () => true)
    world.pass(10 * MINUTE, 20 * SECOND, talks)
    assert.equal(violated(world), undefined)
    world.pass(STREAMS_IDLE_MS + 2 * SECOND, SECOND, () => ben.handles({ type: 'woken' }))
    assert.equal(violated(world), 'streams-end')
    assert.equal(world.invariants.violation?.host, 'ana')
  })

  it('are few, and little waits in them', () => {
    for (const [streams, broken] of [
      [{ open: 8, queued: MAX_QUEUED }, undefined],
      [{ open: 9, queued: 0 }, 'bounded'],
      [{ open: 1, queued: MAX_QUEUED + 1 }, 'bounded'],
    ] as const) {
      const world = introduced()
      world.machine(2).streams = streams
      pings(world, 2 * SECOND, () => true)
      assert.equal(violated(world), broken)
    }
  })
})

describe('released', () => {
  it('is whatever a gateway opened for one who has ended', () => {
    for (const hasEnded of [false, true]) {
      const world = introduced([site({ nat: nat(APD, APD) }), site(), site()])
      for (const watched of world.sites) watched.openPorts = 1
      world.machine(0).hasEnded = hasEnded
      pings(world, MINUTE, () => true)
      assert.equal(violated(world), hasEnded ? 'released' : undefined)
    }
  })
})

describe('settled', () => {
  const addresses = [1, 2, 3].map((port) => ({ ip: '203.0.113.2', port }))

  /** Ana's path to Ben is another one each time. */
  function changes(world: PretendWorld): void {
    const [ana, ben] = [world.machine(0), world.machine(1)]
    for (const address of addresses) {
      ana.node.believe(ben.publicKey, address)
      ana.receives(address, 'ben')
    }
  }

  it('allows a path to change while there are faults, and for a while after them', () => {
    const world = introduced()
    pings(world, SETTLED_MS, () => true)
    changes(world)
    pings(world, 10 * MINUTE, () => true)
    world.invariants.happened()
    changes(world)
    assert.equal(violated(world), undefined)
  })

  it('bites where a path changes and changes though nothing happens', () => {
    const world = introduced()
    pings(world, SETTLED_MS + 5 * SECOND, () => true)
    changes(world)
    assert.equal(violated(world), 'settled')
  })
})
