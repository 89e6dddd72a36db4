import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clockText, renderOutcome } from '../../../simulations/report/text.js'
import { OUTCOME } from './outcomes.js'

const SUMMARY = 'hosts move about'
const REPLAY = 'npm run sim -- roaming --seed 7'

describe('the outcome as text', () => {
  it('has tables of what was measured, a mark for each expectation, and the command that gives it again', () => {
    const lines = renderOutcome(OUTCOME, SUMMARY, REPLAY).split('\n')
    assert.equal(lines[0], 'roaming: hosts move about')
    assert.ok(lines.some((line) => /pings sent .*│ pings .*│ +1200 │/.test(line)))
    assert.ok(
      lines.some((line) => /silence after a move .*4 times .*│ +120 │ +300 │ +300 │ +311 │/.test(line)),
    )
    assert.ok(lines.some((line) => /what never happened .*0 times .*│ +– │/.test(line)))
    assert.ok(lines.some((line) => /open – open +│ +4\.3 │/.test(line)))
    assert.ok(lines.some((line) => /open – symmetric +│ +– │/.test(line)))
    assert.ok(lines.includes('  ✓ all are connected'))
    assert.ok(lines.includes('  ✗ all are quick: broken 2 times'))
    assert.ok(lines.includes('      h1 to h2 took 9 s'))
    assert.deepEqual(lines.slice(-2), [`again: ${REPLAY}`, ''])
  })

  it('of an interrupted run says when, and judges nothing', () => {
    const text = renderOutcome({ ...OUTCOME, complete: false }, SUMMARY, REPLAY)
    assert.match(text, /^incomplete: interrupted after 0:30:00 of simulated time$/m)
    assert.match(text, /^ {2}\? all are connected: not judged$/m)
    assert.doesNotMatch(text, /[✓✗]/)
  })

  it('shows the first few of many breaches', () => {
    const broken = Array.from({ length: 12 }, (_, index) => `breach ${index}`)
    const expectations = [{ name: 'quick', what: 'all are quick', broken }]
    const text = renderOutcome(
      { ...OUTCOME, findings: { ...OUTCOME.findings, expectations } },
      SUMMARY,
      REPLAY,
    )
    assert.match(text, /breach 4\n {6}… and 7 more\n/)
    assert.doesNotMatch(text, /breach 5/)
  })
})

describe('simulated time', () => {
  it('is shown in hours, minutes and seconds', () => {
    assert.equal(clockText(0), '0:00:00')
    assert.equal(clockText(59_999), '0:00:59')
    assert.equal(clockText(3_661_000), '1:01:01')
    assert.equal(clockText(100 * 3_600_000), '100:00:00')
  })
})
