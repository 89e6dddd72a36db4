/** Pings at regular intervals, of which only figures are kept. */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Machine } from './machine.js'
import type { Ping } from './pinger.js'

/** Times in milliseconds since the world began. */
export interface TrafficPlan {
  readonly peer: PublicKey
  readonly everyMs: number
  readonly fromMs: number
  /** The first time at which nothing is sent any more. */
  readonly untilMs: number
}

export class Traffic {
  readonly plan: TrafficPlan
  /** Told of each answer. */
  onAnswer: (ping: Ping) => void = () => undefined
  sent = 0
  answered = 0
  /** Of all answers together, and of the slowest. */
  roundTripsMs = 0
  slowestMs = 0
  /** The longest time between answers, or before the first one. */
  longestSilenceMs = 0
  readonly #machine: Machine
  readonly #noteAnswer = (ping: Ping): void => this.#note(ping)
  readonly #send = (): void => this.#sendNext()
  #lastAnswerAt: number

  constructor(machine: Machine, plan: TrafficPlan) {
    this.#machine = machine
    this.plan = plan
    this.#lastAnswerAt = Math.max(plan.fromMs, machine.clock.elapsed)
    machine.clock.in(Math.max(0, plan.fromMs - machine.clock.elapsed), this.#send)
  }

  /** How long nothing was answered until now. */
  get silenceMs(): number {
    return this.#machine.clock.elapsed - this.#lastAnswerAt
  }

  #sendNext(): void {
    const { clock } = this.#machine
    if (clock.elapsed >= this.plan.untilMs) return
    clock.in(this.plan.everyMs, this.#send)
    if (!this.#machine.isUp) return
    this.sent += 1
    this.#machine.ping(this.plan.peer, this.#noteAnswer)
  }

  #note(ping: Ping): void {
    const { elapsed } = this.#machine.clock
    const tookMs = elapsed - ping.sentAt
    this.answered += 1
    this.roundTripsMs += tookMs
    this.slowestMs = Math.max(this.slowestMs, tookMs)
    this.longestSilenceMs = Math.max(this.longestSilenceMs, elapsed - this.#lastAnswerAt)
    this.#lastAnswerAt = elapsed
    this.onAnswer(ping)
  }
}
