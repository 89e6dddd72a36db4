/** By which of our sockets a relay can be reached at the addresses that it has. */

import type { SocketAddress } from '../../base/address.js'
import type { Route } from '../path/path.js'
import { socketsFor } from '../path/reachability.js'
import type { RelayContext } from './relayingParts.js'

const MAX_WAYS = 4

/** One socket for each address first: a relay knows us at one. */
export function waysTo(
  addresses: readonly SocketAddress[],
  { machine, offers }: Pick<RelayContext, 'machine' | 'offers'>,
): readonly Route[] {
  const { sockets, routes } = machine()
  const each = offers
    .likelyFirst(addresses)
    .map((remote) =>
      offers.inOrder(socketsFor(remote.ip, sockets, routes)).map(({ id }) => ({ socket: id, remote })),
    )
  return [...each.flatMap((ways) => ways.slice(0, 1)), ...each.flatMap((ways) => ways.slice(1))].slice(
    0,
    MAX_WAYS,
  )
}
