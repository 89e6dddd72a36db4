/**
 * A knock, as src/io/mesh/knock.ts sends it.
 *
 *     passed on by a relay (passing.ts), where there is no open connection with the peer
 *       │ no answer after 400 ms, or it fails
 *       ▼
 *     over an open connection, if there is one, else over the first that opens of all ways
 *       │ no answer after 700 ms, or the connection closes
 *       ├──────────► the ways that are left, beside it, and so on
 *       │ the peer closes without an answer: over, and nothing else is tried
 *     after 4 s: over (src/daemon/meshErrands.ts)
 */

import { SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import { ask } from './channel.js'
import type { KnockDesk, KnockReply } from './knockDesk.js'
import { passKnock } from './passing.js'
import { identityKey } from './peerId.js'
import type { Contact, Seat } from './seat.js'
import { connectedRelays, type Way, type Whereabouts, waysTo } from './ways.js'

export type KnockEffect = Extract<Effect, { readonly type: 'knock' }>

/** As in src/daemon/meshErrands.ts. */
export const KNOCK_MS = 4 * SECOND
/** As in src/daemon/meshErrands.ts. */
export const PASSED_MS = 400
/** As in src/io/mesh/knock.ts. */
export const HEDGE_MS = 700

export interface KnockSetting extends Whereabouts {
  readonly desk: KnockDesk
}

type Failed = (why: string) => void

/** Knocks, and tells the member exactly once how it ended. */
export class Knock {
  readonly #setting: KnockSetting
  readonly #seat: Seat
  readonly #effect: KnockEffect
  #isOver = false

  constructor(seat: Seat, effect: KnockEffect, setting: KnockSetting) {
    this.#seat = seat
    this.#effect = effect
    this.#setting = setting
  }

  begin(): void {
    const { identity, multiaddrs } = this.#effect
    const key = identityKey(identity)
    const failed: Failed = (why) => this.#fail(why)
    this.#seat.in(KNOCK_MS, () => failed('no answer in time'))
    const overStream = (): void => {
      const ways = waysTo(this.#seat, key, multiaddrs, this.#setting)
      const contact = this.#seat.contactWith(key)
      if (contact === undefined) this.#overFirst(ways, failed)
      else this.#overOne(contact, ways, failed)
    }
    this.#passed(key, overStream)
  }

  /** Has it passed on; `otherwise` where that cannot be, fails, or takes long. */
  #passed(key: string, otherwise: () => void): void {
    const { desk, setting } = this.#setting
    const { sealedKnock, multiaddrs } = this.#effect
    const relays = connectedRelays(this.#seat, multiaddrs, this.#setting)
    if (sealedKnock === undefined || relays.length === 0 || this.#seat.contactWith(key) !== undefined) {
      otherwise()
      return
    }
    let isElsewhere = false
    const elsewhere = (): void => {
      if (isElsewhere || this.#isOver) return
      isElsewhere = true
      otherwise()
    }
    this.#seat.in(PASSED_MS, elsewhere)
    const isOver = (): boolean => this.#isOver
    passKnock(this.#seat, { key, sealedKnock, relays, desk, counts: setting.counts, isOver }, (answer) => {
      if (answer === undefined) elsewhere()
      else this.#answered(answer, true)
    })
  }

  /** Over the first of the ways that opens. The others are called off, and left for later. */
  #overFirst(ways: readonly Way[], failed: Failed): void {
    if (ways.length === 0) {
      failed('no address to dial')
      return
    }
    const reasons: string[] = []
    let left = ways.length
    let isOpen = false
    ways.forEach((way, index) => {
      const isOff = (): boolean => isOpen || this.#isOver
      way(isOff, (contact) => {
        if (typeof contact === 'string') {
          reasons[index] = contact
          left -= 1
          if (left === 0 && !isOff()) failed(reasons.at(-1) ?? '')
        } else {
          isOpen = true
          this.#overOne(
            contact,
            ways.filter((other) => other !== way),
            failed,
          )
        }
      })
    })
  }

  /** Over one connection, and if that brings no answer soon, the other ways beside it. */
  #overOne(contact: Contact, others: readonly Way[], failed: Failed): void {
    let open = 2
    const oneFailed: Failed = (why) => {
      open -= 1
      if (open === 0) failed(why)
    }
    let isHedged = false
    const hedge = (action: () => void): void => {
      if (isHedged || this.#isOver) return
      isHedged = true
      action()
    }
    const tryOthers = (why: string): void =>
      hedge(() => (others.length > 0 ? this.#overFirst(others, oneFailed) : oneFailed(why)))
    if (others.length > 0) this.#seat.in(HEDGE_MS, () => tryOthers('no answer in time'))
    this.#ask(contact, (reply) => {
      if (reply?.type === 'answered') {
        this.#answered(reply.answer)
        return
      }
      if (reply?.type === 'unanswered') {
        const why = 'the other side closed without an answer'
        // Knocking again would not change its mind.
        hedge(() => oneFailed(why))
        oneFailed(why)
        return
      }
      tryOthers('the connection closed')
      oneFailed('the connection closed')
    })
  }

  #ask({ seat: target, channel }: Contact, done: (reply: KnockReply | undefined) => void): void {
    const { desk, setting } = this.#setting
    const { knock } = this.#effect
    const put = (answer: (reply: KnockReply | undefined, length: number) => void): void =>
      desk.receive({ seat: target, channel }, this.#seat.member.identity, knock, (reply) =>
        answer(reply, reply?.type === 'answered' ? reply.answer.length : 0),
      )
    const question = { length: knock.length, deadlineMs: undefined, put }
    ask<KnockReply>(channel, this.#seat, question, setting.counts, (outcome) =>
      done(outcome.type === 'answered' ? outcome.answer : undefined),
    )
  }

  #answered(answer: Uint8Array, sealed = false): void {
    if (this.#isOver) return
    this.#isOver = true
    const { peer } = this.#effect
    this.#seat.tell({ type: 'knock-answered', peer, answer, ...(sealed ? { sealed } : {}) })
  }

  #fail(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#seat.tell({ type: 'knock-failed', peer: this.#effect.peer, reason })
  }
}
