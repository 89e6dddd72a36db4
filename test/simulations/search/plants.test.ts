import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, it } from 'node:test'
import { caseOf } from '../../../simulations/search/arbitraries.js'
import { ENGINES, type Plant } from '../../../simulations/search/plants/plant.js'
import { huntForAll } from '../../../simulations/search/plants/plantHunt.js'
import { planted, unplanted } from '../../../simulations/search/plants/planting.js'
import { PLANTS } from '../../../simulations/search/plants/plants.js'

/** Enough to see a case get smaller; `npm run sim:plants` goes to the end. */
const SHRINK_RUNS = 25

describe('planted bugs', () => {
  it('are in every engine, ten at least, each under a name of its own', () => {
    assert.deepEqual([...new Set(PLANTS.map(({ engine }) => engine))].sort(), [...ENGINES].sort())
    assert.ok(PLANTS.length >= 10)
    assert.equal(new Set(PLANTS.map(({ name }) => name)).size, PLANTS.length)
  })

  for (const plant of PLANTS) {
    it(`fit into the sources: ${plant.name}`, () => {
      const text = unplanted(plant)
      assert.notEqual(planted(plant, text), text)
    })
  }

  it('that fit nowhere, or in several places, or change nothing are told', () => {
    const bug = { ...PLANT, find: 'two' }
    assert.throws(() => planted(bug, 'one'), /fits 0 places/)
    assert.throws(() => planted(bug, 'two two'), /fits 2 places/)
    assert.throws(() => planted({ ...bug, replace: 'two' }, 'two'), /changes nothing/)
    assert.equal(planted({ ...bug, replace: '$&' }, 'one two three'), 'one $& three')
  })

  it('are all found, and shrunk', async () => {
    const all = await huntForAll(PLANTS, availableParallelism(), { shrinkRuns: SHRINK_RUNS, firstOnly: true })
    assert.deepEqual(
      all.filter(({ smallest }) => smallest === undefined).map(({ plant }) => plant.name),
      [],
    )
    for (const { smallest, plant } of all) {
      if (smallest === undefined) continue
      const { schedule, topology } = caseOf(smallest.seed)
      const sizes = [schedule.length, topology.hosts.length]
      assert.ok(smallest.faults <= schedule.length && smallest.hosts <= topology.hosts.length)
      assert.ok(
        smallest.faults < schedule.length || schedule.length === 0,
        `${plant.name}: ${sizes.join(', ')}`,
      )
    }
  })
})

const PLANT: Plant = {
  name: 'a plant',
  engine: 'node',
  what: 'nothing',
  file: 'engine/node.js',
  find: '',
  replace: '',
  from: 1,
}
