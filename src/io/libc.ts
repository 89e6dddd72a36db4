/**
 * The calls of libc that Node has no API for, with the FFI package koffi.
 *
 * The constants that go with them, here and where they are used, are Linux's: the same on every architecture for which koffi and
 * Node are built.
 */

import { createRequire } from 'node:module'

/** The byte order of this machine, in which C structures have their integers. */
export const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** struct msghdr (recvmsg(2)), with no buffer for what was received. */
export interface MessageHeader {
  readonly name: Uint8Array
  /** Bytes of `name`: before the call those there are, after it those that are used; so too `controllen`. */
  namelen: number
  readonly iov: null
  readonly iovlen: 0
  readonly control: Uint8Array
  controllen: number
  flags: number
}
/** Of socket(2) and send(2). */
export const SOCK_DGRAM = 2
export const SOCK_CLOEXEC = 0o2000000
export const MSG_DONTWAIT = 0x40

/** What of libc is called. */
export interface Libc {
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly close: (fd: number) => number
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint32Array, length: number) => number
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number
  /** Fills in the buffers that `message` names, and how much of them is used. */
  readonly recvmsg: (fd: number, message: MessageHeader, flags: number) => number
  /** `argument` is read and written. */
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number
  /** 0 for none. */
  readonly if_nametoindex: (name: string) => number
  /** `name` is written; null for none. */
  readonly if_indextoname: (index: number, name: Uint8Array) => unknown
  /** Of the last call that failed. */
  readonly errno: () => number
  readonly EMSGSIZE: number | undefined
  /** Bytes of a size_t, which is what a word of the machine has. */
  readonly wordLength: number
}

let loaded: Libc | { readonly reason: string } | undefined

/** Loads it at the first call. Where that cannot be done, the reason is one line for people; nothing is thrown. */
export function loadLibc(): Libc | { readonly reason: string } {
  loaded ??= tryLoadLibc()
  return loaded
}

function tryLoadLibc(): Libc | { readonly reason: string } {
  if (process.platform !== 'linux')
    return { reason: `the libc of Linux is needed; this is ${process.platform}` }
  try {
    const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
    // null is the running process, which has libc loaded whatever the distribution calls its file.
    const libc = koffi.load(null)
    const { EMSGSIZE } = koffi.os.errno
    const messageHeader = koffi.struct({
      name: 'void *',
      namelen: 'uint32_t',
      iov: 'void *',
      iovlen: 'size_t',
      control: 'void *',
      controllen: 'size_t',
      flags: 'int',
    })
    return {
      socket: libc.func('int socket(int domain, int type, int protocol)'),
      close: libc.func('int close(int fd)'),
      setsockopt: libc.func(
        'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
      ),
      sendto: libc.func(
        'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, unsigned int size)',
      ),
      recvmsg: libc.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(messageHeader)), 'int']),
      ioctl: libc.func('int ioctl(int fd, unsigned long request, _Inout_ void *argument)'),
      if_nametoindex: libc.func('unsigned int if_nametoindex(const char *name)'),
      if_indextoname: libc.func('void *if_indextoname(unsigned int index, _Out_ void *name)'),
      errno: () => koffi.errno(),
      EMSGSIZE,
      wordLength: koffi.sizeof('size_t'),
    }
  } catch (error) {
    const [line = ''] = String(error instanceof Error ? error.message : error).split('\n')
    return { reason: `the package koffi could not be loaded: ${line}` }
  }
}
