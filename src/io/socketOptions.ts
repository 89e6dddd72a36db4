/**
 * What Node's sockets cannot do, through {@link ./libc}: firewall marks (SO_MARK, socket(7)), buffers
 * beyond the system's limit (SO_RCVBUFFORCE, SO_SNDBUFFORCE), queues of ICMP errors (IP_RECVERR), and saying of a datagram whether it may be fragmented
 * (IP_MTU_DISCOVER, ip(7)). Besides, the MTU of an interface.
 *
 * With `AllowedIPs = 0.0.0.0/0` wg-quick routes everything into the tunnel but what carries the interface's mark. Our
 * own sockets carry the same mark, or our packets would enter the tunnel that they are to carry.
 *
 * WireGuard's packets may be fragmented on IPv4, as those of the kernel's own WireGuard: they leave without the
 * don't-fragment bit, which Linux would set. With it, a router that sends no ICMP would swallow every large packet and
 * nobody would learn of it. On IPv6 only the sender fragments; Linux does where ICMP has told it of a smaller MTU.
 * Padded checks are to find out what the path carries whole: they leave with the bit, and whatever the kernel has
 * learned from ICMP, which anybody can forge, is not looked at (IP_PMTUDISC_PROBE).
 *
 * Where libc cannot be called, every function here says so by its result and nothing throws: the daemon runs without
 * marks, and {@link socketOptionsAvailable} tells `doctor` and the log what is lost.
 */

import type { Socket } from 'node:dgram'
import { type AddressFamily, familyOf, type SocketAddress } from '../base/address.js'
import { IS_LITTLE_ENDIAN, loadLibc, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from './libc.js'
import { AF_INET, AF_INET6, socketAddressBytes } from './socketAddressBytes.js'

export type SocketOptionsAvailability =
  | { readonly available: true }
  | { readonly available: false; readonly reason: string }

/** Whether libc can be called from here, and if not, why: one line for people. */
export function socketOptionsAvailable(): SocketOptionsAvailability {
  const libc = loadLibc()
  return 'reason' in libc ? { available: false, reason: libc.reason } : { available: true }
}

/**
 * Gives all packets that the socket sends from now on the mark `mark`; 0 is no mark. Needs CAP_NET_ADMIN.
 * A listening TCP socket passes its mark on to those it accepts. False where it could not be set.
 */
export function setMark(fd: number, mark: number): boolean {
  return setOption(fd, mark, SOL_SOCKET, SO_MARK)
}

/**
 * Gives the socket buffers of `bytes` bytes, whatever `net.core.rmem_max` and `wmem_max` say; the system's usual limit
 * of 208 KiB holds some hundred packets, which is less than comes while Node is busy elsewhere. Needs CAP_NET_ADMIN.
 * False where it could not be done.
 */
export function forceBufferSizes(fd: number, bytes: number): boolean {
  return setOption(fd, bytes, SOL_SOCKET, SO_RCVBUFFORCE) && setOption(fd, bytes, SOL_SOCKET, SO_SNDBUFFORCE)
}

/**
 * The file descriptor of a UDP socket that is bound (an unbound one may have none yet); undefined if it has none.
 *
 * Node has no public way to it. `socket._handle` is a getter that prints deprecation warning DEP0112, so this reads
 * the state object behind it. Should a later Node keep it elsewhere, the result is undefined, and a test fails.
 */
export function udpSocketFd(socket: Socket): number | undefined {
  const key = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol')
  if (key === undefined) return undefined
  const state: unknown = Reflect.get(socket, key)
  const fd: unknown = property(property(state, 'handle'), 'fd')
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/**
 * A new TCP socket with a mark, unconnected, non-blocking and closed on exec, for `net.connect({ fd, host, port })`.
 * The mark must be there before the first packet leaves, and Node makes its own sockets only as it connects them.
 *
 * `host` must be an address of the same family: with a name to look up first, Node would read from the socket before
 * it connects it, and fail with ENOTCONN. The caller owns the descriptor until it is given to Node.
 * Undefined where the socket could not be made or marked.
 */
export function markedTcpSocket(family: AddressFamily, mark: number): number | undefined {
  const libc = loadLibc()
  if ('reason' in libc) return undefined
  const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return undefined
  if (setMark(fd, mark)) return fd
  libc.close(fd)
  return undefined
}

/**
 * Has IPv4 packets of a UDP socket leave without the don't-fragment bit, so that routers may fragment them. Nothing is
 * done on IPv6, where they never do. False where it could not be done.
 */
export function allowFragments(fd: number, family: AddressFamily): boolean {
  return family === 6 || setOption(fd, USUALLY[family], IPPROTO[family], MTU_DISCOVER[family])
}

/**
 * Sends one datagram from a UDP socket that nobody may fragment, and leaves the socket as it was. It does not wait and
 * overtakes what Node itself holds back. `too-large`: the network device takes less.
 */
export function sendUnfragmented(
  fd: number,
  remote: SocketAddress,
  bytes: Uint8Array,
): 'sent' | 'too-large' | 'failed' {
  const libc = loadLibc()
  if ('reason' in libc) return 'failed'
  const family = familyOf(remote.ip)
  if (!setOption(fd, PMTUDISC_PROBE, IPPROTO[family], MTU_DISCOVER[family])) return 'failed'
  const address = socketAddressBytes(remote)
  const sent = libc.sendto(fd, bytes, bytes.length, MSG_DONTWAIT, address, address.length)
  const tooLarge = sent < 0 && libc.errno() === libc.EMSGSIZE
  setOption(fd, USUALLY[family], IPPROTO[family], MTU_DISCOVER[family])
  return tooLarge ? 'too-large' : sent === bytes.length ? 'sent' : 'failed'
}

/**
 * Has the kernel queue the ICMP errors that concern what a UDP socket sent (IP_RECVERR, ip(7)), for errorQueue.ts; or
 * queue no more, and forget those that are queued. False where that could not be set.
 *
 * While it does, each of them also fails one call: the next to send or to receive, whatever that is about.
 */
export function setErrorQueue(fd: number, family: AddressFamily, isOn: boolean): boolean {
  return setOption(fd, isOn ? 1 : 0, IPPROTO[family], RECVERR[family])
}

/** The MTU of a network interface, in bytes; undefined where there is none of this name, or it cannot be asked. */
export function interfaceMtu(device: string): number | undefined {
  const libc = loadLibc()
  const name = new TextEncoder().encode(device)
  if ('reason' in libc || name.length >= IFNAMSIZ) return undefined
  const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) return undefined
  // struct ifreq (netdevice(7)): the name, then a union, of which the first word is the MTU.
  const request = new Uint8Array(IFREQ_LENGTH)
  request.set(name)
  const found = libc.ioctl(fd, SIOCGIFMTU, request) === 0
  libc.close(fd)
  return found ? new DataView(request.buffer).getInt32(IFNAMSIZ, IS_LITTLE_ENDIAN) : undefined
}

const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SO_MARK = 36
const SIOCGIFMTU = 0x8921
const IFNAMSIZ = 16
const IFREQ_LENGTH = 40

/** By the family of the address: the level, IP_MTU_DISCOVER or IPV6_MTU_DISCOVER, IP_RECVERR or IPV6_RECVERR. */
export const IPPROTO = { 4: 0, 6: 41 } as const
export const RECVERR = { 4: 11, 6: 25 } as const
const MTU_DISCOVER = { 4: 10, 6: 23 } as const
const PMTUDISC_DONT = 0
const PMTUDISC_WANT = 1
const PMTUDISC_PROBE = 3
/** See above: without the bit on IPv4, Linux's own default on IPv6. */
const USUALLY = { 4: PMTUDISC_DONT, 6: PMTUDISC_WANT } as const

function setOption(fd: number, value: number, level: number, option: number): boolean {
  const libc = loadLibc()
  if ('reason' in libc) return false
  const bytes = Uint32Array.of(value)
  return libc.setsockopt(fd, level, option, bytes, bytes.byteLength) === 0
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
