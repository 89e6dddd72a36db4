/**
 * The hardest pairs that have a direct path: one behind a gateway that maps by destination, at random ports or such that
 * count, the other behind one that filters by port. All begin over a relay; a port has to be foretold or hit by many
 * tries.
 *
 * Luck is a part of it, so there are many such pairs, each with gateways of its own. Expected is what is of the NAT matrix.
 */

import type { Scenario } from '../scenario.js'
import { NatMatrix } from './natMatrix.js'
import { guessingMeetings } from './networks.js'

export const guessing: Scenario<'tries'> = {
  name: 'guessing',
  summary: 'Pairs of which one has to guess the port of the other, one after the other',
  parameters: {
    tries: { what: 'pairs that try', unit: 'pairs', default: 100, min: 1, max: 1_000 },
  },
  size: ({ tries }) => ({ hosts: 2 * tries, pairs: tries }),
  begin: ({ values, seed, observers }) =>
    new NatMatrix(guessingMeetings(values.tries), { seed, observers }).run,
}
