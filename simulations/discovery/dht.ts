/**
 * Requests to servers for records, one by one, as src/io/mesh/dht.ts sends them: over the connection that there is, or
 * one that is opened for it, and 1.5 s are all that they take (kad-dht's network timeout, `networkDialTimeout` in
 * src/io/mesh/node.ts; it grows to 4 s after failures, which is not simulated).
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import { type AskOutcome, ask } from './channel.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import type { Reply } from './storer.js'

export const REQUEST_MS = 1.5 * SECOND

/** What a request and an answer take besides a record, in bytes, about. */
const FRAME_BYTES = 70

/** What a server has under a key; `undefined` in it for nothing, and in its place for no answer. */
export function getValue(
  seat: Seat,
  server: Server,
  key: PublicKey,
  setting: Setting,
  done: (answer: { readonly value: Uint8Array | undefined } | undefined) => void,
): void {
  const answers = (): Reply<{ readonly value: Uint8Array | undefined } | undefined> | undefined => {
    const reply = server.storer.get(key)
    return reply && { answer: { value: reply.answer }, delayMs: reply.delayMs }
  }
  request(
    seat,
    server,
    { setting, length: FRAME_BYTES, answers, lengthOf: (a) => a?.value?.length ?? 0 },
    done,
  )
}

/** Whether a server acknowledged a record. */
export function putValue(
  seat: Seat,
  server: Server,
  record: { readonly key: PublicKey; readonly bytes: Uint8Array },
  setting: Setting,
  done: (acknowledged: boolean) => void,
): void {
  const { key, bytes } = record
  // One that is refused resets its stream.
  const answers = (): Reply<true | undefined> | undefined => {
    const reply = server.storer.put(key, bytes)
    return reply && { answer: reply.answer ? true : undefined, delayMs: reply.delayMs }
  }
  const length = FRAME_BYTES + bytes.length
  request(seat, server, { setting, length, answers, lengthOf: () => bytes.length }, (answer) =>
    done(answer === true),
  )
}

interface Request<Answer> {
  readonly setting: Setting
  readonly length: number
  /** What the server does; undefined for no answer, ever, and an answer of undefined for a reset. */
  readonly answers: () => Reply<Answer | undefined> | undefined
  readonly lengthOf: (answer: Answer | undefined) => number
}

function request<Answer>(
  seat: Seat,
  server: Server,
  { setting, length, answers, lengthOf }: Request<Answer>,
  done: (answer: Answer | undefined) => void,
): void {
  let isOver = false
  const end = (answer: Answer | undefined): void => {
    if (isOver) return
    isOver = true
    done(answer)
  }
  seat.in(REQUEST_MS, () => end(undefined))
  const put = (answer: (answer: Answer | undefined, length: number) => void): void => {
    const reply = answers()
    if (reply === undefined) return
    const send = (): void => answer(reply.answer, FRAME_BYTES + lengthOf(reply.answer))
    if (reply.delayMs > 0) server.in(reply.delayMs, send)
    else send()
  }
  seat.link(server).open((connection) => {
    if (isOver) return
    if (connection === undefined) {
      end(undefined)
      return
    }
    const ended = (outcome: AskOutcome<Answer>): void =>
      end(outcome.type === 'answered' ? outcome.answer : undefined)
    ask<Answer>(connection, seat, { length, deadlineMs: undefined, put }, setting.counts, ended)
  })
}
