/**
 * Which loopback endpoint a peer has.
 *
 * Each peer has an address of its own, because WireGuard under load allows 20 handshakes a second for each source
 * address, and because then the address alone names the peer. The address comes from the public key, so it is the same
 * after a restart. Where 127.0.0.0/8 cannot be used, each peer has a port of its own on ::1 instead.
 */

import { isPort, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { type PublicKey, publicKeyBytes } from '../../base/publicKey.js'

/**
 * - `range`: 127.x.y.z, all on `port`; the catch-all is 127.0.0.1 on it
 * - `ports`: ::1 on the {@link LOOPBACK_PORTS} ports above `port`; the catch-all is `port` itself
 */
export interface LoopbackPlan {
  readonly style: 'range' | 'ports'
  readonly port: number
}

/** How many ports of ::1 peers share where each needs one. */
export const LOOPBACK_PORTS = 4_096

export class LoopbackEndpoints {
  readonly #plan: LoopbackPlan
  readonly #byPeer = new Map<PublicKey, SocketAddress>()
  readonly #taken = new Set<string>()

  constructor(plan: LoopbackPlan) {
    this.#plan = plan
  }

  /** Where WireGuard may send for any peer. */
  get catchAll(): SocketAddress {
    return { ip: this.#plan.style === 'range' ? '127.0.0.1' : '::1', port: this.#plan.port }
  }

  /** The peer's endpoint, given now if it had none. Undefined where all that can be given are taken. */
  assign(peer: PublicKey): SocketAddress | undefined {
    const known = this.#byPeer.get(peer)
    if (known !== undefined) return known
    for (const address of this.#choices(peer)) {
      const name = `${address.ip} ${address.port}`
      if (this.#taken.has(name)) continue
      this.#taken.add(name)
      this.#byPeer.set(peer, address)
      return address
    }
    return undefined
  }

  /** Gives the peer another endpoint, because something else has the one that it was given. */
  reassign(peer: PublicKey): SocketAddress | undefined {
    // The former one stays taken: it is of no use to any peer.
    this.#byPeer.delete(peer)
    return this.assign(peer)
  }

  release(peer: PublicKey): void {
    const address = this.#byPeer.get(peer)
    if (address === undefined) return
    this.#byPeer.delete(peer)
    this.#taken.delete(`${address.ip} ${address.port}`)
  }

  /** True for an endpoint that can only be ours: the peer's own, or any of the range on our port (a former run's). */
  isOurs(peer: PublicKey, endpoint: SocketAddress): boolean {
    const own = this.#byPeer.get(peer)
    // Also on the port that an earlier run had.
    if (this.#plan.style === 'range' && own?.ip === endpoint.ip) return true
    if (own !== undefined && sameSocketAddress(own, endpoint)) return true
    if (this.#plan.style === 'ports') {
      return (
        endpoint.ip === '::1' &&
        endpoint.port >= this.#plan.port &&
        endpoint.port <= this.#plan.port + LOOPBACK_PORTS
      )
    }
    return endpoint.port === this.#plan.port && endpoint.ip.startsWith('127.')
  }

  /** The endpoints to try for a peer, the preferred one first; a repeatable order. */
  *#choices(peer: PublicKey): Generator<SocketAddress> {
    const key = publicKeyBytes(peer)
    const view = new DataView(key.buffer, key.byteOffset, key.length)
    if (this.#plan.style === 'range') {
      // 127.1.0.0 to 127.254.255.255, less the hosts .0 and .255 which some take for a network and a broadcast.
      const blocks = 254 * 256
      const hosts = 254
      const start = view.getUint32(0) % (blocks * hosts)
      for (let step = 0; step < blocks * hosts; step++) {
        const at = (start + step) % (blocks * hosts)
        const block = Math.floor(at / hosts)
        const ip = `127.${1 + Math.floor(block / 256)}.${block % 256}.${1 + (at % hosts)}`
        yield { ip, port: this.#plan.port }
      }
      return
    }
    const start = view.getUint32(0) % LOOPBACK_PORTS
    for (let step = 0; step < LOOPBACK_PORTS; step++) {
      const port = this.#plan.port + 1 + ((start + step) % LOOPBACK_PORTS)
      if (isPort(port)) yield { ip: '::1', port }
    }
  }
}
