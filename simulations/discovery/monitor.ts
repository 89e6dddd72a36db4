/**
 * The heartbeat of connections (src/io/mesh/heartbeat.ts): it pings each connection every few seconds, and aborts one whose
 * ping is not answered in time.
 *
 *     ping ──────── 3 s: TCP's last retransmission ──── 5 s: aborted
 *
 * A ping that is answered changes nothing, and so none is simulated until something is wrong. Then the next one is, at
 * the time at which it is due. Not simulated: a relay that is late is doubted, and another reservation made, after 1.5 s.
 */

import { SECOND } from '../../src/base/time.js'

/** `ABORT_MS` of the heartbeat, in ms. */
export const PING_TIMEOUT_MS = 5 * SECOND

/** Retransmissions follow 0.2, 0.6, 1.4 and 3 s after a segment (RFC 6298 with Linux's minimum); the next is too late. */
const LAST_RETRANSMISSION_MS = 3 * SECOND

/** What a ping would meet now: an answer, a reset, or nothing. */
export type Health = 'sound' | 'reset' | 'silent'

/** A connection, seen from one end. */
export interface Monitored {
  readonly isOpen: boolean
  readonly health: Health
  /** Whether the other side's kernel gets what is sent, whatever becomes of it there. */
  readonly arrives: boolean
  /** Milliseconds to the other end and back, where there is a way. */
  roundTripMs(): number
  abort(): void
}

/** Who pings. */
export interface Pinger {
  in(ms: number, action: () => void): void
  /** When the next ping is due. */
  atNextPing(action: () => void): void
}

export class Monitor {
  readonly #pinger: Pinger
  readonly #connection: Monitored
  #watching = false

  constructor(pinger: Pinger, connection: Monitored) {
    this.#pinger = pinger
    this.#connection = connection
  }

  /** Something is or may be wrong: the next ping will tell. */
  suspect(): void {
    if (this.#watching || !this.#connection.isOpen) return
    this.#watching = true
    this.#pinger.atNextPing(() => this.#ping())
  }

  #ping(): void {
    const connection = this.#connection
    if (this.#isOver()) return
    const { arrives } = connection
    this.#pinger.in(LAST_RETRANSMISSION_MS, () => {
      if (this.#isOver()) return
      const arrived = arrives || connection.arrives
      this.#pinger.in(PING_TIMEOUT_MS - LAST_RETRANSMISSION_MS, () => {
        // A process that was stopped answers late what its kernel took in time.
        if (arrived && this.#isOver()) return
        this.#watching = false
        connection.abort()
      })
    })
  }

  /** True where there is nothing to wait for: it is closed, answers, or is being reset. */
  #isOver(): boolean {
    const connection = this.#connection
    if (connection.isOpen && connection.health === 'silent') return false
    this.#watching = false
    if (connection.isOpen && connection.health === 'reset')
      this.#pinger.in(connection.roundTripMs(), () => connection.abort())
    return true
  }
}
