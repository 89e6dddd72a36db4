import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPlanArguments } from '../../../simulations/command/planArguments.js'
import { readReportArguments } from '../../../simulations/command/reportArguments.js'
import { HOUR, MINUTE } from '../../../src/base/time.js'
import { UserError } from '../../../src/base/userError.js'

const unheard = (): void => assert.fail('nothing is to be written')
const plan = (line: string) => readPlanArguments(line.split(' '), unheard)
const report = (line: string) => readReportArguments(line === '' ? [] : line.split(' '), unheard)
const refused =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof UserError &&
    error.exitCode === 2 &&
    pattern.test(error.message) &&
    !/\n/.test(error.message)

test('a plan is asked for in the units of people', () => {
  assert.deepEqual(plan('--nodes 5000 --median-session 2h --relay-share 5%'), {
    wish: { nodes: 5_000, medianSessionMs: 2 * HOUR, relayShare: 0.05 },
    seed: 1,
    json: false,
  })
  assert.equal(plan('--nodes 2 --median-session 90s')?.wish.medianSessionMs, 1.5 * MINUTE)
  assert.equal(plan('--nodes 2 --median-session 1.5d')?.wish.medianSessionMs, 36 * HOUR)
  assert.equal(plan('--nodes 2 --relay-share 12.5 --json')?.json, true)
})

test('a plan that cannot be is refused in one line', () => {
  for (const [line, pattern] of [
    ['--median-session 2h', /--nodes/],
    ['--nodes 1', /from 2 to/],
    ['--nodes many', /whole number/],
    ['--nodes 5 --median-session 2', /2h/],
    ['--nodes 5 --median-session 1s', /from 1m/],
    ['--nodes 5 --median-session 2weeks', /from 1m/],
    ['--nodes 5 --relay-share 0%', /share/],
    ['--nodes 5 --relay-share 101%', /share/],
    ['--nodes 5 more', /too many arguments/],
    ['--nodes 5 --colour red', /--colour/],
  ] as const)
    assert.throws(() => plan(line), refused(pattern), line)
})

test('a report has a page and its twin, and sizes within bounds', () => {
  assert.deepEqual(report(''), {
    html: 'report.html',
    json: 'report.json',
    seed: 1,
    nodes: 1_000,
    largest: 4_000,
  })
  assert.equal(report('--html a/b.html --nodes 50 --seed 7')?.json, 'a/b.json')
  assert.throws(() => report('--html page.htm'), refused(/\.html/))
  assert.throws(() => report('--nodes 5'), refused(/from 50/))
  assert.throws(() => report('page.html'), refused(/too many arguments/))
})

test('help is written, and nothing is done', () => {
  for (const read of [readPlanArguments, readReportArguments]) {
    let written = ''
    assert.equal(
      read(['--help'], (text) => {
        written += text
      }),
      undefined,
    )
    assert.match(written, /--nodes <number>/)
  }
})
