/** How much a member relay does for others. */

/** Limits of a relay; all are whole numbers above zero. */
export interface RelayQuotas {
  /** Sessions at a time. */
  readonly sessions: number
  /** Sessions at a time that were asked for from one address (of IPv6: from one /64). */
  readonly sessionsPerSource: number
  /** Bytes that come in and are passed on, each second. */
  readonly bytesPerSecond: number
  /** The same of one session. */
  readonly bytesPerSecondOfSession: number
  /** The same of all sessions that were asked for from one address. */
  readonly bytesPerSecondOfSource: number
}

/** What all sessions together pass on where nothing else is said, in bytes a second: 1 Gbit/s. */
export const DEFAULT_RELAY_BYTES_PER_SECOND = 125_000_000

export const DEFAULT_RELAY_SESSIONS = 1_000

/** Sixteen hosts behind one carrier-grade NAT with four peers each. */
const SESSIONS_PER_SOURCE = 64

/** The quotas of a relay with so many sessions and so many bytes a second in all; one alone has half of these bytes. */
export function relayQuotas(
  sessions = DEFAULT_RELAY_SESSIONS,
  bytesPerSecond = DEFAULT_RELAY_BYTES_PER_SECOND,
): RelayQuotas {
  return {
    sessions,
    sessionsPerSource: Math.min(sessions, SESSIONS_PER_SOURCE),
    bytesPerSecond,
    bytesPerSecondOfSession: Math.ceil(bytesPerSecond / 2),
    bytesPerSecondOfSource: Math.ceil(bytesPerSecond / 2),
  }
}
