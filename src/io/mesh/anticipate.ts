/**
 * Protocol negotiation without waiting for its answer.
 *
 * multistream-select, by which libp2p names the protocol of each connection and stream, costs one round trip before the
 * first byte of use is sent. With one protocol proposed there is only one good answer, and it repeats the proposal byte
 * for byte:
 *
 *     initiator   <length>/multistream/1.0.0\n <length>/protocol\n   data…
 *     responder   <length>/multistream/1.0.0\n <length>/protocol\n   data…
 *
 * So the initiator is handed that answer at once and sends its data behind the proposal; the real answer is compared
 * as it arrives, and the stream is aborted where it differs. On the wire nothing changes but the time: responders of
 * every implementation take it (go-libp2p's "lazy" negotiation does the same), and refusals come one round trip later,
 * as a failed read. It takes a round trip off every connection, every request to the DHT and every knock.
 *
 * js-libp2p 3 has no option for it. Its streams and connections all descend from `AbstractMessageStream`, through
 * whose public methods `send` and `onData` all bytes pass.
 */

import {
  type AbortOptions,
  type ConnectionProtector,
  type MessageStream,
  type StreamMuxerFactory,
  UnsupportedProtocolError,
} from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { equals } from 'uint8arrays'

/**
 * The muxer, with the answer to the negotiation of each stream opened here anticipated, but for the protocols in
 * `except`.
 */
export function anticipatingMuxer(
  muxer: () => StreamMuxerFactory,
  except: readonly string[],
): () => StreamMuxerFactory {
  return () => {
    const factory = muxer()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => {
      const streams = createStreamMuxer(connection)
      const createStream = streams.createStream.bind(streams)
      streams.createStream = async (options) => {
        const stream = await createStream(options)
        // Without a protocol here several are to be proposed in turn, which takes real answers.
        const protocol = options?.protocol
        if (protocol !== undefined && !except.includes(protocol)) anticipateAgreement(stream)
        return stream
      }
      return streams
    }
    return factory
  }
}

/** A protector that can say more of a wrong answer to the negotiation of the encryption than that it is wrong. */
interface Gate extends ConnectionProtector {
  /** Why the answer may differ first at byte `at`; undefined where there is nothing to say. */
  mismatch(at: number): Error | undefined
}

/**
 * A protector that anticipates the answer to the negotiation of the encryption. libp2p passes every new connection
 * through its protector just before that negotiation. `gate` is the network's own protector.
 */
export class AnticipatingProtector implements ConnectionProtector {
  readonly #gate: Gate

  constructor(gate: Gate) {
    this.#gate = gate
  }

  async protect(connection: MessageStream, options?: AbortOptions): Promise<MessageStream> {
    const { direction } = connection
    const stream = await this.#gate.protect(connection, options)
    if (direction === 'outbound') anticipateAgreement(stream, (at) => this.#gate.mismatch(at))
    return stream
  }
}

/** A stream through whose `onData` all bytes that arrive pass. */
export interface PassingStream extends MessageStream {
  onData(data: Uint8Array | Uint8ArrayList): void
}

function anticipateAgreement(stream: MessageStream, mismatch: Gate['mismatch'] = () => undefined): void {
  if (!passesBytes(stream)) return
  const send = stream.send.bind(stream)
  const receive = stream.onData.bind(stream)
  stream.send = (proposal) => {
    stream.send = send
    const whole = proposal.byteLength
    let awaited = proposal.slice()
    stream.onData = (data) => {
      const bytes = data.subarray()
      const length = Math.min(awaited.length, bytes.length)
      if (!equals(awaited.subarray(0, length), bytes.subarray(0, length))) {
        const at = whole - awaited.length + commonLength(awaited, bytes)
        stream.abort(
          mismatch(at) ?? new UnsupportedProtocolError('the other side does not speak the proposed protocol'),
        )
        return
      }
      awaited = awaited.subarray(length)
      if (awaited.length === 0) stream.onData = receive
      if (bytes.length > length) receive(bytes.subarray(length))
    }
    const sent = send(proposal)
    receive(awaited.slice())
    return sent
  }
}

function commonLength(a: Uint8Array, b: Uint8Array): number {
  const differs = a.findIndex((byte, at) => byte !== b[at])
  return differs === -1 ? a.length : differs
}

/** True for the streams of libp2p. */
export function passesBytes(stream: MessageStream): stream is PassingStream {
  return 'onData' in stream && typeof stream.onData === 'function'
}
