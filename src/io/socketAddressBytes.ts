/** The system's form of addresses (ip(7), ipv6(7)), both ways: the family in the machine's byte order, the rest in the network's. */

import { familyOf, ipFromBytes, ipToBytes, type SocketAddress } from '../base/address.js'
import { IS_LITTLE_ENDIAN } from './libc.js'

export const AF_INET = 2
export const AF_INET6 = 10

/** struct sockaddr_in, or struct sockaddr_in6 with no flow and no scope. */
export function socketAddressBytes({ ip, port }: SocketAddress): Uint8Array {
  const isIpv6 = familyOf(ip) === 6
  const bytes = new Uint8Array(isIpv6 ? 28 : 16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, IS_LITTLE_ENDIAN)
  view.setUint16(2, port)
  bytes.set(ipToBytes(ip), isIpv6 ? 8 : 4)
  return bytes
}

/**
 * The sender of a datagram; undefined for one that cannot be answered: at port 0, or at a link-local address of IPv6, which
 * is none without its zone. The same few senders are found again without making their text anew.
 */
export class SenderCache {
  readonly #words = new Uint32Array(SENDERS * WORDS)
  readonly #senders: (SocketAddress | undefined)[] = new Array<undefined>(SENDERS).fill(undefined)

  at(view: DataView, at: number): SocketAddress | undefined {
    const port = view.getUint16(at + 2)
    const isIpv6 = view.getUint16(at, IS_LITTLE_ENDIAN) === AF_INET6
    const first = view.getUint32(at + (isIpv6 ? 8 : 4))
    const second = isIpv6 ? view.getUint32(at + 12) : 0
    const third = isIpv6 ? view.getUint32(at + 16) : 0
    const fourth = isIpv6 ? view.getUint32(at + 20) : 0
    const kind = port * 2 + (isIpv6 ? 1 : 0)
    const slot = (first ^ second ^ third ^ fourth ^ kind ^ (fourth >>> 16) ^ (first >>> 16)) & (SENDERS - 1)
    const base = slot * WORDS
    const words = this.#words
    if (
      this.#senders[slot] !== undefined &&
      words[base] === kind &&
      words[base + 1] === first &&
      words[base + 2] === second &&
      words[base + 3] === third &&
      words[base + 4] === fourth
    )
      return this.#senders[slot]
    if (port === 0 || (isIpv6 && first >>> 22 === LINK_LOCAL)) return undefined
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at + (isIpv6 ? 8 : 4), isIpv6 ? 16 : 4)
    const ip = ipFromBytes(bytes.slice())
    if (ip === undefined) return undefined
    words.set([kind, first, second, third, fourth], base)
    const sender = { ip, port }
    this.#senders[slot] = sender
    return sender
  }
}

/** A power of two. */
const SENDERS = 256
const WORDS = 5
/** The first 10 bits of fe80::/10. */
const LINK_LOCAL = 0xfe80 >>> 6
