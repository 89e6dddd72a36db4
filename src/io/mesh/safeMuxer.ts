/**
 * The muxer at the moment in which its connection ends. In two places yamux (up to version 8.1 at least) sends a frame
 * where nobody catches what the sending throws; that ends the process, so any node could end another one from afar:
 *
 * - The frame that opens a stream leaves in a microtask of its own (`queueMicrotask` in `onCreateStream`). The
 *   connection may have closed in between.
 * - At a frame that cannot be read the muxer says goodbye (`sendGoAway` in `abort`), within a listener. The connection
 *   may be closing by then: a relayed one is from when the other side said that it sends no more, and a bad frame can
 *   follow that word.
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

/**
 * The muxer, with streams that are aborted where their connection ended before they were open, and with no goodbye where
 * none can be said.
 */
export function safeMuxer(muxer: () => StreamMuxerFactory): () => StreamMuxerFactory {
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
      const abort = streams.abort.bind(streams)
      streams.abort = (reason) => {
        try {
          abort(reason)
        } catch {
          // Its streams are aborted; all that is missing is the goodbye.
        }
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
