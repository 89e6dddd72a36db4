/**
 * What WireGuard owes a peer, and waits for from it, when there is a session (the kernel's timers.c; whitepaper
 * section 6.5). It is told what happened, by the names that the kernel has for it:
 *
 *   data received      within 10 s something is sent, if nothing else a keepalive
 *   data sent          within 15 s and a little something comes back, or a handshake begins
 *   authentic passed   with PersistentKeepalive: so long after it a keepalive is sent
 */

import type { Random } from '../../src/base/random.js'
import { type HostClock, Timer } from './clock.js'
import { drawJitterMs, KEEPALIVE_TIMEOUT_MS, REKEY_TIMEOUT_MS } from './protocolTimes.js'

export interface LivenessOptions {
  readonly clock: HostClock
  readonly random: Random
  /** PersistentKeepalive; 0 for off. */
  readonly persistentMs: number
  readonly sendKeepalive: () => void
  /** Nothing came back. */
  readonly nothingHeard: () => void
}

export class Liveness {
  readonly #options: LivenessOptions
  readonly #owed: Timer
  /** True where data came after that for which the keepalive is due. */
  #owesAnother = false
  readonly #unanswered: Timer
  /** True in the random part of the wait. */
  #isJittering = false
  readonly #persistent: Timer

  constructor(options: LivenessOptions) {
    const { clock, sendKeepalive } = options
    this.#options = options
    this.#owed = new Timer(clock, () => this.#owedIsDue())
    this.#unanswered = new Timer(clock, () => this.#waited())
    this.#persistent = new Timer(clock, sendKeepalive)
  }

  dataReceived(): void {
    if (this.#owed.pending) this.#owesAnother = true
    else this.#owed.set(KEEPALIVE_TIMEOUT_MS)
  }

  dataSent(): void {
    if (!this.#unanswered.pending) this.#unanswered.set(KEEPALIVE_TIMEOUT_MS + REKEY_TIMEOUT_MS)
  }

  /** Anything is about to be sent that the peer can authenticate, a keepalive and a handshake message too. */
  authenticSent(): void {
    this.#owed.clear()
    this.#authenticPassed()
  }

  /** Anything authentic came. */
  authenticReceived(): void {
    this.#unanswered.clear()
    this.#isJittering = false
    this.#authenticPassed()
  }

  /** No handshake came about. */
  gaveUp(): void {
    this.#owed.clear()
  }

  stop(): void {
    for (const timer of [this.#owed, this.#unanswered, this.#persistent]) timer.clear()
  }

  #authenticPassed(): void {
    const { persistentMs } = this.#options
    if (persistentMs > 0) this.#persistent.set(persistentMs)
  }

  #owedIsDue(): void {
    this.#options.sendKeepalive()
    if (!this.#owesAnother) return
    this.#owesAnother = false
    this.#owed.set(KEEPALIVE_TIMEOUT_MS)
  }

  /** The random part is drawn when the rest has passed, and so not for every packet. */
  #waited(): void {
    this.#isJittering = !this.#isJittering
    if (this.#isJittering) this.#unanswered.set(drawJitterMs(this.#options.random))
    else this.#options.nothingHeard()
  }
}
