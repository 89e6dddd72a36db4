/**
 * The error queue of a UDP socket (ip(7), recvmsg(2)): what ICMP says of the datagrams that it sent, where
 * {@link ./socketOptions setErrorQueue} asked for it. Anybody can forge that, who knows the socket's address and port.
 *
 *   msg_name      the address to which the datagram was sent
 *   msg_control   struct cmsghdr             level IPPROTO_IP or _IPV6, type IP_RECVERR or IPV6_RECVERR
 *                 struct sock_extended_err   errno uint32 | origin, type, code, 0 uint8 | info, data uint32
 *                 the address of who sent the ICMP error
 */

import { type AddressFamily, ipFromBytes, type SocketAddress } from '../base/address.js'
import { IS_LITTLE_ENDIAN, loadLibc, type MessageHeader, MSG_DONTWAIT } from './libc.js'
import { IPPROTO, RECVERR } from './socketOptions.js'

export interface Unreachable {
  /** Where the datagram was to go. */
  readonly remote: SocketAddress
  /** Nobody has the port open there, or the host cannot be reached. */
  readonly what: 'port' | 'host'
}

/**
 * Takes the oldest error from the queue. `other`: one that does not say that somebody cannot be reached (a packet too
 * large, which the kernel itself heeds; a TTL that ran out; an error of our own machine's). Undefined where there is none.
 */
export function takeQueuedError(fd: number, family: AddressFamily): Unreachable | 'other' | undefined {
  const libc = loadLibc()
  if ('reason' in libc) return undefined
  const message: MessageHeader = {
    name,
    namelen: name.length,
    iov: null,
    iovlen: 0,
    control,
    controllen: control.length,
    flags: 0,
  }
  if (libc.recvmsg(fd, message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return undefined
  const { namelen, controllen } = message
  // struct cmsghdr: a length of one word, the level, the type; what follows begins at a whole word.
  const { wordLength } = libc
  const errorAt = Math.ceil((wordLength + 8) / wordLength) * wordLength
  if (namelen < ADDRESS_LENGTH[family] || controllen < errorAt + EXTENDED_ERROR_LENGTH) return 'other'
  const view = new DataView(control.buffer)
  const level = view.getInt32(wordLength, IS_LITTLE_ENDIAN)
  const type = view.getInt32(wordLength + 4, IS_LITTLE_ENDIAN)
  if (level !== IPPROTO[family] || type !== RECVERR[family]) return 'other'
  const { icmp, destinationUnreachable, port } = ICMP[family]
  if (view.getUint8(errorAt + 4) !== icmp || view.getUint8(errorAt + 5) !== destinationUnreachable)
    return 'other'
  const code = view.getUint8(errorAt + 6)
  // "Fragmentation needed" is of the same type on IPv4.
  if (family === 4 && code === FRAGMENTATION_NEEDED) return 'other'
  // Of struct sockaddr_in or sockaddr_in6, the port and the address are in the network's order.
  const ip = ipFromBytes(family === 4 ? name.slice(4, 8) : name.slice(8, 24))
  if (ip === undefined) return 'other'
  const remote = { ip, port: new DataView(name.buffer).getUint16(2) }
  return { remote, what: code === port ? 'port' : 'host' }
}

/** One after the other: nothing of them is kept. */
const name = new Uint8Array(128)
const control = new Uint8Array(256)

const MSG_ERRQUEUE = 0x2000
const EXTENDED_ERROR_LENGTH = 16
const ADDRESS_LENGTH = { 4: 16, 6: 28 } as const
/** The origins SO_EE_ORIGIN_ICMP and _ICMP6; types and codes of RFC 792 and RFC 4443. */
const ICMP = {
  4: { icmp: 2, destinationUnreachable: 3, port: 3 },
  6: { icmp: 3, destinationUnreachable: 1, port: 4 },
} as const
const FRAGMENTATION_NEEDED = 4
