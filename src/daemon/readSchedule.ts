/**
 * When something is read again: soon after each change of it, and again and again, with growing pauses, while it could
 * not be read as a whole. Reads never overlap.
 */

import { backoffMs } from '../base/backoff.js'

/** Changes come in bursts: so long after the first of a burst it is read. */
export const BURST_MS = 50

/** Pauses while a read is not whole: twice as long each time, from the first again after a change. */
const RETRY_MS = { first: 1_000, longest: 60_000 } as const

export class ReadSchedule {
  readonly #read: (isRetry: boolean) => Promise<boolean>
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  #due = Number.POSITIVE_INFINITY
  #retries = 0
  #reading: Promise<void> | undefined
  /** True where something changed that the read under way may not have seen. */
  #changed = false
  #stopped = false

  /** `read` says whether it was whole, and must not reject. */
  constructor(read: (isRetry: boolean) => Promise<boolean>) {
    this.#read = read
  }

  /** Something changed. The first deadline counts: a stream of changes puts nothing off. */
  changed(): void {
    this.#retries = 0
    this.#changed = true
    if (this.#reading === undefined) this.#arm(BURST_MS)
  }

  /** What was read was not whole. */
  retry(): void {
    this.#arm(backoffMs(RETRY_MS, this.#retries))
    this.#retries += 1
  }

  /** Reads no more, and resolves when the read under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#reading
  }

  #arm(ms: number): void {
    const due = performance.now() + ms
    if (this.#stopped || this.#due <= due) return
    this.#due = due
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY
      this.#reading = this.#readNow().finally(() => {
        this.#reading = undefined
        if (this.#changed) this.#arm(BURST_MS)
      })
    }, ms)
  }

  async #readNow(): Promise<void> {
    const isRetry = !this.#changed
    this.#changed = false
    if (await this.#read(isRetry)) this.#retries = 0
    else this.retry()
  }
}
