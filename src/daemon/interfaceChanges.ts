/** What the log says when somebody else changed the WireGuard interface; what is done about it others decide. */

import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import type { InterfaceDump } from '../io/wireguard/interfaceDump.js'
import type { Former } from './formerEndpoints.js'
import type { Logger } from './logger.js'

/** So many keys are named in a line. */
const MAX_NAMED = 8

/** The interface as it was read, and what the engine then knew as the peers' former endpoints. */
export interface InterfaceReading {
  readonly dump: Pick<InterfaceDump, 'listenPort' | 'peers'>
  readonly former: Former
}

/** Tells what is different between two readings: peers, the listen port, and endpoints that are not ours. */
export function logChanges(
  before: InterfaceReading,
  after: InterfaceReading,
  log: Pick<Logger, 'info'>,
): void {
  const had = new Set(before.dump.peers.map(({ publicKey }) => publicKey))
  const has = new Set(after.dump.peers.map(({ publicKey }) => publicKey))
  const added = [...has].filter((key) => !had.has(key))
  const removed = [...had].filter((key) => !has.has(key))
  if (added.length > 0) log.info(named(added), 'the interface has more peers')
  if (removed.length > 0) log.info(named(removed), 'peers of the interface were removed')
  const { listenPort } = after.dump
  if (listenPort !== before.dump.listenPort && listenPort !== 0)
    log.info({ listenPort }, 'WireGuard listens on another port: followed')
  for (const [peer, endpoint] of after.former) {
    if (endpoint === undefined || !before.former.has(peer) || isSame(endpoint, before.former.get(peer)))
      continue
    log.info(
      { peer, endpoint: formatSocketAddress(endpoint) },
      'somebody set the endpoint of a peer: it is tried as well, put back at the end, and ours is set again',
    )
  }
}

function named(keys: readonly PublicKey[]) {
  return { count: keys.length, peers: keys.slice(0, MAX_NAMED) }
}

function isSame(one: SocketAddress, other: SocketAddress | undefined): boolean {
  return other !== undefined && sameSocketAddress(one, other)
}
