/**
 * A peer that connects again, as seen from a node that serves.
 *
 *     peer at its old address  ════╳════ the first connection: no end was ever announced
 *     peer at its new address  ═════════ the second one
 *
 * Who connects again may have moved, and then the connections from before are dead without a sign. circuit-relay-v2's
 * server relays to a peer over the first of its connections, so the peer could not be reached until our own pings failed:
 * up to 35 s, and at all its relays alike. Two remedies:
 *
 *   1. Streams are relayed over the newest connection. It needs no time-out, and holds from the first moment.
 *   2. Former connections are asked whether they live, and those that do not answer are aborted; the connections that are
 *      relayed over them end with them, so those at the other end of these dial anew.
 *
 * Former connections are not closed unasked. A peer can open two at once (two of its parts dial; or libp2p finds that it
 * has one already and closes the second, just as we would close the first), two processes can have one identity by
 * mistake and would throw each other out for ever, and with a connection its end loses the reservation made over it. One
 * that lives answers. Nor are touched: our own dials, whose end we know to be here; relayed connections, which end with
 * those that carry them; and the new connection itself. The reservation is the peer's, not a connection's: the server
 * keeps it until it expires, and the peer renews it over its new connection in any case.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import type { ConnectionManager } from '@libp2p/interface-internal'
import { isDirect } from './connections.js'
import { closeIfDead } from './liveness.js'
import type { Parts } from './parts.js'

/** How many former connections of a peer are asked, the newest first: it is free to open any number. */
const MAX_PROBED = 8

/**
 * Aborts the former connections of peers that connect again where they are dead, while `serves` says so. `ping` is the
 * protocol of pings.
 */
export function closeFormerConnections(
  { events, connectionManager }: Pick<Parts, 'events' | 'connectionManager'>,
  serves: () => boolean,
  ping: string,
): void {
  events.addEventListener('connection:open', ({ detail: connection }) => {
    if (!serves() || !isFromPeer(connection)) return
    const former = connectionManager
      .getConnections(connection.remotePeer)
      .filter((other) => other !== connection && isFromPeer(other))
    for (const other of former.slice(-MAX_PROBED)) void closeIfDead(other, ping)
  })
}

function isFromPeer({ direction, limits }: Connection): boolean {
  return direction === 'inbound' && limits === undefined
}

/** A relay server (what makes one, from libp2p's components) that sees the newest connection of each peer first. */
export function relayingOverNewest<Components extends object, Server>(
  makeServer: (components: Components & { readonly connectionManager: ConnectionManager }) => Server,
): (components: Components & { readonly connectionManager: ConnectionManager }) => Server {
  return (components) =>
    makeServer(
      new Proxy(components, {
        get(target, name) {
          if (name !== 'connectionManager') return Reflect.get(target, name)
          return newestFirst(target.connectionManager)
        },
      }),
    )
}

function newestFirst(connectionManager: ConnectionManager): ConnectionManager {
  return new Proxy(connectionManager, {
    get(target, name) {
      if (name !== 'getConnections') return Reflect.get(target, name)
      return (peer?: PeerId) => target.getConnections(peer).filter(isDirect).toReversed()
    },
  })
}
