/**
 * A member relay: what a node does for pairs that cannot meet. It ties together who gets a session (grants.ts), the
 * sessions (sessions.ts) and the way of their datagrams (table.ts), and says what it offers.
 */

import type { DropReason } from '../../base/drops.js'
import type { Random } from '../../base/random.js'
import { elapsed, type Instant, type Now, SECOND } from '../../base/time.js'
import { MAX_RELAY_LOAD, type RelayService } from '../../wire/services.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import type { Input, LocalSocket, MachineRoute } from '../inputs.js'
import type { Route } from '../path/path.js'
import { GrantDesk, type GrantDeskParts } from './grants.js'
import type { RelayQuotas } from './quotas.js'
import { RelaySessions } from './sessions.js'
import type { RelayTable } from './table.js'

/** How a relay stands. */
export interface RelayStatus {
  readonly sessions: number
  readonly maxSessions: number
  /** Sessions given, and requests refused with a reason, since the start. */
  readonly granted: number
  readonly refused: number
  /** What was passed on since the start. */
  readonly datagrams: number
  readonly bytes: number
}

export type RelayInput = Extract<Input, { type: 'relay-opened' | 'relay-failed' | 'relay-datagram' }>

export interface RelayServerParts extends Omit<GrantDeskParts, 'sessions'> {
  readonly quotas: RelayQuotas
  readonly table: RelayTable
  readonly random: Random
  readonly drop: (reason: DropReason) => void
  readonly routes: () => readonly MachineRoute[]
  /** Whether there is anybody whom an open network's relay would serve. */
  readonly hasPeers: () => boolean
}

/** Over how long the traffic of the load is measured, in ms, at least. */
const LOAD_WINDOW_MS = 5 * SECOND

export class RelayServer {
  readonly #parts: RelayServerParts
  readonly #sessions: RelaySessions
  readonly #desk: GrantDesk
  #measuredAt: Instant
  #measuredBytes = 0
  #bytesPerSecond = 0

  constructor(parts: RelayServerParts, now: Instant) {
    this.#parts = parts
    this.#measuredAt = now
    this.#sessions = new RelaySessions({ ...parts, onEnd: (id) => this.#desk.ended(id) })
    this.#desk = new GrantDesk({ ...parts, sessions: this.#sessions }, now)
  }

  get nextWake(): Instant | undefined {
    return this.#sessions.nextWake
  }

  /** A request with the method GRANT came in on a shared socket. */
  asked(request: DecodedStun, from: Route, now: Now): DropReason | undefined {
    return this.#desk.asked(request, from, now)
  }

  handle(input: RelayInput, now: Now): void {
    switch (input.type) {
      case 'relay-opened':
        this.#desk.opened(input)
        break
      case 'relay-failed':
        this.#desk.failed(input)
        break
      case 'relay-datagram':
        this.#sessions.bind(input, this.#parts.routes(), now)
    }
  }

  socketsChanged(sockets: readonly LocalSocket[]): void {
    this.#sessions.socketsChanged(sockets)
  }

  wake(now: Instant): void {
    this.#sessions.wake(now)
  }

  /** What others are told; undefined while nobody would be served. */
  offer(now: Instant): RelayService | undefined {
    const { serves, membership, hasPeers, keys, quotas } = this.#parts
    if (!serves() || (membership === undefined && !hasPeers())) return undefined
    this.#measure(now)
    const share = Math.max(
      this.#sessions.size / quotas.sessions,
      this.#bytesPerSecond / quotas.bytesPerSecond,
    )
    return { publicKey: keys().publicKey, load: Math.min(MAX_RELAY_LOAD, Math.round(share * MAX_RELAY_LOAD)) }
  }

  status(): RelayStatus {
    const { quotas, table } = this.#parts
    return {
      sessions: this.#sessions.size,
      maxSessions: quotas.sessions,
      granted: this.#desk.granted,
      refused: this.#desk.refused,
      datagrams: table.datagrams,
      bytes: table.bytes,
    }
  }

  #measure(now: Instant): void {
    const ms = elapsed(this.#measuredAt, now)
    if (ms < LOAD_WINDOW_MS) return
    const { bytes } = this.#parts.table
    this.#bytesPerSecond = ((bytes - this.#measuredBytes) * SECOND) / ms
    this.#measuredAt = now
    this.#measuredBytes = bytes
  }
}
