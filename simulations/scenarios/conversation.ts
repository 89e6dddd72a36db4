/**
 * One host pings another, again and again, and it is counted what comes back. Where somebody waits for an answer (at
 * the beginning, after a move, after a fault), pings go out more often, so that the wait is measured finely.
 *
 * Nothing is kept of a ping beyond its answer, or beyond the time after which it counts as lost.
 */

import type { Ping } from '../hosts/pinger.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Measurement } from '../report/findings.js'
import type { Wait, Waits } from './waits.js'

/** While somebody waits, and not for ever: there may be no way. */
const EAGER_MS = 100
const EAGER_FOR_MS = 15_000
/** A ping that has no answer by then is lost. */
const LOST_MS = 10_000
/** So long before a move, or a fault, a ping may still have been under way, or its answer. */
const UNDER_WAY_MS = 1_000

/** Of many conversations together. */
export class Tally {
  pings = 0
  answered = 0
  /** Sent while nobody waited, and lost: without a cause that the scenario knows of. */
  lost = 0
  /** Sent while somebody waited, and lost. */
  lostWaiting = 0

  get measurements(): readonly Measurement[] {
    return [
      { name: 'pings', what: 'pings sent', unit: 'pings', value: this.pings },
      { name: 'pings-answered', what: 'of them answered', unit: 'pings', value: this.answered },
      {
        name: 'pings-lost',
        what: 'lost without a known cause',
        unit: 'pings',
        value: this.lost,
      },
    ]
  }
}

interface Waiting {
  readonly since: number
  /** Who wants to know how long it takes. */
  readonly told: { readonly wait: Wait; readonly waits: Waits } | undefined
}

export class Conversation {
  readonly #queue: EventQueue
  readonly #send: () => Ping
  readonly #tally: Tally
  #everyMs = 0
  #talks = false
  #ticking = false
  #underWay: Ping[] = []
  #waiting: Waiting | undefined = undefined
  /** When the last wait was over. */
  #calmSince = 0
  readonly #tick = (): void => this.#next()

  constructor(queue: EventQueue, send: () => Ping, tally: Tally) {
    this.#queue = queue
    this.#send = send
    this.#tally = tally
  }

  get talks(): boolean {
    return this.#talks
  }

  /** Pings from now on, each `everyMs` milliseconds. */
  begin(everyMs: number): void {
    this.#everyMs = everyMs
    this.#talks = true
    if (this.#ticking) return
    this.#ticking = true
    this.#queue.soon(this.#tick)
  }

  /** Pings no more. Who waits gives up. */
  end(): void {
    this.#read()
    this.#talks = false
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting?.told === undefined) return
    waiting.told.waits.givenUp(waiting.told.wait, this.#queue.elapsed - waiting.since)
  }

  /** The wait ends with the answer to a ping that is sent from now on. A wait that was not over counts no more. */
  expect(waits: Waits, wait: Wait): void {
    this.#await({ wait, waits })
  }

  /** What is lost from now until the next answer has a cause, and nobody is told how long that takes. */
  excuse(): void {
    this.#await(undefined)
  }

  #await(told: Waiting['told']): void {
    this.#read()
    this.#waiting = { since: this.#queue.elapsed, told }
    if (this.#talks) this.#ping()
  }

  #next(): void {
    this.#read()
    if (this.#talks) this.#ping()
    this.#ticking = this.#talks || this.#underWay.length > 0
    if (this.#ticking) this.#queue.in(this.#pauseMs, this.#tick)
  }

  get #pauseMs(): number {
    const since = this.#waiting?.since
    const isEager = since !== undefined && this.#queue.elapsed - since < EAGER_FOR_MS
    return isEager ? Math.min(EAGER_MS, this.#everyMs) : this.#everyMs
  }

  #ping(): void {
    this.#tally.pings += 1
    this.#underWay.push(this.#send())
  }

  /** Takes note of what came back since it was looked last. */
  #read(): void {
    const now = this.#queue.elapsed
    let kept = 0
    for (const ping of this.#underWay) {
      if (ping.answeredAt !== undefined) this.#answered(ping.sentAt, ping.answeredAt)
      else if (now - ping.sentAt >= LOST_MS) this.#lost(ping.sentAt)
      else this.#underWay[kept++] = ping
    }
    this.#underWay.length = kept
  }

  #answered(sentAt: number, answeredAt: number): void {
    this.#tally.answered += 1
    const waiting = this.#waiting
    if (waiting === undefined || sentAt < waiting.since) return
    this.#waiting = undefined
    this.#calmSince = answeredAt
    waiting.told?.waits.answered(waiting.told.wait, answeredAt - waiting.since)
  }

  #lost(sentAt: number): void {
    const waitsSince = this.#waiting?.since ?? Number.POSITIVE_INFINITY
    if (sentAt >= this.#calmSince && sentAt + UNDER_WAY_MS < waitsSince) this.#tally.lost += 1
    else this.#tally.lostWaiting += 1
  }
}
