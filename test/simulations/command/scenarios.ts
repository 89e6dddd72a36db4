/** A made-up scenario for the tests of the command line. */

import type { Run, Scenario } from '../../../simulations/scenario.js'

export const STORY: Scenario = {
  name: 'some-story',
  summary: 'Things happen',
  parameters: {
    nodes: { what: 'how many hosts', unit: 'hosts', default: 10, min: 2, max: 1_000_000 },
    hours: { what: 'for how long', unit: 'hours', default: 1, min: 0.1, max: 24, fractional: true },
    'active-peers': { what: 'peers of each', unit: 'peers', default: 2, min: 1, max: 9 },
  },
  size: ({ nodes = 0, 'active-peers': peers = 0 }) => ({ hosts: nodes, pairs: nodes * peers }),
  begin(): Run {
    throw new Error('it is not to be played')
  },
}

export const OTHER_STORY: Scenario = {
  ...STORY,
  name: 'other-story',
  parameters: {},
  size: () => ({ hosts: 2, pairs: 1 }),
}
