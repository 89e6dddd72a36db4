/**
 * Whether UDP gets out at all. Where every reflector stays silent in several rounds, while servers that reflect are
 * connected over TCP, it does not; then they are asked again now and then, to notice when that ends.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, type Instant, SECOND } from '../../base/time.js'

/** How a round of questions to reflectors stands. */
export type RoundState = 'nobody-asked' | 'asking' | 'answered' | 'silent'

/** Rounds in a row that nobody answers, before it is believed. One lasts under a second. */
const SILENT_ROUNDS = 3
/** Until the next round, while it is in doubt. */
const IN_DOUBT_MS = 2 * SECOND
/** Until the next round, where it does not get out. */
const BLOCKED: Backoff = { first: 10 * SECOND, longest: 60 * SECOND }

export class UdpReach {
  #getsOut: boolean | undefined = undefined
  #silentRounds = 0
  #countedRound: Instant | undefined = undefined
  #askAt: Instant | undefined = undefined

  /** False where no UDP gets out, as far as can be told; undefined where nobody was asked, or it is in doubt. */
  get getsOut(): boolean | undefined {
    return this.#getsOut
  }

  /** When to ask another round. */
  get askAt(): Instant | undefined {
    return this.#askAt
  }

  /** The round that began at `begunAt` stands so. Without a server connected over TCP silence says nothing of UDP. */
  review(round: RoundState, begunAt: Instant | undefined, isServed: boolean, now: Instant): void {
    if (round === 'answered') {
      this.#getsOut = true
      this.#silentRounds = 0
      this.#askAt = undefined
      return
    }
    if (round === 'nobody-asked' || !isServed) {
      this.#getsOut = undefined
      this.#silentRounds = 0
      this.#countedRound = undefined
      this.#askAt = undefined
      return
    }
    if (round !== 'silent' || begunAt === undefined || begunAt === this.#countedRound) return
    this.#countedRound = begunAt
    this.#silentRounds += 1
    const beyond = this.#silentRounds - SILENT_ROUNDS
    if (beyond >= 0) this.#getsOut = false
    this.#askAt = after(now, beyond >= 0 ? backoffMs(BLOCKED, beyond) : IN_DOUBT_MS)
  }

  /** Another round was asked for. */
  asked(): void {
    this.#askAt = undefined
  }
}
