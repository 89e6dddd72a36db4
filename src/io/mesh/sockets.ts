/**
 * The TCP sockets that are open, to be closed when the machine loses the address at their end. Nothing else would: no
 * segment leaves from an address that is gone, and the kernel retransmits for a quarter of an hour. libp2p's connections
 * do not tell their local address; their sockets do.
 *
 * They are also counted by where they come from: identities cost nothing, and without a limit for each address one machine
 * could take all the connections that a node has.
 */

import type { Socket } from 'node:net'
import { canonicalIp, senderBlock } from '../../base/address.js'

export class Sockets {
  readonly #open = new Set<Socket>()

  /** How many are open to each sender's block. */
  readonly #counts = new Map<string, number>()
  #closed = false

  add(socket: Socket): void {
    if (this.#closed) socket.destroy()
    if (socket.destroyed || this.#open.has(socket)) return
    const ip = canonicalIp(socket.remoteAddress ?? '')
    const block = ip === undefined ? '' : senderBlock(ip)
    this.#open.add(socket)
    this.#counts.set(block, (this.#counts.get(block) ?? 0) + 1)
    socket.once('close', () => {
      this.#open.delete(socket)
      const left = (this.#counts.get(block) ?? 1) - 1
      if (left > 0) this.#counts.set(block, left)
      else this.#counts.delete(block)
    })
  }

  /** How many are open to an address, or its /64. */
  countTo(ip: string): number {
    return this.#counts.get(senderBlock(ip)) ?? 0
  }

  /** Closes all, and those that are still opened: libp2p forgets what is under way when it stops. */
  close(): void {
    this.#closed = true
    for (const socket of this.#open) socket.destroy()
  }

  /** Closes those whose local address `has` denies, and returns how many. What libp2p has over them ends at once. */
  closeAllBut(has: (ip: string) => boolean): number {
    const lost = [...this.#open].filter(
      ({ localAddress }) => localAddress !== undefined && !has(localAddress),
    )
    for (const socket of lost) socket.destroy(new Error('the machine has lost the address of this end'))
    return lost.length
  }
}
