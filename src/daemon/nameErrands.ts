/** The names of peers, resolved as the engine wants it; each question ends with an input that says how it went. */

import { setMaxListeners } from 'node:events'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import type { Input } from '../engine/inputs.js'
import { hostAddresses } from '../io/names/hostAddresses.js'
import type { Logger } from './logger.js'

/** WireGuard repeats a first message after 5 s: what comes later is for the next one. */
const RESOLVE_MS = 5 * SECOND

export class NameErrands {
  readonly #handle: (input: Input) => void
  readonly #log: Logger
  readonly #resolve: typeof hostAddresses
  readonly #stopping = new AbortController()

  constructor(handle: (input: Input) => void, log: Logger, resolve = hostAddresses) {
    this.#handle = handle
    this.#log = log
    this.#resolve = resolve
    // Each question that is under way listens, and there may be one for each peer; Node would warn of a leak.
    setMaxListeners(0, this.#stopping.signal)
  }

  /** Never throws; the engine asks for one name once at a time. */
  resolve(name: string): void {
    this.#ask(name).catch((err: unknown) => this.#log.error({ err }, 'resolving a name failed unexpectedly'))
  }

  /** What is under way ends now. */
  stop(): void {
    this.#stopping.abort()
  }

  async #ask(name: string): Promise<void> {
    let answer: Input
    try {
      const { ips, ttlMs } = await this.#resolve(name, RESOLVE_MS, this.#stopping.signal)
      answer = { type: 'name-resolved', name, ips, ttlMs }
    } catch (error) {
      answer = { type: 'name-failed', name, reason: causeOf(error) }
    }
    if (!this.#stopping.signal.aborted) this.#handle(answer)
  }
}
