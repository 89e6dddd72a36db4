/**
 * Many datagrams in one system call, in both directions (recvmmsg(2), sendmmsg(2)), where they come in bursts.
 *
 * node:dgram makes one call for each datagram, and allocates for each. That is well enough for few of them, so sockets stay
 * Node's, which says when there is something to read. Where one datagram follows close upon another, what else waits at the
 * socket is read here at once, into memory that is used again; what is sent meanwhile out of that memory is collected, and
 * leaves before the burst is over. A run of datagrams of one length to one address leaves as one superpacket (UDP_SEGMENT,
 * udp(7)): it passes the kernel's network stack once, and is cut into its datagrams by the network device or by the socket
 * that it is for.
 *
 *     'message' ─► take ─► … two close together: recvmmsg ─► take, take, … ─► send, send, … ─► flush: sendmsg, sendmmsg
 *
 * What `take` is given during a burst is overwritten by the next one. Who keeps it, keeps a copy: {@link kept}.
 */

import type { Socket } from 'node:dgram'
import type { SocketAddress } from '../base/address.js'
import { IS_LITTLE_ENDIAN, MSG_DONTWAIT } from './libc.js'
import { loadMessageCalls, type MessageCalls, MessageHeaders } from './messageCalls.js'
import { SenderCache, socketAddressBytes } from './socketAddressBytes.js'

/**
 * How many are read in one call, or leave together, and how many calls are made before others get their turn. A superpacket
 * may have 64 (UDP_MAX_SEGMENTS before Linux 6.9).
 */
const MAX_MESSAGES = 32
const MAX_CALLS = 8
/** The largest datagram, and some bytes that keep the slots from sharing the same lines of the processor's caches. */
const LARGEST = 65_536
const SLOT = LARGEST + 1_088
const NAME = 32
/** Datagrams that follow each other closer than this are a burst, in ms. */
const BURST_MS = 0.2

/** Bytes of a superpacket: the largest datagram. */
const MAX_SUPERPACKET = 65_000
/** struct cmsghdr (cmsg(3)) on 64-bit Linux, with one value of 16 bits. */
const CMSG = { length: 18, level: 8, type: 12, value: 16, space: 24 }
const SOL_UDP = 17
const UDP_SEGMENT = 103

/** Takes a datagram, and from where it came (canonical). */
export type TakeDatagram = (bytes: Uint8Array, ip: string, port: number) => void

/** A socket that takes part. */
export interface BatchedSocket {
  readonly fd: number
  /** Something did not leave; the error's code. Afterwards it is tried once more, but for EAGAIN and ENOBUFS. */
  readonly onSendError: (remote: SocketAddress | undefined, code: string) => void
  /** True once the descriptor is no longer this socket's. */
  isClosed: boolean
  /** True once the system has refused a superpacket of its. */
  sendsSingly: boolean
}

export class DatagramBatches {
  readonly #calls: MessageCalls
  readonly #memory = new Uint8Array(MAX_MESSAGES * SLOT)
  readonly #memoryAddress: number
  readonly #received: MessageHeaders
  readonly #receivedNames = new DataView(new ArrayBuffer(MAX_MESSAGES * NAME))
  readonly #senders = new SenderCache()
  readonly #sent: MessageHeaders
  readonly #sentNames = new Uint8Array(MAX_MESSAGES * NAME)
  readonly #sentNamesAddress: number
  readonly #superpacket: MessageHeaders
  readonly #control = new DataView(new ArrayBuffer(128))
  readonly #names = new WeakMap<SocketAddress, Uint8Array>()
  // What waits to be sent; parallel arrays, so that nothing is allocated for a datagram.
  readonly #sockets: (BatchedSocket | undefined)[] = new Array<undefined>(MAX_MESSAGES).fill(undefined)
  readonly #remotes: (SocketAddress | undefined)[] = new Array<undefined>(MAX_MESSAGES).fill(undefined)
  readonly #offsets = new Uint32Array(MAX_MESSAGES)
  readonly #lengths = new Uint32Array(MAX_MESSAGES)
  #waiting = 0
  #isReading = false

  private constructor(calls: MessageCalls) {
    this.#calls = calls
    this.#memoryAddress = calls.addressOf(this.#memory)
    this.#received = new MessageHeaders(calls, MAX_MESSAGES, 1)
    const names = calls.addressOf(new Uint8Array(this.#receivedNames.buffer))
    for (let slot = 0; slot < MAX_MESSAGES; slot++) {
      this.#received.setName(slot, names + slot * NAME, NAME)
      this.#received.setPiece(slot, 0, this.#memoryAddress + slot * SLOT, LARGEST)
    }
    this.#sent = new MessageHeaders(calls, MAX_MESSAGES, 1)
    this.#sentNamesAddress = calls.addressOf(this.#sentNames)
    this.#superpacket = new MessageHeaders(calls, 1, MAX_MESSAGES)
    this.#control.setUint32(0, CMSG.length, IS_LITTLE_ENDIAN)
    this.#control.setInt32(CMSG.level, SOL_UDP, IS_LITTLE_ENDIAN)
    this.#control.setInt32(CMSG.type, UDP_SEGMENT, IS_LITTLE_ENDIAN)
    this.#superpacket.setControl(0, calls.addressOf(new Uint8Array(this.#control.buffer)), CMSG.space)
  }

  /** Undefined where the system calls cannot be made, and node:dgram does all. */
  static open(): DatagramBatches | undefined {
    const calls = loadMessageCalls()
    return calls === undefined ? undefined : new DatagramBatches(calls)
  }

  /**
   * Hands `take` what the socket receives, each datagram of which Node tells by 'message', and others that wait with it.
   * What cannot be answered is dropped.
   */
  receive(socket: Pick<Socket, 'on'>, batched: BatchedSocket, take: TakeDatagram): void {
    let lastAt = Number.NEGATIVE_INFINITY
    socket.on('message', (bytes, { address, port }) => {
      const at = performance.now()
      const isBurst = at - lastAt < BURST_MS
      lastAt = at
      if (port !== 0 && !address.includes('%')) take(bytes, address, port)
      if (!isBurst || this.#isReading) return
      this.#readWaiting(batched, take)
      lastAt = performance.now()
    })
  }

  /** True for bytes that the next burst will overwrite. */
  isPassing(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#memory.buffer
  }

  /** The bytes, or a copy of them where they would be overwritten. */
  kept(bytes: Uint8Array): Uint8Array {
    return this.isPassing(bytes) ? bytes.slice() : bytes
  }

  /**
   * Has bytes of this burst leave from a socket, before the burst is over; without an address to where it is connected.
   * False where they are none of it, and Node is to send them; what was to leave before them has left then.
   */
  send(socket: BatchedSocket, remote: SocketAddress | undefined, bytes: Uint8Array): boolean {
    if (!this.isPassing(bytes)) {
      this.flush()
      return false
    }
    if (this.#waiting === MAX_MESSAGES) this.flush()
    const at = this.#waiting++
    this.#sockets[at] = socket
    this.#remotes[at] = remote
    this.#offsets[at] = bytes.byteOffset
    this.#lengths[at] = bytes.length
    return true
  }

  /** Sends what waits. To be called before anything that concerns the sockets themselves. */
  flush(): void {
    const count = this.#waiting
    if (count === 0) return
    // Who is told of an error may send.
    this.#waiting = 0
    let from = 0
    while (from < count) {
      let to = from + 1
      while (
        to < count &&
        this.#sockets[to] === this.#sockets[from] &&
        this.#remotes[to] === this.#remotes[from]
      )
        to++
      const socket = this.#sockets[from]
      if (socket !== undefined && !socket.isClosed) this.#sendRun(socket, this.#remotes[from], from, to)
      from = to
    }
    this.#sockets.fill(undefined, 0, count)
    this.#remotes.fill(undefined, 0, count)
  }

  #readWaiting(socket: BatchedSocket, take: TakeDatagram): void {
    this.#isReading = true
    try {
      for (let call = 0; call < MAX_CALLS && !socket.isClosed; call++) {
        for (let slot = 0; slot < MAX_MESSAGES; slot++) this.#received.setNameLength(slot, NAME)
        const { address } = this.#received
        const count = this.#calls.recvmmsg(socket.fd, address, MAX_MESSAGES, MSG_DONTWAIT, null)
        for (let slot = 0; slot < count; slot++) {
          const sender = this.#senders.at(this.#receivedNames, slot * NAME)
          if (sender === undefined) continue
          const start = slot * SLOT
          take(this.#memory.subarray(start, start + this.#received.received(slot)), sender.ip, sender.port)
        }
        this.flush()
        // An error is Node's to find, when it reads next.
        if (count < MAX_MESSAGES) return
      }
    } finally {
      this.flush()
      this.#isReading = false
    }
  }

  /** Sends what goes from one socket to one address. */
  #sendRun(socket: BatchedSocket, remote: SocketAddress | undefined, from: number, to: number): void {
    const nameLength = this.#setName(remote)
    let at = from
    while (at < to) {
      const end = this.#endOfSuperpacket(at, to)
      if (end - at < 2 || socket.sendsSingly || !this.#sendSuperpacket(socket, nameLength, at, end))
        this.#sendSingly(socket, remote, nameLength, at, end)
      at = end
    }
  }

  /** All segments but the last have one length, and the last is no longer. */
  #endOfSuperpacket(from: number, to: number): number {
    const length = this.#lengths[from] ?? 0
    let end = from + 1
    let total = length
    while (end < to && this.#lengths[end - 1] === length) {
      const next = this.#lengths[end] ?? 0
      total += next
      if (next > length || next === 0 || total > MAX_SUPERPACKET) break
      end++
    }
    return end
  }

  #setName(remote: SocketAddress | undefined): number {
    if (remote === undefined) return 0
    let name = this.#names.get(remote)
    if (name === undefined) {
      name = socketAddressBytes(remote)
      this.#names.set(remote, name)
    }
    this.#sentNames.set(name)
    return name.length
  }

  /** False where the system does not take it, and nothing has left. */
  #sendSuperpacket(socket: BatchedSocket, nameLength: number, from: number, to: number): boolean {
    const headers = this.#superpacket
    headers.setName(0, nameLength === 0 ? 0 : this.#sentNamesAddress, nameLength)
    for (let at = from; at < to; at++) this.#setPiece(headers, 0, at - from, at)
    headers.setPieceCount(0, to - from)
    this.#control.setUint16(CMSG.value, this.#lengths[from] ?? 0, IS_LITTLE_ENDIAN)
    if (this.#calls.sendmsg(socket.fd, headers.address, MSG_DONTWAIT) >= 0) return true
    // Larger than the device takes, or a device or a kernel that cannot: what comes singly may be fragmented.
    const code = this.#calls.errorCode()
    if (code === 'EINVAL' || code === 'EIO' || code === 'EMSGSIZE') socket.sendsSingly = true
    return false
  }

  #sendSingly(
    socket: BatchedSocket,
    remote: SocketAddress | undefined,
    nameLength: number,
    from: number,
    to: number,
  ): void {
    const headers = this.#sent
    for (let at = from; at < to; at++) {
      headers.setName(at, nameLength === 0 ? 0 : this.#sentNamesAddress, nameLength)
      this.#setPiece(headers, at, 0, at)
    }
    let isSecondTry = false
    let at = from
    while (at < to && !socket.isClosed) {
      const sent = this.#calls.sendmmsg(socket.fd, headers.addressAt(at), to - at, MSG_DONTWAIT)
      if (sent > 0) {
        at += sent
        isSecondTry = false
        continue
      }
      const code = this.#calls.errorCode()
      socket.onSendError(remote, code)
      // The buffer is full, and so it will be for the rest.
      if (code === 'EAGAIN' || code === 'ENOBUFS') return
      // The failure may tell of another datagram, which was sent before.
      if (isSecondTry) at++
      isSecondTry = !isSecondTry
    }
  }

  #setPiece(headers: MessageHeaders, header: number, piece: number, at: number): void {
    headers.setPiece(header, piece, this.#memoryAddress + (this.#offsets[at] ?? 0), this.#lengths[at] ?? 0)
  }
}
