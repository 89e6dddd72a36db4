import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderDocument } from '../../../simulations/report/document.js'
import { OUTCOME } from './outcomes.js'

describe('the outcome as JSON', () => {
  it('names the run, what was expected, and what was measured, to a thousandth', () => {
    const { digest, ...document } = JSON.parse(renderDocument(OUTCOME))
    assert.match(digest, /^[0-9a-f]{16}$/)
    assert.deepEqual(document, {
      scenario: 'roaming',
      seed: 7,
      parameters: { nodes: 3, hours: 0.5 },
      complete: true,
      simulatedMs: 1_800_000,
      held: false,
      expectations: [
        { name: 'connected', what: 'all are connected', held: true, broken: [] },
        {
          name: 'quick',
          what: 'all are quick',
          held: false,
          broken: ['h1 to h2 took 9 s', 'h2 to h3 took 8 s'],
        },
      ],
      measurements: {
        pings: { what: 'pings sent', unit: 'pings', value: 1200 },
        silence: {
          what: 'silence after a move',
          unit: 'ms',
          count: 4,
          median: 120.123,
          p95: 300,
          p99: 300,
          max: 310.5,
        },
        nothing: {
          what: 'what never happened',
          unit: 'ms',
          count: 0,
          median: null,
          p95: null,
          p99: null,
          max: null,
        },
      },
      tables: {
        pairs: [
          { pair: 'open – open', trips: 4.25 },
          { pair: 'open – symmetric', trips: null },
        ],
      },
    })
  })

  it('of an interrupted run says so, and judges nothing', () => {
    const document = JSON.parse(renderDocument({ ...OUTCOME, complete: false }))
    assert.equal(document.complete, false)
    assert.equal(document.incomplete, 'interrupted')
    assert.equal(document.held, null)
    assert.deepEqual(
      document.expectations.map(({ held }: { held: unknown }) => held),
      [null, null],
    )
  })

  it('has another digest where anything that was found differs', () => {
    const digest = (outcome: typeof OUTCOME) => JSON.parse(renderDocument(outcome)).digest
    assert.equal(digest(OUTCOME), digest(structuredClone(OUTCOME)))
    assert.notEqual(digest(OUTCOME), digest({ ...OUTCOME, seed: 8 }))
    const [pings, ...others] = OUTCOME.findings.measurements
    assert.ok(pings !== undefined && 'value' in pings)
    const measurements = [{ ...pings, value: 1201 }, ...others]
    assert.notEqual(digest(OUTCOME), digest({ ...OUTCOME, findings: { ...OUTCOME.findings, measurements } }))
  })
})
