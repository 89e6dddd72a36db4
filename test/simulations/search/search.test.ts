import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { caseOf } from '../../../simulations/search/arbitraries.js'
import { type SearchOptions, search } from '../../../simulations/search/search.js'
import { runCase } from './pretendRuns.js'

describe('the search', () => {
  it('finds every seed that fails, and shrinks the lowest of each invariant', async () => {
    const outcome = await search({ ...PRETENDED, from: 1, to: 40 })
    const failing = seeds(1, 40).filter((seed) => runCase(caseOf(seed)).violation !== undefined)
    assert.deepEqual(
      outcome.found.map(({ seed }) => seed),
      failing,
    )
    assert.equal(outcome.seeds, 40)
    assert.equal(outcome.complete, true)
    assert.deepEqual(outcome.statistics.struck, { sleeps: 40 })
    const byInvariant = new Map(
      outcome.smallest.map((smallest) => [smallest.failure.invariant, smallest] as const),
    )
    assert.deepEqual([...byInvariant.keys()].sort(), ['awake', 'clean'])
    for (const [invariant, { seed, case: small, isSmallest }] of byInvariant) {
      assert.equal(seed, outcome.found.find(({ violation }) => violation.invariant === invariant)?.seed)
      assert.equal(small.schedule.length, invariant === 'awake' ? 2 : 1)
      assert.ok(isSmallest)
    }
  })

  it('comes to the same whatever the number of workers', async () => {
    const options = { ...PRETENDED, from: 1, to: 30 }
    assert.deepEqual(await search({ ...options, workers: 1 }), await search({ ...options, workers: 3 }))
  })

  it('stops after the first where that is enough', async () => {
    const outcome = await search({ ...PRETENDED, from: 1, to: 1_000, firstOnly: true })
    const first = seeds(1, 1_000).find((seed) => runCase(caseOf(seed)).violation !== undefined)
    assert.equal(outcome.found[0]?.seed, first)
    assert.deepEqual(
      outcome.smallest.map(({ seed }) => seed),
      [first],
    )
    assert.ok(outcome.seeds < 100)
  })

  it('goes on until it is told that it is enough, and then shrinks', async () => {
    const enough = new AbortController()
    let shown = 0
    const outcome = await search({
      ...PRETENDED,
      from: 1,
      to: undefined,
      enough: enough.signal,
      onProgress: ({ seeds: count }) => {
        shown = count
        if (count >= 25) enough.abort()
      },
    })
    assert.equal(outcome.seeds, shown)
    assert.ok(outcome.seeds >= 25 && outcome.seeds < 35)
    assert.ok(outcome.complete && outcome.smallest.length > 0)
  })

  it('ends at once when it is interrupted, with what there is', async () => {
    const interrupted = new AbortController()
    const outcome = await search({
      ...PRETENDED,
      from: 1,
      to: undefined,
      interrupted: interrupted.signal,
      onProgress: ({ seeds: count }) => {
        if (count === 10) interrupted.abort()
      },
    })
    assert.equal(outcome.complete, false)
    assert.equal(outcome.seeds, 10)
    assert.deepEqual(outcome.smallest, [])
  })

  it('fails where a worker does', async () => {
    const broken = new URL('noSuchModule.js', import.meta.url).href
    await assert.rejects(search({ ...PRETENDED, runner: broken, from: 1, to: 2 }), /noSuchModule/)
  })
})

const PRETENDED: Omit<SearchOptions, 'from' | 'to'> = {
  workers: 2,
  cryptography: 'stand-in',
  shrinkRuns: 2_000,
  runner: new URL('pretendRuns.js', import.meta.url).href,
}

function seeds(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
