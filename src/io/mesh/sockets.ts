/**
 * The TCP sockets that are open, to be closed when the machine loses the address at their end. Nothing else would: no
 * segment leaves from an address that is gone, and the kernel retransmits for a quarter of an hour. libp2p's connections
 * do not tell their local address; their sockets do.
 */

import type { Socket } from 'node:net'

export class Sockets {
  readonly #open = new Set<Socket>()

  add(socket: Socket): void {
    if (socket.destroyed) return
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
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
