/** The system calls that pass many messages at once (recvmmsg(2), sendmmsg(2)), with the FFI package koffi, and their structures. */

import { createRequire } from 'node:module'
import { IS_LITTLE_ENDIAN } from './libc.js'

/** Structures are passed by address, since they name each other by address. */
export interface MessageCalls {
  /** How many messages were received, or below 0. */
  readonly recvmmsg: (fd: number, headers: number, count: number, flags: number, timeout: null) => number
  /** How many were sent, or below 0 where not even the first was. */
  readonly sendmmsg: (fd: number, headers: number, count: number, flags: number) => number
  readonly sendmsg: (fd: number, header: number, flags: number) => number
  /** The name of the error of the last call that failed, as in `error.code`. */
  readonly errorCode: () => string
  /** Where the bytes are. They must be kept alive, and be more than 64: V8 moves smaller ones about. */
  readonly addressOf: (bytes: Uint8Array) => number
}

let loaded: MessageCalls | undefined
let hasTried = false

/** Undefined where they cannot be called: off Linux, on 32 bits, and where koffi cannot be loaded. */
export function loadMessageCalls(): MessageCalls | undefined {
  if (hasTried) return loaded
  hasTried = true
  if (process.platform !== 'linux') return undefined
  try {
    const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
    if (koffi.sizeof('void *') !== 8) return undefined
    const libc = koffi.load(null)
    const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))
    loaded = {
      recvmmsg: libc.func(
        'int recvmmsg(int fd, intptr_t headers, unsigned int count, int flags, void *timeout)',
      ),
      sendmmsg: libc.func('int sendmmsg(int fd, intptr_t headers, unsigned int count, int flags)'),
      sendmsg: libc.func('long sendmsg(int fd, intptr_t header, int flags)'),
      errorCode: () => names.get(koffi.errno()) ?? 'EINVAL',
      addressOf: (bytes) => Number(koffi.address(bytes)),
    }
  } catch {
    // `doctor` says so, with the reason, of libc.
  }
  return loaded
}

/** struct mmsghdr (which begins with struct msghdr) and struct iovec on 64-bit Linux. */
const HEADER = {
  length: 64,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovCount: 24,
  control: 32,
  controlLength: 40,
  transferred: 56,
}
const VECTOR = { length: 16, base: 0, size: 8 }
const WORD = 0x1_0000_0000

/** Headers of messages, each with as many pieces of bytes. */
export class MessageHeaders {
  /** Of the first. */
  readonly address: number
  readonly #headers: DataView
  readonly #vectors: DataView
  readonly #pieces: number

  constructor(calls: MessageCalls, count: number, pieces: number) {
    this.#pieces = pieces
    this.#headers = new DataView(new ArrayBuffer(Math.max(128, count * HEADER.length)))
    this.#vectors = new DataView(new ArrayBuffer(Math.max(128, count * pieces * VECTOR.length)))
    this.address = calls.addressOf(new Uint8Array(this.#headers.buffer))
    const vectors = calls.addressOf(new Uint8Array(this.#vectors.buffer))
    for (let at = 0; at < count; at++) {
      setWord(this.#headers, at * HEADER.length + HEADER.iov, vectors + at * pieces * VECTOR.length)
      this.setPieceCount(at, pieces)
    }
  }

  addressAt(header: number): number {
    return this.address + header * HEADER.length
  }

  /** Space for an address, or one; the address 0 is none. */
  setName(header: number, address: number, length: number): void {
    setWord(this.#headers, header * HEADER.length + HEADER.name, address)
    this.setNameLength(header, length)
  }

  setNameLength(header: number, length: number): void {
    this.#headers.setUint32(header * HEADER.length + HEADER.nameLength, length, IS_LITTLE_ENDIAN)
  }

  setControl(header: number, address: number, length: number): void {
    setWord(this.#headers, header * HEADER.length + HEADER.control, address)
    setWord(this.#headers, header * HEADER.length + HEADER.controlLength, length)
  }

  setPieceCount(header: number, count: number): void {
    setWord(this.#headers, header * HEADER.length + HEADER.iovCount, count)
  }

  setPiece(header: number, piece: number, address: number, length: number): void {
    const at = (header * this.#pieces + piece) * VECTOR.length
    setWord(this.#vectors, at + VECTOR.base, address)
    setWord(this.#vectors, at + VECTOR.size, length)
  }

  /** How many bytes of it were received. */
  received(header: number): number {
    return this.#headers.getUint32(header * HEADER.length + HEADER.transferred, IS_LITTLE_ENDIAN)
  }
}

/** A word of 64 bits, of a value below 2^53. */
function setWord(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / WORD)
  view.setUint32(at, IS_LITTLE_ENDIAN ? value % WORD : high, IS_LITTLE_ENDIAN)
  view.setUint32(at + 4, IS_LITTLE_ENDIAN ? high : value % WORD, IS_LITTLE_ENDIAN)
}
