/** Which loopback endpoint is whose, both ways. */

import { type SocketAddress, sameSocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'

export class LoopbackTable {
  readonly #addresses = new Map<PublicKey, SocketAddress>()
  /** By IP address: each peer has one of its own. */
  readonly #peers = new Map<string, PublicKey>()

  open(peer: PublicKey, address: SocketAddress): void {
    this.close(peer)
    this.#addresses.set(peer, address)
    this.#peers.set(address.ip, peer)
  }

  close(peer: PublicKey): void {
    const address = this.#addresses.get(peer)
    if (address === undefined) return
    this.#addresses.delete(peer)
    this.#peers.delete(address.ip)
  }

  has(peer: PublicKey): boolean {
    return this.#addresses.has(peer)
  }

  addressOf(peer: PublicKey): SocketAddress | undefined {
    return this.#addresses.get(peer)
  }

  /** The peer behind an endpoint. */
  peerAt({ ip, port }: SocketAddress): PublicKey | undefined {
    const peer = this.#peers.get(ip)
    return peer !== undefined && this.#addresses.get(peer)?.port === port ? peer : undefined
  }

  isAt(peer: PublicKey, endpoint: SocketAddress | undefined): boolean {
    const address = this.#addresses.get(peer)
    return address !== undefined && endpoint !== undefined && sameSocketAddress(address, endpoint)
  }
}
