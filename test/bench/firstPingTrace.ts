/**
 * What the time to a first ping is spent on, told by the log (at debug level) of the daemon that pings:
 *
 *   ping ─► a first message waits ─► knocking ─► sent a first message ─► pong
 *           └ look-up ─────────────┘└ knock, checks ─────────────────┘└ handshake, echo
 */

import type { PublicKey } from '../../src/base/publicKey.js'

export interface FirstPingPhases {
  /** Until there is a record to knock on; with a known record, until we know where we are ourselves. */
  readonly lookUpMs: number
  /** Until the first message leaves. */
  readonly knockAndChecksMs: number
  /** From then to the answer of the ping. */
  readonly handshakeAndEchoMs: number
}

interface LogLine {
  readonly time: string
  readonly msg: string
  readonly peer?: string
}

/** Reads the phases out of `log`, a line of JSON each, for a ping that took `totalMs`; undefined where one is not told. */
export function firstPingPhases(log: string, peer: PublicKey, totalMs: number): FirstPingPhases | undefined {
  const lines = log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => line.peer === peer)
  const when = (message: string): number | undefined => {
    const line = lines.find(({ msg }) => msg === message)
    return line === undefined ? undefined : Date.parse(line.time)
  }
  const waits = when('a first message waits for a path')
  const sent = when('sent a first message')
  if (waits === undefined || sent === undefined) return undefined
  // A knock of the peer's may have been there first.
  const knocked = Math.min(when('knocking') ?? sent, sent)
  return {
    lookUpMs: knocked - waits,
    knockAndChecksMs: sent - knocked,
    handshakeAndEchoMs: totalMs - (sent - waits),
  }
}
