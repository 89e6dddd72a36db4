/**
 * When the daemon reads the WireGuard interface: every second, as src/daemon/interfaceWatch.ts does.
 *
 * Reads of which is known that they would change nothing are left out, and their events with them; over a day of many
 * idle hosts they would be most of what happens. That is known where all of this holds:
 *
 * - The interface is as it was when it was last read.
 * - All endpoints are ours, so that the engine is not waiting for a session to die (engine/loopback/takeover.ts).
 * - Nothing is due within a second. Then each peer is at rest, and an unchanged read is no more than an early wake-up,
 *   of which the engine's laws say that it changes nothing.
 */

import { after, elapsed, type Instant } from '../../src/base/time.js'
import type { HostClock } from './clock.js'

const READ_MS = 1_000

export interface InterfaceReadsOptions {
  readonly clock: HostClock
  /** Reads, and says whether the engine has to be told again even of the same. */
  readonly read: () => boolean
  /** True where none is left out. */
  readonly complete: boolean
}

export class InterfaceReads {
  readonly #options: InterfaceReadsOptions
  readonly #startedAt: Instant
  /** True where the next read says something, as far as is known. */
  #due = false
  #scheduled = false
  #stopped = false

  /** The first read is `READ_MS` from now. */
  constructor(options: InterfaceReadsOptions) {
    this.#options = options
    this.#startedAt = options.clock.instant
    if (options.complete) this.needed()
  }

  /** The interface changed, or the engine has something to do soon. */
  needed(): void {
    this.#due = true
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    const { clock } = this.#options
    const periods = Math.floor(elapsed(this.#startedAt, clock.instant) / READ_MS) + 1
    const next = after(this.#startedAt, periods * READ_MS)
    // Where sums are not exact this one may be the very read that is under way.
    const isNow = elapsed(clock.instant, next) < 1
    clock.at(isNow ? after(next, READ_MS) : next, () => this.#reached())
  }

  /** The engine is next to be woken then. */
  settled(nextWake: Instant | undefined): void {
    if (nextWake !== undefined && elapsed(this.#options.clock.instant, nextWake) < READ_MS) this.needed()
  }

  stop(): void {
    this.#stopped = true
  }

  #reached(): void {
    this.#scheduled = false
    if (this.#stopped || !this.#due) return
    this.#due = false
    const again = this.#options.read()
    if (again || this.#options.complete) this.needed()
  }
}
