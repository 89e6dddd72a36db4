/** Names of hosts and where they lead: what a daemon's resolver finds out, after a while. */

import type { Input } from '../../src/engine/inputs.js'
import type { HostClock } from './clock.js'

/** A resolver close by, which has to ask others. */
const DELAY_MS = 20

interface Entry {
  readonly ips: readonly string[]
  readonly ttlMs: number | undefined
}

export class NameServer {
  readonly #entries = new Map<string, Entry>()
  /** How often each name was asked for. */
  readonly asked = new Map<string, number>()
  delayMs = DELAY_MS
  /** False while it refuses to answer. */
  answers = true

  /** The name leads there from now on. */
  set(name: string, ips: readonly string[], ttlMs?: number): void {
    this.#entries.set(name, { ips, ttlMs })
  }

  countOf(name: string): number {
    return this.asked.get(name) ?? 0
  }

  /** Answers as the errand `resolve-name` is answered, by what holds when the answer is made. */
  resolve(name: string, clock: HostClock, answer: (input: Input) => void): void {
    this.asked.set(name, this.countOf(name) + 1)
    clock.in(this.delayMs, () => {
      const entry = this.answers ? this.#entries.get(name) : undefined
      if (entry !== undefined) answer({ type: 'name-resolved', name, ...entry })
      else
        answer({
          type: 'name-failed',
          name,
          reason: this.answers ? 'there is no such name' : 'no name server answers',
        })
    })
  }
}
