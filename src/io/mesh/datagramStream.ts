/**
 * Datagrams over a libp2p stream, in frames (wire/relayFrame.ts). As on a network, what cannot be sent in time is lost:
 * the queue is short, and where it is full the oldest goes. Whoever waits for an old datagram has given it up, and the
 * newest tells most.
 */

import type { Stream } from '@libp2p/interface'
import {
  encodeRelayFrame,
  MAX_FRAMED_LENGTH,
  type RelayFrame,
  RelayFrameReader,
} from '../../wire/relayFrame.js'
import { asError } from './exchange.js'

/** What waits to be sent, in bytes: a tenth of a second at 5 Mbit/s. */
export const MAX_QUEUED = 64 * 1024
/**
 * How often it is looked whether anything came or went, in ms. A stream by which nothing did, as that of a peer without
 * traffic, is ended; libp2p itself ends none.
 */
const IDLE_MS = 120_000

export interface DatagramStreamHandlers {
  /** `datagram` is the receiver's to keep. */
  readonly onFrame: (frame: RelayFrame) => void
  /** The stream is of no use any more. Called once. */
  readonly onClose: (reason: string) => void
  /** A datagram was lost, as the other side takes less than is sent. */
  readonly onOverflow: () => void
}

export class DatagramStream {
  readonly #stream: Stream
  readonly #handlers: DatagramStreamHandlers
  readonly #queue: Uint8Array[] = []
  #queued = 0
  #closed = false
  #isUsed = true
  readonly #idle: NodeJS.Timeout

  constructor(stream: Stream, handlers: DatagramStreamHandlers) {
    this.#stream = stream
    this.#handlers = handlers
    this.#idle = setInterval(() => {
      if (!this.#isUsed) this.close('nothing came or went')
      this.#isUsed = false
    }, IDLE_MS)
    this.#idle.unref()
    const reader = new RelayFrameReader()
    stream.addEventListener('message', ({ data }) => {
      this.#isUsed = true
      // A copy: libp2p may hand out a part of what came for all streams of a connection.
      const frames = reader.read(data.slice())
      if (frames === undefined) this.close('its frames are malformed')
      else if (!this.#closed) for (const frame of frames) handlers.onFrame(frame)
    })
    stream.addEventListener('drain', () => this.#flush())
    stream.addEventListener('remoteCloseWrite', () => this.close('the other side closed it'))
    stream.addEventListener('close', ({ error }) => this.#end(error?.message ?? 'it was closed'))
  }

  /** Sends, or queues; never throws. What no frame takes is left out. */
  send(port: number, datagram: Uint8Array): void {
    if (this.#closed || datagram.length === 0) return
    if (datagram.length > MAX_FRAMED_LENGTH) {
      this.#handlers.onOverflow()
      return
    }
    this.#isUsed = true
    const frame = encodeRelayFrame({ port, datagram })
    this.#queue.push(frame)
    this.#queued += frame.length
    while (this.#queued > MAX_QUEUED) {
      this.#queued -= this.#queue.shift()?.length ?? 0
      this.#handlers.onOverflow()
    }
    this.#flush()
  }

  /** Ends it at once. */
  close(reason: string): void {
    if (this.#closed) return
    this.#end(reason)
    this.#stream.abort(new Error(reason))
  }

  #flush(): void {
    while (!this.#closed && !this.#stream.writableNeedsDrain) {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#queued -= frame.length
      try {
        this.#stream.send(frame)
      } catch (error) {
        this.close(asError(error).message)
      }
    }
  }

  #end(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#idle)
    this.#queue.length = 0
    this.#queued = 0
    this.#handlers.onClose(reason)
  }
}
