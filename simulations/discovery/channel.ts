/**
 * What messages pass over: a connection, or one through a relay. Each of its two ends is open or closed by itself,
 * because the other side's end is learned of late, or never.
 */

import type { Counts } from './setting.js'

/** A process with connections: of a member, or of a server. */
export interface Party {
  readonly name: string
  /** Its libp2p identity, as a key of a Map: that of a later run is the same. */
  readonly key: string
  /** True where its kernel answers, be it with a reset. */
  readonly isPowered: boolean
  /** True where its process reads what its kernel takes. */
  readonly isAnswering: boolean
  /** By its own clock, unless its process is gone by then. */
  in(ms: number, action: () => void): void
  atNextPing(action: () => void): void
  /** Does something as soon as the process reads: now, or when it goes on. */
  read(action: () => void): void
}

export interface Channel {
  /** False for one through a relay. */
  readonly isDirect: boolean
  /** The party at the other end. */
  other(party: Party): Party
  isOpenAt(party: Party): boolean
  /** Sends `bytes` bytes. `deliver` is called where and when they are read, if ever. */
  send(from: Party, bytes: number, deliver: () => void): void
  /** Calls `action` once the end of `party` closes. Returns how to call that off. */
  onClosedAt(party: Party, action: () => void): () => void
  /** The other end hears of it where there is a way. */
  close(by: Party): void
}

export type AskOutcome<Answer> =
  | { readonly type: 'answered'; readonly answer: Answer }
  /** The connection closed, or the stream was reset. */
  | { readonly type: 'failed' }
  | { readonly type: 'late' }

export interface Question<Answer> {
  /** Bytes of the question. */
  readonly length: number
  /** Undefined waits for ever. */
  readonly deadlineMs: number | undefined
  /** What the other side does with it: calls back with an answer and its length, undefined to reset the stream, or never. */
  readonly put: (answer: (answer: Answer | undefined, length: number) => void) => void
}

/** One question and one answer over a stream of its own (src/io/mesh/exchange.ts). `done` is called exactly once. */
export function ask<Answer>(
  channel: Channel,
  asker: Party,
  question: Question<Answer>,
  counts: Counts,
  done: (outcome: AskOutcome<Answer>) => void,
): void {
  if (!channel.isOpenAt(asker)) {
    done({ type: 'failed' })
    return
  }
  counts.streams += 1
  let isOver = false
  const end = (outcome: AskOutcome<Answer>): void => {
    if (isOver) return
    isOver = true
    forget()
    done(outcome)
  }
  const forget = channel.onClosedAt(asker, () => end({ type: 'failed' }))
  if (question.deadlineMs !== undefined) asker.in(question.deadlineMs, () => end({ type: 'late' }))
  channel.send(asker, question.length, () =>
    question.put((answer, length) =>
      channel.send(channel.other(asker), length, () =>
        end(answer === undefined ? { type: 'failed' } : { type: 'answered', answer }),
      ),
    ),
  )
}
