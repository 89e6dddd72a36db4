/**
 * A knock that a relay passes on, as in src/io/mesh/passing.ts: one message along the connections that are there.
 *
 * In round trips, along the way through the relay: 1. It is not counted how many wait at once.
 */

import { type AskOutcome, ask } from './channel.js'
import type { KnockDesk, KnockReply } from './knockDesk.js'
import { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Counts } from './setting.js'

/** As in src/io/mesh/passing.ts. */
export const MAX_PASSING_RELAYS = 2

export interface PassedKnock {
  readonly sealedKnock: Uint8Array
  /** The knocked member's identity, as a key. */
  readonly key: string
  readonly relays: readonly Server[]
  readonly desk: KnockDesk
  readonly counts: Counts
  readonly isOver: () => boolean
}

/** Asks one relay after the other; calls back with the sealed answer, or undefined where none gave one. */
export function passKnock(
  seat: Seat,
  passed: PassedKnock,
  done: (answer: Uint8Array | undefined) => void,
): void {
  const { key, sealedKnock, desk, counts, isOver } = passed
  const next = (left: readonly Server[]): void => {
    const [relay, ...others] = left
    const leg = relay && seat.link(relay).connection
    if (isOver()) return
    if (relay === undefined) {
      done(undefined)
      return
    }
    if (leg === undefined) {
      next(others)
      return
    }
    const put = (answer: (reply: Uint8Array | undefined, length: number) => void): void => {
      const otherLeg = relay.connectionOf({ key })
      const target = otherLeg?.other(relay)
      if (otherLeg === undefined || !(target instanceof Seat)) {
        answer(undefined, 0)
        return
      }
      const knock = {
        length: sealedKnock.length,
        deadlineMs: undefined,
        put: (reply: (reply: KnockReply | undefined, length: number) => void) =>
          desk.receiveSealed({ seat: target, channel: otherLeg }, sealedKnock, (made) =>
            reply(made, made?.type === 'answered' ? made.answer.length : 0),
          ),
      }
      ask<KnockReply>(otherLeg, relay, knock, counts, (outcome) => {
        const reply = answerOf(outcome)
        answer(reply, reply?.length ?? 0)
      })
    }
    const question = { length: sealedKnock.length, deadlineMs: undefined, put }
    ask<Uint8Array>(leg, seat, question, counts, (outcome) => {
      if (outcome.type === 'answered') done(outcome.answer)
      else next(others)
    })
  }
  next(passed.relays.slice(0, MAX_PASSING_RELAYS))
}

function answerOf(outcome: AskOutcome<KnockReply>): Uint8Array | undefined {
  const reply = outcome.type === 'answered' ? outcome.answer : undefined
  return reply?.type === 'answered' ? reply.answer : undefined
}
