/**
 * How long a TCP segment is under way: the delays of the links it crosses, and for each time that it is lost the sender's
 * retransmission timeout, which starts at Linux's TCP_RTO_MIN and doubles (RFC 6298 section 5.5).
 */

import type { Draws } from './draws.js'
import type { Link } from './link.js'

const FIRST_TIMEOUT_MS = 200
/** After so many losses in a row, more than three minutes, there is no connection. */
const MAX_LOSSES = 10

/** One segment's way to an address, as it is found step by step. */
export class StreamWay {
  readonly to: string
  readonly isIpv6: boolean
  readonly #now: number
  readonly #draws: Draws
  #delayMs = 0
  #arrives = 1

  /** `now` is the time on which the queues of links are asked, in milliseconds. */
  constructor(to: string, now: number, draws: Draws) {
    this.to = to
    this.isIpv6 = to.includes(':')
    this.#now = now
    this.#draws = draws
  }

  takes(ms: number): void {
    this.#delayMs += ms
  }

  /** A segment waits in the same queue as datagrams; it is small, and takes no room there. */
  crosses(link: Link): void {
    const { delayMs, jitterMs, loss } = link.spec
    this.#delayMs += link.waitMs(this.#now + this.#delayMs) + delayMs
    if (jitterMs > 0) this.#delayMs += this.#draws.share() * jitterMs
    this.#arrives *= 1 - loss
  }

  /** From the first transmission to the arrival, in milliseconds; undefined where it never arrives. */
  get delayMs(): number | undefined {
    let timeoutMs = FIRST_TIMEOUT_MS
    let waitMs = 0
    if (this.#arrives < 1) {
      for (let losses = 0; this.#draws.share() >= this.#arrives; losses++) {
        if (losses === MAX_LOSSES) return undefined
        waitMs += timeoutMs
        timeoutMs *= 2
      }
    }
    return waitMs + this.#delayMs
  }
}
