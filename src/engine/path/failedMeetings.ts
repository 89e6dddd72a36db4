/**
 * Between which two networks punching failed, and when it may be tried again: ever more rarely. It is what stands
 * between the two that fails, so it is remembered by the gateways and not by the peer. Bounded; what was used longest ago
 * is forgotten first.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, HOUR, type Instant, MINUTE } from '../../base/time.js'

const AGAIN_MS: Backoff = { first: 1 * MINUTE, longest: 1 * HOUR }

/** An entry is two addresses and two numbers. */
const MAX_MEETINGS = 256

interface Failure {
  readonly failures: number
  readonly notBefore: Instant
}

/** Two gateways, by their outer addresses. */
export interface Gateways {
  readonly own: string
  readonly peer: string
}

export class FailedMeetings {
  readonly #failed = new Map<string, Failure>()

  /** From when on it may be tried; undefined where nothing speaks against it. */
  notBefore(between: Gateways): Instant | undefined {
    return this.#failed.get(nameOf(between))?.notBefore
  }

  /** An effort that would have ended at `endsAt` came to nothing. */
  failed(between: Gateways, endsAt: Instant): void {
    const name = nameOf(between)
    const failures = this.#failed.get(name)?.failures ?? 0
    this.#failed.delete(name)
    if (this.#failed.size >= MAX_MEETINGS) {
      const oldest = this.#failed.keys().next()
      if (!oldest.done) this.#failed.delete(oldest.value)
    }
    const notBefore = after(endsAt, backoffMs(AGAIN_MS, failures))
    this.#failed.set(name, { failures: failures + 1, notBefore })
  }

  /** One led to a path. */
  met(between: Gateways): void {
    this.#failed.delete(nameOf(between))
  }

  get size(): number {
    return this.#failed.size
  }
}

function nameOf({ own, peer }: Gateways): string {
  return `${own} ${peer}`
}
