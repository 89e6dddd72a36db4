/** A made-up outcome for the tests of how outcomes are shown. */

import type { Outcome } from '../../../simulations/report/document.js'

export const OUTCOME: Outcome = {
  scenario: 'roaming',
  seed: 7,
  parameters: { nodes: 3, hours: 0.5 },
  complete: true,
  simulatedMs: 1_800_000,
  findings: {
    measurements: [
      { name: 'pings', what: 'pings sent', unit: 'pings', value: 1200 },
      {
        name: 'silence',
        what: 'silence after a move',
        unit: 'ms',
        distribution: { count: 4, median: 120.123456, p95: 300, p99: 300, max: 310.5 },
      },
      {
        name: 'nothing',
        what: 'what never happened',
        unit: 'ms',
        distribution: { count: 0, median: null, p95: null, p99: null, max: null },
      },
    ],
    tables: [
      {
        name: 'pairs',
        title: 'Pairs',
        columns: [
          { key: 'pair', heading: 'pair' },
          { key: 'trips', heading: 'round trips', digits: 1 },
        ],
        rows: [
          { pair: 'open – open', trips: 4.25 },
          { pair: 'open – symmetric', trips: null },
        ],
      },
    ],
    expectations: [
      { name: 'connected', what: 'all are connected', broken: [] },
      { name: 'quick', what: 'all are quick', broken: ['h1 to h2 took 9 s', 'h2 to h3 took 8 s'] },
    ],
  },
}
