import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderDocument } from '../../../simulations/report/document.js'
import { type Findings, hasHeld } from '../../../simulations/report/findings.js'
import type { Run, Scenario } from '../../../simulations/scenario.js'
import { SCENARIOS } from '../../../simulations/scenarios/all.js'
import { natMatrixCells } from '../../../simulations/scenarios/natMatrix.js'

/** Small enough for a test. */
const SMALL: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'nat-matrix': {},
  guessing: { tries: 8 },
  'without-udp': {},
  roaming: { nodes: 6, hours: 1, 'active-peers': 2, symmetric: 11 },
  events: { tries: 4, relays: 3 },
  'relay-failover': { nodes: 6, servers: 3 },
  partition: { nodes: 8, minutes: 4 },
  'flash-crowd': { nodes: 8, 'active-peers': 2 },
  'hostile-members': { nodes: 4, minutes: 2, attackers: 2 },
  // Midnight, and a day more: each clock shows each hour.
  'day-boundary': { nodes: 4, hours: 26 },
  churn: { nodes: 60, hours: 1, vanish: 50 },
}

describe('the scenarios', () => {
  it('are those that were promised', () => {
    assert.deepEqual(
      SCENARIOS.map(({ name }) => name),
      Object.keys(SMALL),
    )
  })

  for (const scenario of SCENARIOS) {
    const { name, parameters } = scenario

    it(`${name}: has defaults within their ranges, and needs memory for its hosts`, () => {
      const defaults = Object.entries(parameters).map(([parameter, spec]) => {
        assert.ok(spec.min <= spec.default && spec.default <= spec.max, parameter)
        assert.match(parameter, /^[a-z]+(-[a-z]+)*$/)
        return [parameter, spec.default] as const
      })
      const { hosts, pairs } = scenario.size(Object.fromEntries(defaults))
      assert.ok(hosts >= 2 && pairs >= 1)
    })

    it(`${name}: all that is expected holds, and one seed gives one outcome`, () => {
      const findings = played(scenario, 1)
      const broken = findings.expectations.filter((expectation) => expectation.broken.length > 0)
      assert.deepEqual(
        broken.map((expectation) => expectation.name),
        [],
      )
      assert(hasHeld(findings))
      const names = findings.measurements.map((entry) => entry.name)
      assert.equal(new Set(names).size, names.length)
      if (name === 'day-boundary') {
        const value = (of: string): number | undefined => {
          const found = findings.measurements.find((entry) => entry.name === of)
          return found !== undefined && 'value' in found ? found.value : undefined
        }
        assert.ok((value('look-ups-of-peers') ?? 0) > 0)
        assert.equal(value('look-ups-lost'), 0)
      }
      // Once is enough with the real cryptography, and for the matrix, of which `guessing` is a part.
      if (name === 'hostile-members' || name === 'nat-matrix') return
      assert.equal(documentOf(played(scenario, 1)), documentOf(findings))
    })

    it(`${name}: can be ended early`, () => {
      const run = begun(scenario, 2)
      const course = run.course()
      for (let slice = 0; slice < 300; slice++) course.next()
      assert.ok(run.queue.elapsed < run.totalMs)
      assert.ok(run.findings().measurements.length > 0)
    })
  }
})

describe('the NAT matrix', () => {
  it('is direct but between two symmetric gateways, which are relayed', () => {
    const cells = natMatrixCells(3)
    assert.equal(cells.length, 15)
    for (const { from, to, way } of cells) {
      assert.equal(way, from === 'symmetric' ? 'relayed' : 'direct', `${from} to ${to}`)
    }
  })
})

function begun(scenario: Scenario, seed: number): Run {
  const defaults = Object.entries(scenario.parameters).map(([name, spec]) => [name, spec.default] as const)
  const values = { ...Object.fromEntries(defaults), ...SMALL[scenario.name] }
  return scenario.begin({ seed, values, observers: [] })
}

function played(scenario: Scenario, seed: number): Findings {
  const run = begun(scenario, seed)
  const course = run.course()
  while (course.next().done !== true);
  assert.ok(run.queue.elapsed <= run.totalMs)
  return run.findings()
}

function documentOf(findings: Findings): string {
  return renderDocument({
    scenario: '',
    seed: 1,
    parameters: {},
    complete: true,
    simulatedMs: 0,
    findings,
  })
}
