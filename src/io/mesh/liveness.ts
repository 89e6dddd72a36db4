/**
 * Whether a connection still carries anything. TCP does not notice that the address at one end of it has gone, nor that
 * a gateway has forgotten it, and our own pings ({@link ./heartbeat}) take their time. Where there is a reason to doubt a connection it is asked at once.
 */

import type { Connection } from '@libp2p/interface'
import { within } from '../deadline.js'

/** As long as a dial is given: three retransmissions of TCP (after 0.2, 0.6 and 1.4 s). In ms. */
export const PROBE_MS = 1_500

/** Connections that are being probed: doubts come in bursts. */
const probed = new WeakSet<Connection>()

/**
 * Aborts a connection over which no stream can be negotiated in {@link PROBE_MS}. `protocol` is that of pings; the other
 * side's answer to its name is all that is waited for, and any answer will do.
 */
export async function closeIfDead(connection: Connection, protocol: string): Promise<void> {
  if (connection.status !== 'open' || probed.has(connection)) return
  probed.add(connection)
  const signal = within(PROBE_MS)
  try {
    const stream = await connection.newStream(protocol, { signal, runOnLimitedConnection: true })
    stream.abort(new Error('the answer was all that was wanted'))
  } catch {
    // A refusal is an answer as well.
    if (signal.aborted) connection.abort(new Error('the connection does not answer any more'))
  } finally {
    probed.delete(connection)
  }
}
