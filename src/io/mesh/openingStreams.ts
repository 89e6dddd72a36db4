/**
 * Streams that are opened at the moment in which their connection ends.
 *
 * yamux sends the frame that opens a stream in a microtask of its own (`queueMicrotask` in `onCreateStream`, up to
 * version 8.1 at least). Where the connection closed in between, that sending throws with nobody to catch it, which ends
 * the process: any node could end another one by hanging up at the right moment.
 */

import type { Stream, StreamMuxerFactory } from '@libp2p/interface'
import { asError } from './exchange.js'

/** What of yamux's streams sends the frame that opens them, and later ones that allow more bytes. */
interface WindowedStream extends Stream {
  sendWindowUpdate(): void
}

interface CreatingMuxer {
  onCreateStream(...options: unknown[]): Stream
}

/** The muxer, with streams that are aborted where their connection ended before they were open. */
export function safelyOpening(muxer: () => StreamMuxerFactory): () => StreamMuxerFactory {
  return () => {
    const factory = muxer()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => {
      const streams = createStreamMuxer(connection)
      if (!creates(streams)) throw new TypeError('the muxer has no onCreateStream: is it yamux?')
      const create = streams.onCreateStream.bind(streams)
      streams.onCreateStream = (...options) => {
        const stream = create(...options)
        if (!isWindowed(stream)) throw new TypeError('the stream has no sendWindowUpdate: is it of yamux?')
        const sendWindowUpdate = stream.sendWindowUpdate.bind(stream)
        stream.sendWindowUpdate = () => {
          try {
            sendWindowUpdate()
          } catch (error) {
            stream.abort(asError(error))
          }
        }
        return stream
      }
      return streams
    }
    return factory
  }
}

function creates(muxer: object): muxer is CreatingMuxer {
  return 'onCreateStream' in muxer && typeof muxer.onCreateStream === 'function'
}

function isWindowed(stream: Stream): stream is WindowedStream {
  return 'sendWindowUpdate' in stream && typeof stream.sendWindowUpdate === 'function'
}
