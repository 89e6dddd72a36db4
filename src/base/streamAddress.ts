/**
 * Addresses that stand for streams. Where datagrams come through a stream instead of a network, whoever sent them has an
 * address all the same, one a stream, so that tables and limits need to know nothing of streams:
 *
 *     100:ffff:<high>:<low>:<source>  port 1
 *
 * No machine has such an address, and nobody may name one to us. `source` is who is behind it, in 64 bits: the /64 of an
 * IPv6 address, or `0:ffff:<IPv4 address>`, from which the connection came that carries the stream; zeros where that is not
 * known. Limits for one source go by that (`senderBlock` of address.ts), however many streams it has.
 */

import { familyOf, ipFromBytes, ipToBytes, type SocketAddress, STREAM_PREFIX } from './address.js'

/** One less than 2^16, as neither of the two numbers is zero: canonical text has no short form for them then. */
const RADIX = 0xffff
const PORT = 1

/** Of an address that no machine has: 100:ffff::. */
const PREFIX_BYTES = [0x01, 0x00, 0xff, 0xff] as const

/** The address of stream number `id`, from 0 up, which was opened from `source`, canonical. */
export function streamAddress(id: number, source?: string): SocketAddress {
  const high = Math.floor(id / RADIX) + 1
  const low = (id % RADIX) + 1
  const bytes = Uint8Array.of(
    ...PREFIX_BYTES,
    high >> 8,
    high & 0xff,
    low >> 8,
    low & 0xff,
    ...sourceBytes(source),
  )
  return { ip: ipFromBytes(bytes) ?? '', port: PORT }
}

/** True for the canonical address of a stream, and of anything else in the block that is theirs. */
export function isStreamAddress(ip: string): boolean {
  return ip.startsWith(STREAM_PREFIX)
}

function sourceBytes(source: string | undefined): Uint8Array {
  if (source === undefined) return new Uint8Array(8)
  const bytes = ipToBytes(source)
  return familyOf(source) === 6 ? bytes.subarray(0, 8) : Uint8Array.of(0, 0, 0xff, 0xff, ...bytes)
}
