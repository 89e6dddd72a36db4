/** What a status says of the engine, and of bootstrap nodes. */

import { formatSocketAddress } from '../base/address.js'
import type { Node } from '../engine/node.js'
import type { MeshState } from '../io/mesh/state.js'
import { now } from '../io/systemClock.js'
import { natStatus } from './natStatus.js'
import type { MeshStatus, Status } from './status.js'

export function engineStatus(
  engine: Node,
): Pick<Status, 'reachable' | 'nat' | 'mapped' | 'drops' | 'relay'> & Pick<MeshStatus, 'memberRelays'> {
  const { reachable = null, nat, mapped, drops, relay = null, memberRelays } = engine.status(now())
  return {
    memberRelays,
    reachable,
    nat: natStatus(nat),
    mapped: mapped.map(({ internal, external, ...port }) => ({
      ...port,
      internal: formatSocketAddress(internal),
      external: formatSocketAddress(external),
    })),
    drops: drops.toJSON(),
    relay,
  }
}

export function bootstrapStatus(bootstrap: MeshState['bootstrap']): Status['bootstrap'] {
  return bootstrap.map(({ nextTryInS, ...node }) => ({
    ...node,
    ...(nextTryInS === undefined ? {} : { nextTryInS: Math.round(nextTryInS) }),
  }))
}
