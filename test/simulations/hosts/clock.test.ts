import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HostClock, Timer } from '../../../simulations/hosts/clock.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { elapsed, HOUR, SECOND } from '../../../src/base/time.js'

const UNIX_START = 1_767_225_600_000

function hostClock(aheadMs?: number) {
  const queue = new EventQueue(1_000, UNIX_START)
  return { queue, clock: new HostClock(queue, aheadMs) }
}

function sleepFor(queue: EventQueue, clock: HostClock, ms: number): void {
  clock.sleep()
  queue.run(ms)
  clock.wake()
}

describe("a host's clocks", () => {
  it('show the time of the world to one that never slept', () => {
    const { queue, clock } = hostClock(5_000)
    queue.run(1_234.5)
    assert.deepEqual(clock.now, { instant: 2_234.5, unix: UNIX_START + 6_234 })
    assert.equal(clock.bootTime, 2_234.5)
  })

  it('stand still in its sleep, but for the time since boot and the time of day', () => {
    const { queue, clock } = hostClock()
    queue.run(SECOND)
    clock.sleep()
    queue.run(HOUR)
    assert.equal(clock.instant, 2_000)
    clock.wake()
    queue.run(SECOND)
    assert.equal(clock.instant, 3_000)
    assert.equal(clock.bootTime, 3_000 + HOUR)
    assert.equal(clock.unix, UNIX_START + HOUR + 2 * SECOND)
  })

  it('jump where only the time of day is concerned', () => {
    const { queue, clock } = hostClock()
    let happened = false
    clock.in(SECOND, () => {
      happened = true
    })
    clock.jump(-HOUR)
    assert.equal(clock.unix, UNIX_START - HOUR)
    queue.run(SECOND)
    assert.ok(happened)
  })

  it('let nothing happen in its sleep, and what was due soon after it, in the order in which it was due', () => {
    const { queue, clock } = hostClock()
    const happened: string[] = []
    for (const [name, ms] of [
      ['second', 500],
      ['first', 400],
      ['third', 900],
    ] as const)
      clock.in(ms, () => happened.push(`${name} ${queue.elapsed}`))
    queue.run(100)
    sleepFor(queue, clock, 10 * SECOND)
    assert.deepEqual(happened, [])
    queue.run(SECOND)
    assert.deepEqual(happened, ['first 10400', 'second 10500', 'third 10900'])
  })

  it('have what is asked for happen after as much time awake, whenever the host sleeps', () => {
    const phase = fc.record({
      awakeMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
      asleepMs: fc.double({ min: 0, max: 50_000, noNaN: true }),
    })
    fc.assert(
      fc.property(
        fc.array(phase, { minLength: 1, maxLength: 10 }),
        fc.double({ min: 0, max: 20_000, noNaN: true }),
        (phases, ms) => {
          const { queue, clock } = hostClock()
          const start = clock.instant
          let after: number | undefined
          clock.in(ms, () => {
            assert.ok(!clock.asleep)
            after = elapsed(start, clock.instant)
          })
          let awakeMs = 0
          for (const phase of phases) {
            queue.run(phase.awakeMs)
            awakeMs += phase.awakeMs
            sleepFor(queue, clock, phase.asleepMs)
          }
          assert.ok(after !== undefined || awakeMs <= ms + 1e-6)
          queue.run(20_000)
          assert.ok(after !== undefined && Math.abs(after - ms) < 1e-6, `${after} ms, not ${ms} ms`)
        },
      ),
    )
  })
})

describe('a timer on them', () => {
  it('does what one would that asks for an event each time it is set', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('set' as const), ms: fc.nat(500) }),
      fc.record({ type: fc.constant('clear' as const) }),
      fc.record({ type: fc.constant('run' as const), ms: fc.nat(400) }),
      fc.record({ type: fc.constant('sleep' as const), ms: fc.nat(1_000) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { queue, clock } = hostClock()
        const [lazy, eager]: [number[], number[]] = [[], []]
        const timer = new Timer(clock, () => lazy.push(queue.elapsed))
        let setting = 0
        let pending = false
        for (const step of steps) {
          switch (step.type) {
            case 'set': {
              const own = ++setting
              pending = true
              clock.in(step.ms, () => {
                if (own !== setting || !pending) return
                pending = false
                eager.push(queue.elapsed)
              })
              timer.set(step.ms)
              break
            }
            case 'clear':
              pending = false
              timer.clear()
              break
            case 'run':
              queue.run(step.ms)
              break
            case 'sleep':
              sleepFor(queue, clock, step.ms)
              break
          }
          assert.equal(timer.pending, pending)
        }
        queue.run(SECOND)
        assert.deepEqual(lazy, eager)
      }),
    )
  })

  it('may be set anew by what it does', () => {
    const { queue, clock } = hostClock()
    const times: number[] = []
    const timer = new Timer(clock, () => {
      times.push(queue.elapsed)
      if (times.length < 3) timer.set(100)
    })
    timer.set(100)
    queue.run(SECOND)
    assert.deepEqual(times, [100, 200, 300])
    assert.ok(!timer.pending)
  })
})
