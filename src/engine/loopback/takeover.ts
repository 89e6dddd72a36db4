/**
 * Whose endpoint in WireGuard is ours to set.
 *
 * A peer is *managed* while WireGuard sends to its loopback endpoint. It is *external* while it speaks to WireGuard's own
 * port: WireGuard then sends to where it heard it from, and we leave it alone. An external peer becomes managed when it
 * says that it runs Tunnelbore (a record newer than we knew, or a knock), or when its session has died.
 *
 * What an endpoint was before is kept, and put back at the end. An endpoint of ours, from a run that could not clean up,
 * is never taken for a former one.
 */

import { type SocketAddress, sameSocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import { elapsed, SECOND, type UnixTime } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { InterfacePeer } from '../inputs.js'
import type { LoopbackEndpoints } from './endpoints.js'

/** WireGuard's REJECT_AFTER_TIME: without a new handshake a session is dead (whitepaper section 6.1). */
const SESSION_MS = 180 * SECOND

interface Tenure {
  /** What to put back; undefined where there was none. */
  former: SocketAddress | undefined
  /** True while the peer speaks to WireGuard's own port. */
  external: boolean
}

export class Takeover {
  readonly #endpoints: LoopbackEndpoints
  readonly #emit: Emit
  readonly #remembered: Map<PublicKey, SocketAddress | undefined>
  readonly #tenures = new Map<PublicKey, Tenure>()

  /** `remembered` are the former endpoints that an earlier run noted down. */
  constructor(
    endpoints: LoopbackEndpoints,
    remembered: ReadonlyMap<PublicKey, SocketAddress | undefined>,
    emit: Emit,
  ) {
    this.#endpoints = endpoints
    this.#remembered = new Map(remembered)
    this.#emit = emit
  }

  /** WireGuard's interface was read. `reached` says that checks of ours reach the peer: then it runs Tunnelbore. */
  read(peer: InterfacePeer, reached: boolean, now: UnixTime): void {
    const { publicKey, endpoint } = peer
    let tenure = this.#tenures.get(publicKey)
    if (tenure === undefined) {
      tenure = { former: this.#remembered.get(publicKey), external: false }
      this.#tenures.set(publicKey, tenure)
    }
    const isForeign = endpoint === undefined ? peer.isLinkLocal : !this.#endpoints.isOurs(publicKey, endpoint)
    // A link-local one means something on this machine only: it is kept where it was read.
    if (isForeign && endpoint !== undefined) {
      // The same address stays the same object, by which it is seen that nothing changed.
      const known = tenure.former
      if (known === undefined || !sameSocketAddress(known, endpoint)) tenure.former = endpoint
    }
    const isLive = peer.latestHandshake !== undefined && elapsed(peer.latestHandshake, now) < SESSION_MS
    tenure.external = isForeign && isLive && !reached
    if (!tenure.external) this.#take(publicKey, endpoint)
  }

  /** The peer says that it runs Tunnelbore. True where it was external. */
  reclaim(peer: PublicKey): boolean {
    const tenure = this.#tenures.get(peer)
    if (tenure?.external !== true) return false
    tenure.external = false
    this.#take(peer, undefined)
    return true
  }

  /** The peer has another loopback endpoint now. */
  moved(peer: PublicKey): void {
    if (this.#tenures.get(peer)?.external === false) this.#take(peer, undefined)
  }

  isExternal(peer: PublicKey): boolean {
    return this.#tenures.get(peer)?.external === true
  }

  /** The endpoint that the user, or WireGuard itself, gave the peer before us: a place to look for it. */
  former(peer: PublicKey): SocketAddress | undefined {
    return this.#tenures.get(peer)?.former
  }

  forget(peer: PublicKey): void {
    this.#tenures.delete(peer)
    this.#remembered.delete(peer)
  }

  /** What is to be put back at the end: every managed peer's former endpoint, undefined where there was none. */
  get toRestore(): ReadonlyMap<PublicKey, SocketAddress | undefined> {
    const managed = [...this.#tenures].filter(([, tenure]) => !tenure.external)
    return new Map(managed.map(([peer, tenure]) => [peer, tenure.former]))
  }

  #take(peer: PublicKey, present: SocketAddress | undefined): void {
    const own = this.#endpoints.assign(peer)
    if (own === undefined) return
    if (present !== undefined && sameSocketAddress(present, own)) return
    this.#emit({ type: 'set-endpoint', peer, endpoint: own })
  }
}
