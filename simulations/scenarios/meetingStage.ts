/** The stage on which meetings take place: their hosts and networks, and three relays between them. */

import type { Setting } from '../scenario.js'
import type { ServerSpec } from '../topology.js'
import { type Meeting, topologyOf } from './networks.js'
import { Stage } from './stage.js'

const SERVER: ServerSpec = { region: 'europe', relays: true }

/** Of each meeting the machines `2 * index` and `2 * index + 1`. */
export function meetingStage<Name extends string>(
  meetings: readonly Meeting<Name>[],
  { seed, observers }: Pick<Setting<string>, 'seed' | 'observers'>,
): Stage {
  const topology = topologyOf(meetings, [SERVER, SERVER, SERVER])
  return new Stage({ topology, seed, observers, hostsBehindGateway: 2 })
}
