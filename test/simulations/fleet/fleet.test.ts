import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Findings } from '../../../simulations/report/findings.js'
import type { Setting, Values } from '../../../simulations/scenario.js'
import { churn } from '../../../simulations/scenarios/churn.js'

type Names = keyof typeof churn.parameters

/** Plays the scenario to its end. */
function play(values: Partial<Values<Names>>, seed = 1): Findings {
  const defaults = Object.fromEntries(
    Object.entries(churn.parameters).map(([name, { default: standard }]) => [name, standard]),
  )
  const setting: Setting<Names> = {
    seed,
    values: { ...defaults, nodes: 200, hours: 2, ...values } as Values<Names>,
    observers: [],
  }
  const run = churn.begin(setting)
  for (const _ of run.course());
  return run.findings()
}

function broken(findings: Findings): readonly string[] {
  return findings.expectations.flatMap(({ name, broken: breaches }) =>
    breaches.map((each) => `${name}: ${each}`),
  )
}

function value({ measurements }: Findings, name: string): number {
  const found = measurements.find((each) => each.name === name)
  return found !== undefined && 'value' in found ? found.value : assert.fail(name)
}

test('one seed gives one life, and another one another', () => {
  const [once, again, other] = [play({}), play({}), play({}, 2)]
  assert.deepEqual(once, again)
  assert.notDeepEqual(once, other)
})

for (const [what, values] of [
  ['in a calm fleet', {}],
  ['where the median session is ten minutes', { 'median-session': 10 }],
  ['where machines stay as they do in KAD', { kad: 1 }],
  ['after half of the servers vanished', { vanish: 50 }],
  ['after all bootstrap nodes vanished', { 'bootstrap-vanish': 1 }],
  ['after a partition has healed', { partition: 20, hours: 3 }],
] as const)
  test(`${what}, all that is promised holds`, () => {
    const findings = play(values)
    assert.deepEqual(broken(findings), [])
    assert(value(findings, 'look-ups') > 100)
  })

test('a fleet without servers finds nothing once its bootstrap nodes are gone, and says so', () => {
  const findings = play({ nodes: 50, serving: 1, vanish: 100, 'bootstrap-vanish': 1 })
  assert(broken(findings).some((breach) => breach.startsWith('found-again')))
})

test('small fleets gossip, large ones do not', () => {
  assert.equal(value(play({ nodes: 100, hours: 1 }), 'gossip'), 1)
  assert.equal(value(play({ nodes: 1_500, hours: 1 }), 'gossip'), 0)
})
