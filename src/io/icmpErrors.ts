/**
 * What ICMP says of the datagrams that UDP sockets sent, read from the sockets' error queues (errorQueue.ts).
 *
 * The kernel says that there is something in a queue by failing one call on the socket, whatever that is about. So each
 * failure has the queue read; and to the end, because Node's event loop is woken again and again while there is something
 * in it. Anybody can fill it. Where more comes than is read in a second, the kernel is told to queue nothing more for
 * that socket, which empties the queue, until the second is over.
 */

import type { AddressFamily } from '../base/address.js'
import { TokenBucket } from '../base/rateLimit.js'
import { asInstant, SECOND } from '../base/time.js'
import { takeQueuedError, type Unreachable } from './errorQueue.js'
import { setErrorQueue } from './socketOptions.js'

export interface IcmpHandlers {
  /** ICMP says of a datagram which that socket sent, or seems to have sent, that it could not be delivered. */
  readonly onUnreachable?: (
    socketId: number,
    remote: Unreachable['remote'],
    what: Unreachable['what'],
  ) => void
  /** More came than is read, and it is not known how many. */
  readonly onIcmpFlood?: () => void
}

/** Of all sockets together, on average and at once. */
const READ_A_SECOND = 256
const PAUSE_MS = 1 * SECOND

interface Listening {
  readonly fd: number
  readonly family: AddressFamily
}

export class IcmpErrors {
  readonly #handlers: IcmpHandlers
  readonly #listening = new Map<number, Listening>()
  readonly #paused = new Set<number>()
  readonly #budget = new TokenBucket(READ_A_SECOND, READ_A_SECOND, asInstant(performance.now()))
  #timer: NodeJS.Timeout | undefined

  constructor(handlers: IcmpHandlers) {
    this.#handlers = handlers
  }

  /** From now on {@link read} is to be called after each failure of that socket. Nothing is done where that cannot be set. */
  listen(socketId: number, fd: number, family: AddressFamily): void {
    if (setErrorQueue(fd, family, true)) this.#listening.set(socketId, { fd, family })
  }

  /** Before the socket is closed. */
  forget(socketId: number): void {
    this.#listening.delete(socketId)
    this.#paused.delete(socketId)
    if (this.#paused.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** A call failed on that socket: empties its queue. */
  read(socketId: number): void {
    const listening = this.#listening.get(socketId)
    if (listening === undefined) return
    const { fd, family } = listening
    for (;;) {
      const error = takeQueuedError(fd, family)
      if (error === undefined) return
      // The kernel had it under way when it was told to queue no more.
      if (this.#paused.has(socketId)) continue
      if (!this.#budget.take(asInstant(performance.now()))) {
        this.#pause(socketId, listening)
        return
      }
      if (error !== 'other') this.#handlers.onUnreachable?.(socketId, error.remote, error.what)
      // Who was told may have closed it.
      if (!this.#listening.has(socketId)) return
    }
  }

  #pause(socketId: number, { fd, family }: Listening): void {
    setErrorQueue(fd, family, false)
    this.#paused.add(socketId)
    this.#handlers.onIcmpFlood?.()
    this.#timer ??= setTimeout(() => this.#resume(), PAUSE_MS).unref()
  }

  #resume(): void {
    this.#timer = undefined
    for (const socketId of this.#paused) {
      const listening = this.#listening.get(socketId)
      if (listening !== undefined) setErrorQueue(listening.fd, listening.family, true)
    }
    this.#paused.clear()
  }
}
