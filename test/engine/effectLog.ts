/** What an engine wanted done. */

import type { Effect, Emit } from '../../src/engine/effects.js'

export type Sent = Extract<Effect, { type: 'send' }>

export class EffectLog {
  readonly emit: Emit = (effect) => {
    this.#effects.push(effect)
  }
  #effects: Effect[] = []

  /** All effects since the last time. */
  take(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** The datagrams sent since the last time; other effects are forgotten. */
  takeSent(): readonly Sent[] {
    return this.take().filter((effect): effect is Sent => effect.type === 'send')
  }
}
