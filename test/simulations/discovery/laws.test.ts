import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { StorerBehaviour } from '../../../simulations/discovery/storer.js'
import { MINUTE } from '../../../src/base/time.js'
import { nth, type TestMember, TestWorld } from './members.js'

const MEMBERS = 4
const SERVERS = 3

/** What is done, to whom, and how long after the one before. */
type Step = {
  readonly waitMs: number
  readonly who: number
  readonly whom: number
  readonly what: (typeof DEEDS)[number]
  readonly ms: number
}

const DEEDS = [
  'look-up',
  'knock',
  'publish',
  'crash',
  'hang',
  'cut',
  'restore',
  'move',
  'forget',
  'unplug',
  'plug in',
  'sleep',
  'wake',
  'leave',
  'vanish',
  'join',
  'slow',
  'silent',
  'stale',
  'forged',
  'forgetful',
  'refusing',
  'good',
  'close knocks',
  'leave knocks',
  'answer knocks',
] as const

const step: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 20_000 })),
  who: fc.nat(MEMBERS - 1),
  whom: fc.nat(MEMBERS - 1),
  // What is asked is asked more often than what goes wrong.
  what: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('look-up', 'knock', 'publish') },
    { weight: 3, arbitrary: fc.constantFrom(...DEEDS) },
  ),
  ms: fc.integer({ min: 0, max: 3_000 }),
})

const story = fc.record({
  seed: fc.nat(1_000_000),
  steps: fc.array(step, { minLength: 5, maxLength: 60 }),
})

const ENDS = {
  'look-up': ['look-up-ended'],
  knock: ['knock-answered', 'knock-failed'],
  publish: ['publication-ended'],
}

describe('whatever befalls servers and members', () => {
  it('every look-up, knock and publication ends exactly once, but those of a member that left', () => {
    fc.assert(
      fc.property(story, ({ seed, steps }) => {
        const { world, asked } = play(seed, steps)
        for (const [at, member] of world.members.entries()) {
          for (const what of ['look-up', 'knock', 'publish'] as const) {
            const ended = ENDS[what].reduce((sum, type) => sum + member.times(type as 'woken').length, 0)
            assert.equal(ended, nth(asked, at)[what], `${member.name}: ${what}`)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('the members that are in the mesh are all connected and reachable again, after the last fault', () => {
    fc.assert(
      fc.property(story, ({ seed, steps }) => {
        const { world, present } = play(seed, steps)
        for (const [at, member] of world.members.entries()) {
          if (!nth(present, at)) continue
          assert.deepEqual([member.isOnline, member.circuits.length], [true, 2], member.name)
        }
        for (const server of world.servers)
          assert.equal(server.connectionCount, present.filter(Boolean).length, server.name)
      }),
      { numRuns: 60 },
    )
  })

  it('the same seed gives the same course', () => {
    fc.assert(
      fc.property(story, ({ seed, steps }) => {
        const courses = [0, 1].map(() => {
          const { world } = play(seed, steps)
          return [world.members.map(({ heard }) => heard), world.mesh.counts]
        })
        assert.deepEqual(courses[0], courses[1])
      }),
      { numRuns: 15 },
    )
  })
})

/** Plays a story, then lets everything recover. `asked` leaves out what a member asked in a run that has ended. */
function play(seed: number, steps: readonly Step[]) {
  const world = new TestWorld({ servers: SERVERS, seed })
  const members = world.settled(...Array.from({ length: MEMBERS }, (_, at) => `member ${at}`))
  members.forEach((member, at) => {
    member.delayMs = 10 + 17 * at
  })
  const present = members.map(() => true)
  const asked = members.map(() => ({ 'look-up': 0, knock: 0, publish: 0 }))
  let sequence = 0
  for (const { waitMs, who, whom, what, ms } of steps) {
    world.queue.run(waitMs)
    const member = nth(members, who)
    const server = nth(world.servers, whom % SERVERS)
    switch (what) {
      case 'look-up':
      case 'knock':
      case 'publish':
        // A daemon that sleeps asks nothing.
        if (!nth(present, who) || member.clock.asleep) break
        nth(asked, who)[what] += 1
        sequence += 1
        if (what === 'look-up') member.lookUp(nth(members, whom))
        else if (what === 'knock') member.knock(nth(members, whom))
        else member.publish(member.record(sequence))
        break
      case 'crash':
      case 'hang':
      case 'cut':
      case 'restore':
        server[what]()
        break
      case 'move':
        member.ips = [`10.0.${ms % 250}.${ms % 100}`]
        world.mesh.moved(member)
        break
      case 'forget':
        world.mesh.forgottenByGateways(member)
        break
      case 'unplug':
      case 'plug in':
        member.isPlugged = what === 'plug in'
        world.mesh.waysChanged(member)
        break
      case 'sleep':
        member.clock.sleep()
        world.mesh.waysChanged(member)
        break
      case 'wake':
        member.clock.wake()
        break
      case 'leave':
      case 'vanish':
        if (!nth(present, who)) break
        world.mesh.leave(member, what === 'leave' ? 'clean' : 'silent')
        present[who] = false
        asked[who] = { 'look-up': 0, knock: 0, publish: 0 }
        member.heard.length = 0
        break
      case 'join':
        if (nth(present, who)) break
        assert.deepEqual(member.heard, [], `${member.name} was told something after it left`)
        world.mesh.join(member)
        present[who] = true
        break
      case 'close knocks':
        member.onKnock = 'close'
        break
      case 'leave knocks':
        member.onKnock = 'wait'
        break
      case 'answer knocks':
        member.onKnock = 'answer'
        break
      default:
        server.behave(behaviour(what, ms))
    }
  }
  settle(world, members)
  return { world, asked, present }
}

function settle(world: TestWorld, members: readonly TestMember[]): void {
  for (const server of world.servers) server.restore()
  for (const member of members) {
    member.clock.wake()
    member.isPlugged = true
  }
  world.mesh.waysChanged()
  world.queue.run(3 * MINUTE)
}

function behaviour(what: StorerBehaviour['type'] | 'good', ms: number): StorerBehaviour | undefined {
  if (what === 'good') return undefined
  return what === 'slow' ? { type: 'slow', ms } : { type: what }
}
