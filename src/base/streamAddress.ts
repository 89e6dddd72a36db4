/**
 * Addresses that stand for streams. Where datagrams come through a stream instead of a network, whoever sent them has an
 * address all the same, one a stream, so that tables and limits need to know nothing of streams:
 *
 *     100:ffff:<high>:<low>::1  port 1
 *
 * No machine has such an address, and nobody may name one to us. Each stream has a /64 of its own, which is what limits
 * for one source look at.
 */

import { type SocketAddress, STREAM_PREFIX } from './address.js'

/** One less than 2^16, as neither of the two numbers is zero: canonical text has no short form for them then. */
const RADIX = 0xffff
const PORT = 1

/** The address of stream number `id`, from 0 up. */
export function streamAddress(id: number): SocketAddress {
  const high = Math.floor(id / RADIX) + 1
  const low = (id % RADIX) + 1
  return { ip: `${STREAM_PREFIX}${high.toString(16)}:${low.toString(16)}::1`, port: PORT }
}

/** True for the canonical address of a stream, and of anything else in the block that is theirs. */
export function isStreamAddress(ip: string): boolean {
  return ip.startsWith(STREAM_PREFIX)
}

/** The number of the stream that an address stands for; undefined where it is not one that {@link streamAddress} gives. */
export function streamOf({ ip, port }: SocketAddress): number | undefined {
  if (!isStreamAddress(ip) || port !== PORT) return undefined
  const groups = /^100:ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})::1$/.exec(ip)
  if (groups === null) return undefined
  const [high, low] = [Number.parseInt(groups[1] ?? '', 16), Number.parseInt(groups[2] ?? '', 16)]
  const id = (high - 1) * RADIX + (low - 1)
  return streamAddress(id).ip === ip ? id : undefined
}
