import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DIRECT_MS } from '../../../simulations/oracle/directly.js'
import { HEDGED_MS } from '../../../simulations/oracle/hedges.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import type { CandidateType } from '../../../src/wire/candidate.js'
import { PretendWorld, violated } from './pretendWorld.js'
import { APD, nat, site } from './terrains.js'

const REMOTE = { ip: '203.0.113.2', port: 4_000 }
const REQUEST = new Uint8Array(32).fill(8)
const REPLY = new Uint8Array(32)

describe('hedges-end', () => {
  it('allows that one hedge follows another', () => {
    const world = talking(new PretendWorld(), 'host')
    let looks = 0
    pings(world, 10 * MINUTE, () => hedge(world, ++looks % 4 !== 0))
    assert.equal(violated(world), undefined)
    assert.ok(world.invariants.statistics.hedges.longestMs < 4 * SECOND)
  })

  it('does not count while a machine sleeps', () => {
    const world = talking(new PretendWorld(), 'host')
    hedge(world, true)
    world.machine(0).asleep = true
    pings(world, 10 * MINUTE)
    assert.equal(violated(world), undefined)
  })

  it('bites where all that is sent goes over two paths for long', () => {
    const world = talking(new PretendWorld(), 'host')
    hedge(world, true)
    pings(world, 10 * MINUTE)
    assert.equal(violated(world), 'hedges-end')
    const { atMs = 0 } = world.invariants.violation ?? {}
    assert.ok(atMs > HEDGED_MS && atMs < HEDGED_MS + 5 * SECOND, `${atMs}`)
  })
})

describe('directly', () => {
  it('allows a relay while there are faults, and for a while after them', () => {
    const world = talking(new PretendWorld(), 'relayed')
    for (let times = 0; times < 3; times++) {
      pings(world, DIRECT_MS - 2 * SECOND)
      world.invariants.happened()
    }
    assert.equal(violated(world), undefined)
  })

  it('allows a relay where there is no direct way', () => {
    const symmetric = site({ nat: nat(APD, APD) })
    const world = talking(new PretendWorld([symmetric, symmetric, site()]), 'relayed', { relays: true })
    pings(world, 2 * DIRECT_MS)
    assert.equal(violated(world), undefined)
  })

  it('bites where two go on talking over a relay though there is a direct way', () => {
    const world = talking(new PretendWorld(), 'relayed')
    pings(world, 2 * DIRECT_MS)
    assert.equal(violated(world), 'directly')
    const { message = '' } = world.invariants.violation ?? {}
    assert.match(message, /it talks with ben over a relay, and for 3 minutes there was a way: /)
  })
})

/** Ana has such a path to Ben. */
function talking(world: PretendWorld, type: CandidateType, { relays = false } = {}): PretendWorld {
  world.server.relays = relays
  world.introduce()
  const [ana, ben] = [world.machine(0), world.machine(1)]
  ana.node.believe(ben.publicKey, REMOTE, type)
  ana.receives(REMOTE, 'ben')
  return world
}

function hedge(world: PretendWorld, isHedged: boolean): void {
  world.machine(0).node.hedge(world.machine(1).publicKey, isHedged)
}

/** Ana pings Ben every second, and is answered. */
function pings(world: PretendWorld, ms: number, before: () => void = () => undefined): void {
  const [ana, ben] = [world.machine(0), world.machine(1)]
  world.pass(ms, SECOND, () => {
    before()
    world.invariants.entered('ana', ben.publicKey, REQUEST)
    world.invariants.entered('ben', ana.publicKey, REPLY)
    world.invariants.emerged('ana', ben.publicKey, REPLY)
  })
}
