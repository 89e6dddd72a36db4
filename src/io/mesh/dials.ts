/**
 * Dialling without libp2p's dial queue, which takes a peer's addresses one after the other: one that swallows packets
 * would hold up all that follow. What is opened here libp2p knows like any other connection.
 */

import type { Connection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { within } from '../deadline.js'
import type { Parts } from './parts.js'

/** A way to open a connection, to be tried beside others. */
export type Dial = (until: AbortSignal) => Promise<Connection>

/**
 * A TCP connection that is not open in this time will not be, in ms. Enough for a lost first packet, and the knock at a
 * record with nothing but an address that swallows packets ends in time to look for a better record.
 */
const DIRECT_DIAL_MS = 1_500

/** Dials an address that is not a circuit. Rejects where there is no connection in {@link DIRECT_DIAL_MS}. */
export function dialDirectly(parts: Parts, address: Multiaddr, signal: AbortSignal): Promise<Connection> {
  return dial(parts, address, within(DIRECT_DIAL_MS, signal))
}

/** Dials an address. Rejects where it is not to be dialled, or the signal aborts before the connection is there. */
export async function dial(parts: Parts, address: Multiaddr, signal: AbortSignal): Promise<Connection> {
  if (await parts.connectionGater.denyDialMultiaddr?.(address))
    throw new Error(`${address} is not to be dialled`)
  signal.throwIfAborted()
  // The transport hands its signal to the socket, which would close the connection if it aborted later on.
  const dialling = new AbortController()
  const onAbort = () => dialling.abort(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    return await parts.transportManager.dial(address, { signal: dialling.signal })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * The first connection that opens, and the ways that did not lead to it. The other attempts are called off, and what
 * they still open is closed.
 */
export async function firstOf(
  dials: readonly Dial[],
  signal: AbortSignal,
): Promise<{ readonly connection: Connection; readonly others: readonly Dial[] }> {
  if (dials.length === 0) throw new Error('no address to dial')
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const attempts = dials.map(async (dial) => ({ dial, connection: await dial(until) }))
  try {
    const first = await Promise.any(attempts)
    for (const attempt of attempts) {
      attempt.then(
        ({ connection }) => {
          if (connection !== first.connection) connection.close().catch(() => {})
        },
        () => {},
      )
    }
    return { connection: first.connection, others: dials.filter((dial) => dial !== first.dial) }
  } finally {
    over.abort()
  }
}
