import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { canBeRelayed, needNoStream } from '../../../simulations/oracle/relayable.js'
import { type Way, Ways } from '../../../simulations/oracle/ways.js'
import {
  accessMeetings,
  allMeetings,
  type Meeting,
  topologyOf,
} from '../../../simulations/scenarios/networks.js'
import { soundTopology } from '../../../simulations/search/case.js'
import { untouched } from '../oracle/terrains.js'

describe('the meetings of the matrix', () => {
  it('are of each two networks once, the fifteen pairs of the laboratory among them, and of neighbours', () => {
    const names = allMeetings().map(({ from, to }) => `${from} ${to}`)
    assert.equal(new Set(names).size, names.length)
    const pairs = accessMeetings().map(({ from, to }) => `${from} ${to}`)
    assert.equal(pairs.length, 15)
    for (const pair of pairs) assert.ok(names.includes(pair), pair)
  })

  it('are sound topologies, each with hosts of its own', () => {
    const topology = topologyOf(allMeetings(), [{ region: 'europe', relays: true }])
    assert.deepEqual(soundTopology(topology), topology)
    assert.equal(topology.hosts.length, 2 * allMeetings().length)
  })

  it('can all be relayed, through streams where UDP does not get out', () => {
    for (const meeting of allMeetings()) {
      const { from, to, sites, at } = meeting
      assert.ok(canBeRelayed(untouched(sites), [at[0]], [at[1]]), `${from} ${to}`)
      const can = needNoStream(untouched(sites), [at[0]], [at[1]])
      assert.equal(can, from !== 'no-udp' && to !== 'no-udp', `${from} ${to}`)
    }
  })

  it('hold every kind of way', () => {
    const kinds = new Map<Way['kind'], number>()
    for (const meeting of allMeetings()) {
      const { kind } = wayOf(meeting)
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
    for (const kind of ['certain', 'by-guessing', 'none'] as const)
      assert.ok((kinds.get(kind) ?? 0) > 5, kind)
  })
})

function wayOf({ sites, at }: Meeting): Way {
  return new Ways(untouched(sites), 2).directWay([at[0]], [at[1]])
}
