/**
 * What Node's sockets cannot do, through libc with the FFI package koffi: firewall marks (SO_MARK, socket(7)), and
 * buffers beyond the system's limit (SO_RCVBUFFORCE, SO_SNDBUFFORCE).
 *
 * With `AllowedIPs = 0.0.0.0/0` wg-quick routes everything into the tunnel but what carries the interface's mark. Our
 * own sockets carry the same mark, or our packets would enter the tunnel that they are to carry.
 *
 * koffi is loaded at the first call. Where it cannot be, every function here says so by its result and nothing throws:
 * the daemon runs without marks, and {@link socketOptionsAvailable} tells `doctor` and the log what is lost.
 *
 * The constants are Linux's, the same on every architecture for which koffi and Node are built.
 */

import type { Socket } from 'node:dgram'
import { createRequire } from 'node:module'
import type { AddressFamily } from '../base/address.js'

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
  return setOption(fd, SO_MARK, mark)
}

/**
 * Gives the socket buffers of `bytes` bytes, whatever `net.core.rmem_max` and `wmem_max` say; the system's usual limit
 * of 208 KiB holds some hundred packets, which is less than comes while Node is busy elsewhere. Needs CAP_NET_ADMIN.
 * False where it could not be done.
 */
export function forceBufferSizes(fd: number, bytes: number): boolean {
  return setOption(fd, SO_RCVBUFFORCE, bytes) && setOption(fd, SO_SNDBUFFORCE, bytes)
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

const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SO_MARK = 36

function setOption(fd: number, option: number, value: number): boolean {
  const libc = loadLibc()
  if ('reason' in libc) return false
  const bytes = Uint32Array.of(value)
  return libc.setsockopt(fd, SOL_SOCKET, option, bytes, bytes.byteLength) === 0
}

interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly close: (fd: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint32Array, length: number) => number
}

let loaded: Libc | { readonly reason: string } | undefined

function loadLibc(): Libc | { readonly reason: string } {
  loaded ??= tryLoadLibc()
  return loaded
}

function tryLoadLibc(): Libc | { readonly reason: string } {
  if (process.platform !== 'linux')
    return { reason: `firewall marks need Linux; this is ${process.platform}` }
  try {
    const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
    // null is the running process, which has libc loaded whatever the distribution calls its file.
    const libc = koffi.load(null)
    return {
      socket: libc.func('int socket(int domain, int type, int protocol)'),
      close: libc.func('int close(int fd)'),
      setsockopt: libc.func(
        'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
      ),
    }
  } catch (error) {
    const [line = ''] = String(error instanceof Error ? error.message : error).split('\n')
    return { reason: `the package koffi could not be loaded: ${line}` }
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
