/**
 * Knocks: "start checking with me now". A knock carries its sender's signed record and is answered with the
 * receiver's. Both are protobuf (`protobuf/knock.proto`) of one layout; which is which is told by who speaks first.
 *
 * ```
 *    1  version        1
 *    2  signed record  its bytes: see record.ts
 * ```
 */

import { withArrayBuffer } from 'uint8arrays'
import { type Dropped, drop } from '../base/drops.js'
import { KnockAnswerMessage, KnockMessage } from './protobuf/knock.js'
import { decodeProtobuf } from './protons.js'
import { MAX_RECORD_LENGTH } from './record.js'

/** A request to start checking. */
export interface Knock {
  readonly version: 1
  /** The sender's, encoded. A decoded one is a view. */
  readonly signedRecord: Uint8Array
}

/** What a knock is answered with. */
export interface KnockAnswer {
  readonly version: 1
  /** The receiver's, encoded. A decoded one is a view. */
  readonly signedRecord: Uint8Array
}

/** The longest knock, or answer to one, that is sent or read, in bytes: a record, and room for later fields. */
export const MAX_KNOCK_LENGTH = MAX_RECORD_LENGTH + 64

/** The bytes of a knock. Throws a RangeError where it is longer than {@link MAX_KNOCK_LENGTH}. */
export function encodeKnock(knock: Knock): Uint8Array {
  return bounded(KnockMessage.encode({ ...knock, signedRecord: withArrayBuffer(knock.signedRecord) }))
}

/**
 * Reads a knock. Dropped as `knock-malformed` (also where it is too long) or `knock-unknown-version`.
 * The record inside is not read.
 */
export function decodeKnock(bytes: Uint8Array): Knock | Dropped {
  return accept(bytes, KnockMessage.decode)
}

/** The bytes of an answer. Throws a RangeError where it is longer than {@link MAX_KNOCK_LENGTH}. */
export function encodeKnockAnswer(answer: KnockAnswer): Uint8Array {
  return bounded(KnockAnswerMessage.encode({ ...answer, signedRecord: withArrayBuffer(answer.signedRecord) }))
}

/** Reads an answer; dropped as {@link decodeKnock} does. */
export function decodeKnockAnswer(bytes: Uint8Array): KnockAnswer | Dropped {
  return accept(bytes, KnockAnswerMessage.decode)
}

function bounded(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_KNOCK_LENGTH)
    throw new RangeError(`a knock has at most ${MAX_KNOCK_LENGTH} bytes, not ${bytes.length}`)
  return bytes
}

function accept(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => KnockMessage | KnockAnswerMessage,
): Knock | Dropped {
  if (bytes.length > MAX_KNOCK_LENGTH) return drop('knock-malformed')
  const message = decodeProtobuf(decode, bytes)
  if (message === undefined) return drop('knock-malformed')
  if (message.version !== 1) return drop('knock-unknown-version')
  return { version: 1, signedRecord: message.signedRecord }
}
