/**
 * Finding out that a connection is dead where nothing is sent over it: TCP takes a quarter of an hour for that.
 *
 * libp2p's connection monitor opens a stream for each ping, over every connection alike. Here it is yamux's own ping, a
 * frame of 12 bytes each way, and it is sent as often as its answer matters: {@link WATCHED_PING_MS} at relays that hold a
 * reservation for us, because others knock there, and {@link PING_MS} elsewhere. Relayed connections are not asked: they end
 * with the connection that carries them.
 *
 * A ping that is late is not taken for a death (js-libp2p issues 3463 and 3504): a watched connection is doubted first,
 * and aborted only long after. Nor is time in which this process itself did not run, for which no other can be blamed:
 * the answer may have been there all the while.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { SECOND } from '../../base/time.js'
import { closeIfDead } from './liveness.js'
import type { Parts } from './parts.js'

/** How often a relay with our reservation is asked, and when it is doubted, in ms. */
const WATCHED_PING_MS = 3.5 * SECOND
const SUSPECT_MS = 1.5 * SECOND
/** How often all other connections are asked. */
const PING_MS = 30 * SECOND
/** When a connection without an answer is aborted: TCP has retransmitted after 0.2, 0.6, 1.4 and 3 s by then. */
const ABORT_MS = 5 * SECOND
const TICK_MS = 0.5 * SECOND

interface Pulse {
  pingedAt: number
  isAwaited: boolean
}

export class Heartbeat {
  readonly #parts: Pick<Parts, 'connectionManager'>
  readonly #isWatched: (peer: PeerId) => boolean
  readonly #onSuspect: (peer: PeerId, isSuspect: boolean) => void
  readonly #ping: string
  readonly #pulses = new WeakMap<Connection, Pulse>()
  #timer: NodeJS.Timeout | undefined
  /** The time in which this process ran, in ms, and when that was last counted. */
  #ranMs = 0
  #countedAt = performance.now()

  /** `onSuspect` hears of a watched peer that is late, and that it answers after all. `ping` is the protocol of pings. */
  constructor(
    parts: Pick<Parts, 'connectionManager'>,
    isWatched: (peer: PeerId) => boolean,
    onSuspect: (peer: PeerId, isSuspect: boolean) => void,
    ping: string,
  ) {
    this.#parts = parts
    this.#isWatched = isWatched
    this.#onSuspect = onSuspect
    this.#ping = ping
  }

  start(): void {
    this.#countedAt = performance.now()
    this.#timer = setInterval(() => this.beat(performance.now()), TICK_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Asks who is due at `at`, on the clock of `performance`, and judges those who were asked. */
  beat(at: number): void {
    this.#ranMs += Math.min(at - this.#countedAt, 2 * TICK_MS)
    this.#countedAt = at
    const now = this.#ranMs
    for (const connection of this.#parts.connectionManager.getConnections()) {
      if (connection.status !== 'open' || connection.limits !== undefined) continue
      const pulse = this.#pulses.get(connection) ?? {
        pingedAt: now - PING_MS * Math.random(),
        isAwaited: false,
      }
      this.#pulses.set(connection, pulse)
      this.#beatOne(connection, pulse, this.#isWatched(connection.remotePeer), now)
    }
  }

  #beatOne(connection: Connection, pulse: Pulse, isWatched: boolean, now: number): void {
    const waited = now - pulse.pingedAt
    if (pulse.isAwaited) {
      if (waited >= ABORT_MS) connection.abort(new Error('the connection does not answer any more'))
      else if (isWatched && waited >= SUSPECT_MS) this.#onSuspect(connection.remotePeer, true)
    } else if (waited >= (isWatched ? WATCHED_PING_MS : PING_MS)) {
      pulse.pingedAt = now
      this.#send(connection, pulse)
    }
  }

  #send(connection: Connection, pulse: Pulse): void {
    const muxer = muxerOf(connection)
    if (muxer === undefined) {
      void closeIfDead(connection, this.#ping)
      return
    }
    pulse.isAwaited = true
    // Without a signal: yamux takes the answer to a ping that was given up for an offence, and ends the connection.
    muxer.ping().then(
      (rtt) => {
        pulse.isAwaited = false
        connection.rtt = rtt
        this.#onSuspect(connection.remotePeer, false)
      },
      () => {
        pulse.isAwaited = false
      },
    )
  }
}

interface PingingMuxer {
  /** Resolves to the round trip in ms. */
  ping(): Promise<number>
}

/** libp2p's connections do not show their muxer. */
function muxerOf(connection: Connection): PingingMuxer | undefined {
  const muxer: unknown = Reflect.get(connection, 'muxer')
  return typeof muxer === 'object' && muxer !== null && 'ping' in muxer && typeof muxer.ping === 'function'
    ? (muxer as PingingMuxer)
    : undefined
}
