import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../../src/base/random.js'
import { after, asInstant, type Now } from '../../../src/base/time.js'
import { Node } from '../../../src/engine/node.js'
import { began, life, outcomes, replay } from './lives.js'

describe('a node', () => {
  it('does the same for the same seed', () => {
    for (const seed of [1, 2]) assert.deepEqual(outcomes(life(seed)), outcomes(life(seed)))
  })

  it('does other things for another seed', () => {
    assert.notDeepEqual(outcomes(life(1)), outcomes(life(2)))
  })

  it('does the same on a monotonic clock that began at another time', () => {
    assert.deepEqual(outcomes(life(3, 1_000_000_000)), outcomes(life(3)))
  })

  it('does nothing when it is woken early, and nothing else afterwards', () => {
    for (const seed of [1, 2, 3]) {
      const { journal, daemon } = life(seed)
      const random = seededRandom(seed)
      const node = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      const undisturbed = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      let last = began(journal)
      for (const entry of journal) {
        const now = between(last, entry.now, (random.bytes(1)[0] ?? 0) / 256)
        if (now.instant < (node.nextWake ?? Number.POSITIVE_INFINITY))
          assert.deepEqual(node.handle({ type: 'woken' }, now), [], `woken at ${now.instant}`)
        assert.deepEqual(replay(node, entry), replay(undisturbed, entry))
        assert.equal(node.nextWake, undisturbed.nextWake)
        last = entry.now
      }
    }
  })

  it('has done what was due when an input comes that was faster than the timer', () => {
    for (const seed of [1, 2, 3]) {
      const { journal, daemon } = life(seed)
      const node = new Node({ ...daemon.nodeOptions, random: seededRandom(0) }, began(journal))
      let overdue = 0
      let handled = 0
      for (const entry of journal) {
        if (entry.call.type === 'handle' && entry.call.input.type === 'woken') continue
        if (entry.call.type === 'handle' && (node.nextWake ?? entry.now.instant) < entry.now.instant)
          overdue += 1
        replay(node, entry)
        if (entry.call.type !== 'handle') continue
        handled += 1
        assert.ok(
          node.nextWake === undefined || node.nextWake >= entry.now.instant,
          `seed ${seed}: after ${entry.call.input.type} at ${entry.now.instant}, to be woken at ${node.nextWake}`,
        )
      }
      assert.ok(overdue > 50, `${overdue} of ${handled} inputs came after what was due`)
    }
  })

  it('never wants to be woken in the past, however it fares', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { ana, ben } = life(seed)
      for (const daemon of [ana, ben]) assert.equal(daemon.lateWakes, 0, `seed ${seed}, ${daemon.host.name}`)
    }
  })
})

function between(from: Now, to: Now, share: number): Now {
  const ms = (to.instant - from.instant) * share
  return { instant: asInstant(after(from.instant, ms)), unix: after(from.unix, ms) }
}
