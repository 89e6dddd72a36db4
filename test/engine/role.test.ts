import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../../src/base/random.js'
import { HOUR, MINUTE, SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { ReachabilityVerdict } from '../../src/engine/inputs.js'
import { Role, type RoleOption } from '../../src/engine/role.js'
import { EffectLog } from './effectLog.js'
import { at, sleepUntil } from './virtualTime.js'

const YES = { reachable: true, server: 'a', servers: 2 } as const
const YES_TOO = { reachable: true, server: 'b', servers: 2 } as const
const NO = { reachable: false, server: 'a', servers: 2 } as const
const UNKNOWN = { reachable: undefined, server: undefined, servers: 0 } as const

/** A role whose probes are answered as `answers` says, each at once; the last answer holds. */
class Player {
  readonly role: Role
  readonly #log = new EffectLog()
  answers: ReachabilityVerdict[] = []
  /** When it probed, and when it was told to serve or not, in ms. */
  readonly probes: number[] = []
  readonly served: (readonly [number, boolean])[] = []
  ms = 0

  constructor(option: RoleOption = 'auto', seed = 1) {
    this.role = new Role(option, seededRandom(seed), this.#log.emit)
  }

  join(answers: readonly ReachabilityVerdict[]): void {
    this.answers = [...answers]
    this.role.setAddresses(['192.0.2.1'], at(this.ms))
    this.role.setConnected(true, at(this.ms))
    this.#perform()
  }

  pass(ms: number): void {
    const until = this.ms + ms
    sleepUntil(this.role, this.ms, until, (now) => {
      this.ms = now
      this.role.wake(at(now))
      this.#perform()
    })
    this.ms = until
  }

  /** What was done from outside may have effects. */
  settle(): void {
    this.#perform()
  }

  #perform(): void {
    for (let effects = this.#log.take(); effects.length > 0; effects = this.#log.take())
      for (const effect of effects) this.#do(effect)
  }

  #do(effect: Effect): void {
    if (effect.type === 'serve') this.served.push([this.ms, effect.serves])
    if (effect.type !== 'probe-reachability') return
    this.probes.push(this.ms)
    const answer = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
    if (answer !== undefined) this.role.probed(answer, at(this.ms))
  }
}

describe('a node that is to find out', () => {
  it('serves once two servers have reached it', () => {
    const player = new Player()
    player.join([YES, YES_TOO])
    assert.equal(player.role.reachable, undefined)
    player.pass(10 * SECOND)
    assert.equal(player.role.serves, true)
    assert.equal(player.role.reachable, true)
    assert.equal(player.probes.length, 2)
  })

  it('does not serve for one server that says so again and again, if there is another', () => {
    const player = new Player()
    player.join([YES])
    player.pass(HOUR)
    assert.equal(player.role.serves, false)
  })

  it('takes the word of the only server', () => {
    const player = new Player()
    player.join([{ ...YES, servers: 1 }])
    player.pass(2 * SECOND)
    assert.equal(player.role.serves, true)
  })

  it('stays a client where it is not reached, and asks about every 15 min', () => {
    const player = new Player()
    player.join([NO])
    player.pass(2 * HOUR)
    assert.deepEqual(player.served, [])
    assert.equal(player.role.reachable, false)
    assert.ok(player.probes.length >= 6 && player.probes.length <= 9, `${player.probes.length} probes`)
  })

  it('asks ever more rarely where nobody can say', () => {
    const player = new Player()
    player.join([UNKNOWN])
    player.pass(4 * HOUR)
    assert.equal(player.role.reachable, undefined)
    assert.ok(player.probes.length < 30, `${player.probes.length} probes`)
  })

  it('asks nobody while no server is connected', () => {
    const player = new Player()
    player.join([NO])
    player.role.setConnected(false, at(player.ms))
    player.pass(HOUR)
    assert.equal(player.probes.length, 0)
    player.role.setConnected(true, at(player.ms))
    player.settle()
    assert.equal(player.probes.length, 1)
  })

  it('asks at once when a gateway has opened its port, and when it has not any more', () => {
    const player = new Player()
    player.role.setMapped([], at(player.ms))
    player.join([NO])
    player.pass(MINUTE)
    assert.equal(player.probes.length, 1)
    player.answers = [YES, YES_TOO, NO]
    player.role.setMapped([{ ip: '203.0.113.10', port: 4_000 }], at(player.ms))
    player.pass(10 * SECOND)
    assert.equal(player.role.serves, true)
    const asked = player.probes.length
    player.role.setMapped([], at(player.ms))
    player.pass(2 * SECOND)
    assert.equal(player.probes.length, asked + 1)
  })

  it('asks at once when it has other addresses, and what was asked before does not count', () => {
    const player = new Player()
    player.join([NO])
    player.pass(MINUTE)
    player.answers = []
    player.role.setAddresses(['198.51.100.1'], at(player.ms))
    player.pass(5 * SECOND)
    assert.equal(player.probes.length, 2)
    player.role.setAddresses(['198.51.100.2'], at(player.ms))
    player.role.probed({ ...YES, servers: 1 }, at(player.ms))
    assert.equal(player.role.serves, false)
    player.pass(5 * SECOND)
    assert.equal(player.probes.length, 3)
  })

  it('forgets a probe of which it never hears', () => {
    const player = new Player()
    player.join([])
    player.pass(5 * MINUTE)
    assert.ok(player.probes.length > 2)
  })
})

describe('a node that found that it serves', () => {
  function serving(): Player {
    const player = new Player()
    player.join([YES, YES_TOO])
    player.pass(MINUTE)
    assert.equal(player.role.serves, true)
    return player
  }

  it('stops after two failures in a row, 10 s apart', () => {
    const player = serving()
    player.answers = [NO]
    player.pass(7 * MINUTE)
    assert.equal(player.role.serves, false)
    assert.equal(player.role.reachable, false)
    const [first = 0, second = 0] = player.probes.slice(2)
    assert.ok(second - first >= 10 * SECOND && second - first <= 12 * SECOND)
  })

  it('goes on after a single failure', () => {
    const player = serving()
    player.answers = [NO, YES, NO, YES]
    player.pass(HOUR)
    assert.equal(player.role.serves, true)
  })

  it('goes on where nobody can be asked, or nobody knows', () => {
    const player = serving()
    player.answers = [UNKNOWN]
    player.pass(HOUR)
    player.role.setConnected(false, at(player.ms))
    player.pass(HOUR)
    assert.equal(player.role.serves, true)
  })

  it('stops at once when no address is left', () => {
    const player = serving()
    player.role.setAddresses([], at(player.ms))
    player.settle()
    assert.equal(player.role.serves, false)
    assert.deepEqual(player.served.at(-1), [player.ms, false])
    player.pass(HOUR)
  })

  it('stays a client for longer each time that it lost its role', () => {
    const player = serving()
    const gone: number[] = []
    for (let loss = 0; loss < 5; loss++) {
      player.answers = [NO]
      player.pass(8 * MINUTE)
      assert.equal(player.role.serves, false)
      const lostAt = player.served.at(-1)?.[0] ?? 0
      player.answers = Array.from({ length: 100 }, (_, at) => (at % 2 === 0 ? YES : YES_TOO))
      while (!player.role.serves) player.pass(SECOND)
      gone.push((player.served.at(-1)?.[0] ?? 0) - lostAt)
      player.pass(MINUTE)
    }
    for (const [index, ms] of gone.entries()) assert.ok(ms >= 2 ** index * MINUTE, `${ms} ms`)
  })
})

describe('a node whose user has said what it is', () => {
  for (const option of ['serves', 'client'] as const) {
    it(`asks nobody and changes nothing: ${option}`, () => {
      const player = new Player(option)
      player.join([option === 'serves' ? NO : YES])
      player.pass(24 * HOUR)
      player.role.setAddresses([], at(player.ms))
      player.settle()
      assert.deepEqual([player.probes, player.served], [[], []])
      assert.equal(player.role.serves, option === 'serves')
      assert.equal(player.role.reachable, option === 'serves')
    })
  }
})

describe('whatever happens', () => {
  const step = fc.oneof(
    fc.constantFrom(YES, YES_TOO, NO, UNKNOWN).map((verdict) => ({ verdict })),
    fc.boolean().map((connected) => ({ connected })),
    fc.constantFrom([], ['192.0.2.1'], ['192.0.2.2']).map((addresses) => ({ addresses })),
    fc.integer({ min: 1, max: 30 * MINUTE }).map((pass) => ({ pass })),
  )

  /** All effects, with when they came, in ms after the start. */
  function played(
    steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[],
    shift: number,
    early: number,
  ) {
    const log = new EffectLog()
    const effects: (readonly [number, Effect])[] = []
    const role = new Role('auto', seededRandom(7), log.emit)
    let ms = 0
    const now = () => at(ms + shift)
    const collect = () => effects.push(...log.take().map((effect) => [ms, effect] as const))
    for (const what of steps) {
      if ('verdict' in what) role.probed(what.verdict, now())
      else if ('connected' in what) role.setConnected(what.connected, now())
      else if ('addresses' in what) role.setAddresses(what.addresses, now())
      else {
        const until = ms + what.pass
        if (early > 0) {
          ms += Math.min(early, what.pass - 1)
          if (role.nextWake === undefined || role.nextWake > now()) role.wake(now())
          else ms -= Math.min(early, what.pass - 1)
        }
        sleepUntil(
          {
            get nextWake() {
              return role.nextWake === undefined ? undefined : at(role.nextWake - at(shift))
            },
          },
          ms,
          until,
          (woken) => {
            ms = woken
            role.wake(now())
            collect()
          },
        )
        ms = until
      }
      collect()
      assert.ok(role.nextWake === undefined || role.nextWake >= now(), 'the next wake-up is in the past')
    }
    return effects
  }

  it('the same things at the same times give the same effects, at any hour, and waking it early changes nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 1e9 }), (steps, shift) => {
        const usual = played(steps, 0, 0)
        assert.deepEqual(played(steps, shift, 0), usual)
        assert.deepEqual(played(steps, 0, 5), usual)
      }),
    )
  })

  it('it is told to serve and to stop in turns', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const turns = played(steps, 0, 0).flatMap(([, effect]) =>
          effect.type === 'serve' ? [effect.serves] : [],
        )
        for (const [index, serves] of turns.entries()) assert.equal(serves, index % 2 === 0)
      }),
    )
  })
})
