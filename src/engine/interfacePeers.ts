/** Which peers the WireGuard interface has: what comes and goes with each of them. */

import type { SocketAddress } from '../base/address.js'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import type { Now } from '../base/time.js'
import { mac1Key, mac1Matches } from '../crypto/mac1.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import type { Discovery } from './discovery.js'
import type { InterfacePeer } from './inputs.js'
import type { LoopbackEndpoints } from './loopback/endpoints.js'
import type { Strangers } from './loopback/strangers.js'
import type { PairNames } from './pairNames.js'
import { Peer, type PeerContext } from './peer.js'

/** Loopback endpoints that are tried for a peer before it is given up. */
const MAX_LOOPBACK_TRIES = 8

export interface InterfacePeersParts {
  readonly keys: NodeKeys
  /** Filled and emptied here. */
  readonly peers: Map<PublicKey, Peer>
  readonly context: PeerContext
  readonly endpoints: LoopbackEndpoints
  readonly strangers: Strangers
  readonly names: PairNames<Peer>
  readonly discovery: Discovery<Peer>
}

export class InterfacePeers {
  readonly #parts: InterfacePeersParts
  /** mac1 keys of the peers, for first messages on the catch-all endpoint. */
  readonly #mac1Keys = new Map<PublicKey, Uint8Array>()
  readonly #loopbackFailures = new Map<PublicKey, number>()

  constructor(parts: InterfacePeersParts) {
    this.#parts = parts
  }

  /** The peer to which a first message of our WireGuard's is addressed. */
  addressedBy(firstMessage: Uint8Array): Peer | undefined {
    for (const [key, mac1] of this.#mac1Keys)
      if (mac1Matches(mac1, firstMessage)) return this.#parts.peers.get(key)
    return undefined
  }

  /** The interface has these peers, and no others. */
  read(present: readonly InterfacePeer[], now: Now): void {
    const { peers, discovery } = this.#parts
    const { takeover } = this.#parts.context
    const names = new Set(present.map(({ publicKey }) => publicKey))
    for (const key of [...peers.keys()]) if (!names.has(key)) this.#remove(key)
    for (const entry of present) {
      const peer = peers.get(entry.publicKey) ?? this.#add(entry.publicKey, now)
      if (peer === undefined) continue
      const former = takeover.former(entry.publicKey)
      takeover.read(entry, peer.isReached, now.unix)
      if (takeover.former(entry.publicKey) !== former) peer.offerCandidates(now)
      discovery.lookAfter(peer, now)
      peer.settle(now)
    }
  }

  #add(key: PublicKey, now: Now): Peer | undefined {
    const { endpoints, names, discovery, context } = this.#parts
    const keys = this.#parts.keys.pairKeys(key)
    if (keys === undefined) {
      this.#warn('a peer with a degenerate key, or our own, is ignored', key)
      return undefined
    }
    const loopback = endpoints.assign(key)
    if (loopback === undefined) {
      this.#warn('no loopback endpoint is left: a peer is ignored', key)
      return undefined
    }
    const peer = new Peer(key, loopback, keys, context)
    this.#parts.peers.set(key, peer)
    this.#mac1Keys.set(key, mac1Key(publicKeyBytes(key)))
    names.add(peer, keys.incoming)
    discovery.add(key, keys, now)
    // An earlier run may have known where it is.
    peer.offerCandidates(now)
    this.#open(peer, peer.loopback)
    return peer
  }

  #remove(key: PublicKey): void {
    const { peers, context, endpoints, names, strangers, discovery } = this.#parts
    const peer = peers.get(key)
    if (peer === undefined) return
    peer.close()
    peers.delete(key)
    this.#mac1Keys.delete(key)
    names.remove(peer)
    strangers.forget(key)
    discovery.remove(key)
    context.takeover.forget(key)
    endpoints.release(key)
    this.#loopbackFailures.delete(key)
    context.emit({ type: 'close-loopback', peer: key })
  }

  /** Something else has the peer's loopback endpoint: it gets another one. */
  loopbackFailed(key: PublicKey): void {
    const peer = this.#parts.peers.get(key)
    if (peer === undefined) return
    const failures = (this.#loopbackFailures.get(key) ?? 0) + 1
    this.#loopbackFailures.set(key, failures)
    const loopback = failures < MAX_LOOPBACK_TRIES ? this.#parts.endpoints.reassign(key) : undefined
    if (loopback === undefined) {
      this.#warn('no loopback endpoint can be opened for a peer', key)
      return
    }
    peer.loopback = loopback
    this.#open(peer, loopback)
    this.#parts.context.takeover.moved(key)
  }

  #open({ key }: Peer, address: SocketAddress): void {
    this.#parts.context.emit({ type: 'open-loopback', peer: key, address })
  }

  #warn(message: string, peer: PublicKey): void {
    this.#parts.context.emit({ type: 'log', level: 'warn', message, fields: { peer } })
  }
}
