/**
 * A keyed hash that is quick and mixes well, and is no cryptography: whoever studied it could forge. In a simulation
 * nobody does, and what was made without the key fits by chance alone.
 *
 * Words of 32 bits, little-endian, are laid out and taken one after another by four lanes:
 *
 * ```
 *   key, 8 | purpose | number, 2 | length | data, its last word filled up with zeros | key, 8
 *
 *   t = (a ^ word) · M
 *   t = t ^ (t >>> 15)
 *   a, b, c, d = b + t, c ^ (t rotated by 13), d + t · N, t
 * ```
 *
 * For a known word this can be undone, so a difference once made stays, unless later words happen to cancel it in all
 * lanes. Then each lane goes through the finish of MurmurHash3 (Austin Appleby, public domain), and these are 16 bytes.
 * For 32 the key is taken once more: who sees the first half cannot tell the second.
 */

import { writeUint32LE } from '../../src/wire/integers.js'

/** Bytes of a key. */
export const KEY_LENGTH = 32

/** Bytes before the data. */
const HEAD_LENGTH = KEY_LENGTH + 16

/** Odd numbers with their bits well spread: of the golden ratio, and of MurmurHash3. */
const M = 0x9e37_79b1 | 0
const N = 0x85eb_ca6b | 0

interface Room {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Where words are laid out; nothing is kept there. Data beyond a datagram or a record gets room of its own. */
const ROOM = roomOf(4_096)

/**
 * 16 or 32 bytes that only the holders of `key` can tell: of `data`, of what it is for (32 bits), and of a number of 64
 * bits, given by its low and its high half.
 */
export function mix(
  key: Uint8Array,
  purpose: number,
  data: Uint8Array,
  length: 16 | 32,
  low = 0,
  high = 0,
): Uint8Array {
  if (key.length !== KEY_LENGTH) throw new RangeError(`a key has ${KEY_LENGTH} bytes, not ${key.length}`)
  const tail = HEAD_LENGTH + ((data.length + 3) & ~3)
  const end = tail + KEY_LENGTH
  const { bytes, view } = end <= ROOM.bytes.length ? ROOM : roomOf(end)
  // What the data leaves of its last word; of no data, a part of the head, written next.
  view.setInt32(tail - 4, 0)
  bytes.set(key)
  view.setInt32(KEY_LENGTH, purpose, true)
  view.setInt32(KEY_LENGTH + 4, low, true)
  view.setInt32(KEY_LENGTH + 8, high, true)
  view.setInt32(KEY_LENGTH + 12, data.length, true)
  bytes.set(data, HEAD_LENGTH)
  bytes.set(key, tail)

  let a = 0x243f_6a88
  let b = 0x05a3_08d3
  let c = 0x1319_8a2e
  let d = 0x0370_7344
  const result = new Uint8Array(length)
  let at = 0
  for (let out = 0; out < length; out += 16) {
    for (; at < end; at += 4) {
      let t = Math.imul(a ^ view.getInt32(at, true), M)
      t ^= t >>> 15
      a = (b + t) | 0
      b = c ^ ((t << 13) | (t >>> 19))
      c = (d + Math.imul(t, N)) | 0
      d = t
    }
    writeUint32LE(result, out, finish(a))
    writeUint32LE(result, out + 4, finish(b))
    writeUint32LE(result, out + 8, finish(c))
    writeUint32LE(result, out + 12, finish(d))
    at = tail
  }
  return result
}

function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85eb_ca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
  return mixed ^ (mixed >>> 16)
}

function roomOf(length: number): Room {
  const bytes = new Uint8Array(length)
  return { bytes, view: new DataView(bytes.buffer) }
}
