/**
 * One question and one answer over a libp2p stream: the shape of all our own protocols. Each side sends at most one
 * message, prefixed with its length as an unsigned varint (as all of libp2p does), and closes.
 */

import type { AbortOptions, Connection, Stream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'

/** The other side took the question and closed without an answer. */
export class Unanswered extends Error {
  override name = 'Unanswered'
}

/**
 * Opens a stream of `protocol` on the connection, sends `question` if there is one, and reads the answer.
 * Throws where the other side does not speak the protocol, answers with more than `maxAnswer` bytes or not at all, or
 * the signal aborts.
 */
export async function ask(
  connection: Connection,
  protocol: string,
  question: Uint8Array | undefined,
  maxAnswer: number,
  options: Required<AbortOptions>,
): Promise<Uint8Array> {
  const stream = await connection.newStream(protocol, { ...options, runOnLimitedConnection: true })
  try {
    const messages = bounded(stream, maxAnswer)
    if (question !== undefined) await messages.write(question, options)
    const answer = await messages.read(options)
    closeQuietly(stream)
    return answer.slice()
  } catch (error) {
    const closed =
      error instanceof Error && error.name === 'UnexpectedEOFError' && connection.status === 'open'
    stream.abort(asError(error))
    throw closed ? new Unanswered('the other side closed without an answer') : asError(error)
  }
}

/** Reads the one message of a stream that was opened to us. Throws where there is none of at most `maxLength` bytes. */
export async function readMessage(
  stream: Stream,
  maxLength: number,
  options: Required<AbortOptions>,
): Promise<{
  readonly message: Uint8Array
  readonly answer: (bytes: Uint8Array | undefined) => Promise<void>
}> {
  const messages = bounded(stream, maxLength)
  const message = (await messages.read(options)).slice()
  return {
    message,
    answer: async (bytes) => {
      if (bytes !== undefined) await messages.write(bytes, options)
      await stream.close(options)
    },
  }
}

/** Sends the one message of a stream that was opened to us, and closes. */
export async function sendMessage(
  stream: Stream,
  bytes: Uint8Array,
  options: Required<AbortOptions>,
): Promise<void> {
  await bounded(stream, 0).write(bytes, options)
  await stream.close(options)
}

/** What was thrown as an Error. libp2p's streams also throw the event of their closing. */
export function asError(error: unknown): Error {
  if (error instanceof Error) return error
  if (error instanceof Event) {
    const reason: unknown = Reflect.get(error, 'error')
    return reason instanceof Error ? reason : new Error(`the stream got the event "${error.type}"`)
  }
  return new Error(String(error))
}

const MAX_LENGTH_PREFIX = 4

function bounded(stream: Stream, maxLength: number) {
  return lpStream(stream, { maxDataLength: maxLength, maxBufferSize: maxLength + MAX_LENGTH_PREFIX })
}

function closeQuietly(stream: Stream): void {
  stream.close().catch((error: unknown) => stream.abort(asError(error)))
}
