/** What the engine knows of the NATs before us, as `status --json` prints it. */

import { formatSocketAddress } from '../base/address.js'
import { SECOND } from '../base/time.js'
import type { NodeStatus } from '../engine/status.js'
import type { NatStatus } from './status.js'

export function natStatus(nat: NodeStatus['nat']): NatStatus {
  const { mapping, filtering, portPreserving, hairpinning, lifetimeMs, secondNat, udp, reflexive } = nat
  return {
    mapping,
    filtering,
    portPreserving: portPreserving ?? null,
    hairpinning: hairpinning ?? null,
    lifetimeS: lifetimeMs === undefined ? null : lifetimeMs / SECOND,
    secondNat: secondNat ?? null,
    udp: udp ?? null,
    reflexive: reflexive.map(formatSocketAddress),
  }
}
