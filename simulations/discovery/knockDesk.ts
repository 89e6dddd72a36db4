/**
 * Knocks that wait for the engine's answer: an id goes in with the knock and comes back with the answer, as in
 * src/daemon/knockDesk.ts. Too many at once are reset before the engine hears of them (src/io/mesh/knock.ts).
 */

import type { Channel } from './channel.js'
import type { Seat } from './seat.js'

/** As in src/io/mesh/knock.ts: from all, and over one connection. */
export const MAX_KNOCKS_AT_ONCE = 64
export const MAX_KNOCKS_AT_ONCE_EACH = 4

/** How a knock ends at the node that was knocked. */
export type KnockReply =
  | { readonly type: 'answered'; readonly answer: Uint8Array }
  /** The stream was closed without an answer. */
  | { readonly type: 'unanswered' }

interface Waiting {
  readonly seat: Seat
  readonly channel: Channel
  readonly reply: (reply: KnockReply | undefined) => void
}

export class KnockDesk {
  readonly #waiting = new Map<number, Waiting>()
  readonly #atOnce = new Map<Seat, Map<Channel, number>>()
  #lastId = 0

  /**
   * Hands a knock to the engine of `seat`, to which it came over `channel`. `reply` is called with what the engine made
   * of it; with undefined where the stream is reset.
   */
  receive(
    { seat, channel }: { readonly seat: Seat; readonly channel: Channel },
    from: Uint8Array,
    knock: Uint8Array,
    reply: (reply: KnockReply | undefined) => void,
  ): void {
    this.#admit({ seat, channel }, reply, (id) => seat.tell({ type: 'knock-received', id, from, knock }))
  }

  /** The same for a sealed knock that a relay passes on. */
  receiveSealed(
    { seat, channel }: { readonly seat: Seat; readonly channel: Channel },
    sealedKnock: Uint8Array,
    reply: (reply: KnockReply | undefined) => void,
  ): void {
    this.#lastId += 1
    const id = this.#lastId
    this.#waiting.set(id, { seat, channel, reply })
    seat.tell({ type: 'knock-passed', id, sealedKnock: sealedKnock.slice() })
  }

  #admit(
    { seat, channel }: { readonly seat: Seat; readonly channel: Channel },
    reply: (reply: KnockReply | undefined) => void,
    handOn: (id: number) => void,
  ): void {
    const each = this.#atOnce.get(seat) ?? new Map<Channel, number>()
    const overThisOne = each.get(channel) ?? 0
    let all = 0
    for (const count of each.values()) all += count
    if (all >= MAX_KNOCKS_AT_ONCE || overThisOne >= MAX_KNOCKS_AT_ONCE_EACH) {
      if (all >= MAX_KNOCKS_AT_ONCE) seat.member.drop?.('knock-rate-limited')
      reply(undefined)
      return
    }
    each.set(channel, overThisOne + 1)
    this.#atOnce.set(seat, each)
    this.#lastId += 1
    const id = this.#lastId
    this.#waiting.set(id, { seat, channel, reply })
    handOn(id)
  }

  /** The engine's answer; undefined to close the stream without one. */
  answer(id: number, answer: Uint8Array | undefined): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#forget(id, waiting)
    waiting.reply(answer === undefined ? { type: 'unanswered' } : { type: 'answered', answer })
  }

  /** The engine of a seat is gone: what waited there gets no answer. */
  leave(seat: Seat): void {
    for (const [id, waiting] of this.#waiting) if (waiting.seat === seat) this.#forget(id, waiting)
  }

  /** How many wait for an answer. */
  get size(): number {
    return this.#waiting.size
  }

  #forget(id: number, { seat, channel }: Waiting): void {
    this.#waiting.delete(id)
    const each = this.#atOnce.get(seat)
    if (each === undefined) return
    const left = (each.get(channel) ?? 0) - 1
    if (left > 0) each.set(channel, left)
    else each.delete(channel)
    if (each.size === 0) this.#atOnce.delete(seat)
  }
}
