/**
 * The ports of a hard NAT in the order in which they are probed, none of them twice: where it counts, every other one is
 * a predicted one until those are used up; the rest are random.
 */

import { type Random, randomBelow } from '../../base/random.js'
import { FIRST_PORT, LAST_PORT, predictedPorts } from './prediction.js'

const PORTS = LAST_PORT - FIRST_PORT + 1

export class ProbePorts {
  readonly #random: Random
  readonly #predicted: readonly number[]
  readonly #used = new Set<number>()
  #nextPredicted = 0
  #isPredictionsTurn = true

  /** `seen` are the ports that reflectors saw, in the order in which they were asked. */
  constructor(seen: readonly number[], random: Random) {
    this.#random = random
    this.#predicted = predictedPorts(seen)
  }

  /** How many were given. */
  get count(): number {
    return this.#used.size
  }

  /** One that was not given before; undefined where all were. */
  next(): number | undefined {
    if (this.#used.size >= PORTS) return undefined
    const predicted = this.#isPredictionsTurn ? this.#nextOfPredicted() : undefined
    this.#isPredictionsTurn = !this.#isPredictionsTurn
    const port = predicted ?? this.#anyPort()
    this.#used.add(port)
    return port
  }

  #nextOfPredicted(): number | undefined {
    while (this.#nextPredicted < this.#predicted.length) {
      const port = this.#predicted[this.#nextPredicted++]
      if (port !== undefined && !this.#used.has(port)) return port
    }
    return undefined
  }

  /** A random one; where that was given, the next that was not. */
  #anyPort(): number {
    const first = randomBelow(this.#random, PORTS)
    for (let step = 0; ; step++) {
      const port = FIRST_PORT + ((first + step) % PORTS)
      if (!this.#used.has(port)) return port
    }
  }
}
