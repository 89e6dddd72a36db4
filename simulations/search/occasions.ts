/** Has faults strike when they are to: at a time, or right after the n-th event of a kind. */

import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Observer } from '../observer.js'
import type { EventKind, Occasion } from './fault.js'

/** One that waits for an event. */
interface Awaited {
  readonly afterMs: number
  readonly event: EventKind
  /** The host's name. */
  readonly host: string
  left: number
  readonly strike: () => void
}

export class Occasions {
  /** Looks at events only where there is an occasion at one. */
  readonly observer: Observer
  #queue: EventQueue | undefined = undefined
  #awaited: Awaited[] = []

  constructor(occasions: readonly Occasion[]) {
    this.observer = occasions.some((when) => 'event' in when)
      ? { handled: (host, input, effects) => this.#happened(host, input, effects) }
      : {}
  }

  /** Has `strike` happen on the occasion. `names` are those of the hosts, by their indices. */
  await(when: Occasion, names: readonly string[], queue: EventQueue, strike: () => void): void {
    this.#queue = queue
    if ('atMs' in when) {
      queue.in(when.atMs - queue.elapsed, strike)
      return
    }
    const { afterMs, event, host, nth } = when
    this.#awaited.push({ afterMs, event, host: names[host] ?? '', left: nth, strike })
  }

  #happened(host: string, input: Input, effects: readonly Effect[]): void {
    const queue = this.#queue
    if (queue === undefined || this.#awaited.length === 0) return
    let isOver = false
    for (const awaited of this.#awaited) {
      if (awaited.host !== host || awaited.afterMs > queue.elapsed) continue
      awaited.left -= Number(input.type === awaited.event)
      for (const effect of effects) awaited.left -= Number(effect.type === awaited.event)
      if (awaited.left > 0) continue
      isOver = true
      // Not amid what the host is doing: its daemon may be what is killed.
      queue.soon(awaited.strike)
    }
    if (isOver) this.#awaited = this.#awaited.filter(({ left }) => left > 0)
  }
}
