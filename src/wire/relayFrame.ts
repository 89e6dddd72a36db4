/**
 * Datagrams in a stream, between a node whose network lets no UDP out and a relay. Integers are in network order.
 *
 * ```
 *  0  port      2   at the relay's end: where the datagram goes to there, or came from; not 0
 *  2  length    2   of the datagram, 1 to 9216
 *  4  datagram
 * ```
 */

import { concat } from 'uint8arrays'
import { readUint16, writeUint16 } from './integers.js'

/** A datagram, and the port at the relay's end. */
export interface RelayFrame {
  readonly port: number
  readonly datagram: Uint8Array
}

/** The longest datagram that a stream carries, in bytes: what a network of jumbo frames has. */
export const MAX_FRAMED_LENGTH = 9_216

const HEADER_LENGTH = 4

/** The bytes of a frame. Throws a RangeError where the port is none, or the datagram is empty or too long. */
export function encodeRelayFrame({ port, datagram }: RelayFrame): Uint8Array {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) throw new RangeError(`${port} is no port`)
  if (datagram.length === 0 || datagram.length > MAX_FRAMED_LENGTH)
    throw new RangeError(`a framed datagram has 1 to ${MAX_FRAMED_LENGTH} bytes, not ${datagram.length}`)
  const bytes = new Uint8Array(HEADER_LENGTH + datagram.length)
  writeUint16(bytes, 0, port)
  writeUint16(bytes, 2, datagram.length)
  bytes.set(datagram, HEADER_LENGTH)
  return bytes
}

/** Takes frames out of a stream, however it was cut. Holds one frame at most. */
export class RelayFrameReader {
  /** What came of the next frame. */
  #rest: Uint8Array = new Uint8Array(0)

  /**
   * The frames that `bytes` complete; their datagrams may be views of it. Undefined where it breaks a rule of the format,
   * and the stream is of no use any more.
   */
  read(bytes: Uint8Array): readonly RelayFrame[] | undefined {
    const all = this.#rest.length === 0 ? bytes : concat([this.#rest, bytes])
    const frames: RelayFrame[] = []
    let at = 0
    while (all.length - at >= HEADER_LENGTH) {
      const port = readUint16(all, at)
      const length = readUint16(all, at + 2)
      if (port === 0 || length === 0 || length > MAX_FRAMED_LENGTH) return undefined
      const end = at + HEADER_LENGTH + length
      if (end > all.length) break
      frames.push({ port, datagram: all.subarray(at + HEADER_LENGTH, end) })
      at = end
    }
    // A copy: what is kept must not keep all that came with it.
    this.#rest = all.slice(at)
    return frames
  }
}
