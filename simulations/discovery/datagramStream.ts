/**
 * Datagrams over a stream of a connection, in place of UDP, as src/io/mesh/datagramStream.ts sends them.
 *
 *   sent ─► queue ─► under way ─► read, in order
 *           64 KiB   64 KiB
 *
 * What is under way is TCP's, and nothing of it is lost; while too much is, as on a connection that stands still, the rest
 * waits, and where the queue is full the oldest goes. That something was read is known at once: no acknowledgement is
 * waited for.
 */

import { MINUTE } from '../../src/base/time.js'
import { MAX_FRAMED_LENGTH } from '../../src/wire/relayFrame.js'
import type { Channel, Party } from './channel.js'

/** `MAX_QUEUED` of src/io/mesh/datagramStream.ts, in bytes. */
export const MAX_QUEUED = 64 * 1024
/** What kernels and yamux take of a connection that stands still, in bytes, about. */
const MAX_UNDER_WAY = 64 * 1024
/** `IDLE_MS` of src/io/mesh/datagramStream.ts. */
export const IDLE_MS = 2 * MINUTE
/** In bytes: port and length (src/wire/relayFrame.ts); yamux's header and the negotiation; yamux's header. */
const FRAME_BYTES = 4
const OPEN_BYTES = 80
const RESET_BYTES = 12

export interface StreamFrame {
  /** At the relay's end. */
  readonly port: number
  readonly bytes: Uint8Array
  /** Who made the datagram. No host can see it. */
  readonly author: string
}

export interface StreamHandlers {
  readonly onFrame: (frame: StreamFrame) => void
  /** It has ended. Called once. */
  readonly onClose: () => void
  /** A datagram was lost, as the connection takes less than is sent. */
  readonly onOverflow: () => void
}

/** Takes a stream that somebody opens; undefined to end it. */
export type TakeStream = (end: StreamEnd, from: Party) => StreamHandlers | undefined

/** A stream over `channel`. The other side hears of it one way later, and may end it: nobody waits for that. */
export function openStream(
  channel: Channel,
  opener: Party,
  handlers: StreamHandlers,
  take: TakeStream,
): StreamEnd {
  const [near, far] = StreamEnd.pair(channel, opener)
  near.begin(handlers)
  near.transmit(OPEN_BYTES, () => {
    const taken = channel.isOpenAt(channel.other(opener)) ? take(far, opener) : undefined
    if (taken === undefined) far.close()
    else far.begin(taken)
  })
  return near
}

export class StreamEnd {
  readonly #channel: Channel
  readonly #party: Party
  #other: StreamEnd = this
  #handlers: StreamHandlers | undefined = undefined
  #forget: () => void = () => undefined
  readonly #queue: StreamFrame[] = []
  #queued = 0
  #underWay = 0
  #isClosed = false
  #isUsed = true
  /** Counts what was sent, and what was read: a segment that came early waits. */
  #sent = 0
  #read = 0
  readonly #early = new Map<number, () => void>()

  private constructor(channel: Channel, party: Party) {
    this.#channel = channel
    this.#party = party
  }

  /** The opener's end, and the other one. */
  static pair(channel: Channel, opener: Party): readonly [StreamEnd, StreamEnd] {
    const near = new StreamEnd(channel, opener)
    const far = new StreamEnd(channel, channel.other(opener))
    near.#other = far
    far.#other = near
    return [near, far]
  }

  /** What waits to be sent, in bytes. */
  get queued(): number {
    return this.#queued
  }

  begin(handlers: StreamHandlers): void {
    this.#handlers = handlers
    this.#forget = this.#channel.onClosedAt(this.#party, () => this.#end())
    this.#watch()
  }

  /** Sends, or queues, or loses. */
  send(frame: StreamFrame): void {
    if (this.#isClosed || frame.bytes.length === 0) return
    if (frame.bytes.length > MAX_FRAMED_LENGTH) {
      this.#handlers?.onOverflow()
      return
    }
    this.#isUsed = true
    this.#queue.push(frame)
    this.#queued += lengthOf(frame)
    while (this.#queued > MAX_QUEUED) {
      const oldest = this.#queue.shift()
      if (oldest === undefined) break
      this.#queued -= lengthOf(oldest)
      this.#handlers?.onOverflow()
    }
    this.#flush()
  }

  /** Ends it: the other side hears of it where there is a way. */
  close(): void {
    if (this.#isClosed) return
    this.#end()
    this.transmit(RESET_BYTES, () => this.#other.#end())
  }

  /** Has the other side do something when it reads this, after all that was sent before. */
  transmit(bytes: number, read: () => void): void {
    const index = this.#sent++
    this.#channel.send(this.#party, bytes, () => this.#other.#arrived(index, read))
  }

  #arrived(index: number, read: () => void): void {
    this.#early.set(index, read)
    for (let next = this.#early.get(this.#read); next !== undefined; next = this.#early.get(this.#read)) {
      this.#early.delete(this.#read)
      this.#read += 1
      next()
    }
  }

  #flush(): void {
    while (!this.#isClosed && this.#underWay < MAX_UNDER_WAY) {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      const length = lengthOf(frame)
      this.#queued -= length
      this.#underWay += length
      this.transmit(length, () => {
        this.#underWay -= length
        this.#other.#received(frame)
        this.#flush()
      })
    }
  }

  #received(frame: StreamFrame): void {
    if (this.#isClosed) return
    this.#isUsed = true
    this.#handlers?.onFrame(frame)
  }

  #watch(): void {
    this.#party.in(IDLE_MS, () => {
      if (this.#isClosed) return
      if (!this.#isUsed) {
        this.close()
        return
      }
      this.#isUsed = false
      this.#watch()
    })
  }

  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#forget()
    this.#queue.length = 0
    this.#queued = 0
    this.#handlers?.onClose()
  }
}

function lengthOf({ bytes }: StreamFrame): number {
  return FRAME_BYTES + bytes.length
}
