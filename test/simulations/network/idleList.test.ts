import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Idle, IdleList } from '../../../simulations/network/idleList.js'

const LIFETIME_MS = 10

interface Member extends Idle<Member> {
  readonly name: number
}

function member(name: number): Member {
  return { name, usedAt: 0, previous: undefined, next: undefined }
}

describe('a list of what ends when it is idle', () => {
  it('keeps a member for its whole lifetime, and not longer', () => {
    const list = new IdleList<Member>(LIFETIME_MS)
    const one = member(1)
    list.add(one, 0)
    assert.equal(list.takeExpired(10), undefined)
    assert.equal(list.takeExpired(10.001), one)
    assert.equal(list.size, 0)
  })

  it('ends the same ones at the same times as a look at all of them would', () => {
    const step = fc.record({ wait: fc.nat(4), name: fc.nat(5) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const list = new IdleList<Member>(LIFETIME_MS)
        const members = new Map<number, Member>()
        const twin = new Map<number, number>()
        let now = 0
        for (const { wait, name } of steps) {
          now += wait
          const ended: number[] = []
          for (let one = list.takeExpired(now); one !== undefined; one = list.takeExpired(now)) {
            ended.push(one.name)
            members.delete(one.name)
          }
          const expected = [...twin].filter(([, usedAt]) => now - usedAt > LIFETIME_MS)
          assert.deepEqual(
            ended,
            expected.sort(([, a], [, b]) => a - b).map(([one]) => one),
          )
          for (const one of ended) twin.delete(one)

          const known = members.get(name)
          if (known === undefined) {
            const added = member(name)
            members.set(name, added)
            list.add(added, now)
          } else list.use(known, now)
          // Last in the order as well, for equal times.
          twin.delete(name)
          twin.set(name, now)
          assert.equal(list.size, twin.size)
        }
      }),
    )
  })

  it('is empty after it was cleared', () => {
    const list = new IdleList<Member>(LIFETIME_MS)
    for (const name of [1, 2, 3]) list.add(member(name), 0)
    list.clear()
    assert.equal(list.size, 0)
    assert.equal(list.takeExpired(1_000), undefined)
  })
})
