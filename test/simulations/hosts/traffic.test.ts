import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Traffic } from '../../../simulations/hosts/traffic.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { Fleet, ROUND_TRIP_MS } from './fleet.js'

describe('traffic', () => {
  it('is sent from a time, at intervals, until a time', () => {
    const { fleet, ana, ben } = connected()
    const began = fleet.queue.elapsed
    const traffic = new Traffic(ana, {
      peer: ben.publicKey,
      everyMs: 250,
      fromMs: began + 10 * SECOND,
      untilMs: began + 12 * SECOND,
    })
    fleet.queue.run(10 * SECOND - 1)
    assert.equal(traffic.sent, 0)
    fleet.queue.run(1)
    assert.equal(traffic.sent, 1)
    fleet.queue.run(MINUTE)
    assert.equal(traffic.sent, 8)
    assert.equal(traffic.answered, 8)
    assert.deepEqual([traffic.roundTripsMs, traffic.slowestMs], [8 * ROUND_TRIP_MS, ROUND_TRIP_MS])
    assert.equal(traffic.longestSilenceMs, 250)
  })

  it('says how long nothing was answered', () => {
    const { fleet, ana, ben } = connected()
    const now = fleet.queue.elapsed
    const traffic = new Traffic(ana, {
      peer: ben.publicKey,
      everyMs: SECOND,
      fromMs: now,
      untilMs: now + 10 * MINUTE,
    })
    fleet.queue.run(10 * SECOND + ROUND_TRIP_MS)
    assert.equal(traffic.silenceMs, 0)
    ben.crash()
    fleet.queue.run(20 * SECOND)
    assert.equal(traffic.silenceMs, 20 * SECOND)
    ben.start()
    fleet.queue.run(30 * SECOND)
    assert.ok(traffic.longestSilenceMs > 20 * SECOND && traffic.silenceMs < SECOND)
    assert.equal(traffic.sent, 61)
    assert.ok(traffic.answered < traffic.sent)
  })

  it('rests while its machine sleeps, or is off', () => {
    const { fleet, ana, ben } = connected()
    const now = fleet.queue.elapsed
    const traffic = new Traffic(ana, {
      peer: ben.publicKey,
      everyMs: SECOND,
      fromMs: now,
      untilMs: now + 10 * MINUTE,
    })
    fleet.queue.run(SECOND / 2)
    ana.sleep()
    fleet.queue.run(MINUTE)
    ana.wake()
    assert.equal(traffic.sent, 1)
    fleet.queue.run(SECOND)
    assert.equal(traffic.sent, 2)
    ana.reboot(MINUTE)
    fleet.queue.run(MINUTE - SECOND)
    assert.equal(traffic.sent, 2)
  })

  it('of a hundred thousand pings leaves nothing behind', () => {
    const { fleet, ana } = connected()
    // A peer that was never there: nothing is answered, and nothing waits for an answer for ever.
    for (let ping = 0; ping < 100_000; ping++) {
      ana.ping(ana.publicKey)
      if (ping % 100 === 0) fleet.queue.run(SECOND)
    }
    assert.ok(ana.host.pinger.openCount <= 12_200, `${ana.host.pinger.openCount} pings are open`)
  })
})

/** Two machines in the open, connected. */
function connected() {
  const fleet = new Fleet(3)
  const [ana, ben] = ['ana', 'ben'].map((name) => fleet.machine(name, [fleet.site('open').place()]))
  assert.ok(ana !== undefined && ben !== undefined)
  fleet.start()
  assert.ok(fleet.pingMs(ana, ben) !== undefined)
  return { fleet, ana, ben }
}
