/**
 * A WireGuard interface as seen from outside: its messages at the right times, after the whitepaper and the kernel.
 *
 * First messages are made and read by {@link WireGuardKeys}. A second message and data are authenticated by what only
 * the two can compute, which stands in for the encryption. What a peer does when is in wireguardPeer.ts.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import { mac1Key, mac1Matches } from '../../src/crypto/mac1.js'
import type { InterfacePeer } from '../../src/engine/inputs.js'
import { receiverIndex, wireguardType } from '../../src/wire/wireguard.js'
import type { WireGuardKeys } from '../crypto/cryptography.js'
import type { HostClock } from './clock.js'
import { type PeerContext, WireGuardPeer } from './wireguardPeer.js'

/** What the user sets for a peer. */
export interface PeerSettings {
  readonly endpoint?: SocketAddress
  /** PersistentKeepalive; absent for off. */
  readonly keepaliveMs?: number
}

export interface WireGuardOptions {
  readonly publicKey: PublicKey
  readonly keys: WireGuardKeys
  readonly clock: HostClock
  readonly random: Random
  /**
   * False for a kernel that sleeps again and again as a part of its work (CONFIG_PM_AUTOSLEEP: phones). All others
   * forget all keys when they are suspended (device.c, wg_pm_notification).
   */
  readonly forgetsKeysInSleep?: boolean
  readonly send: PeerContext['send']
  readonly onPacket: PeerContext['onPacket']
}

export class WireGuard {
  readonly publicKey: PublicKey
  /** Told after each change of what `wg show` prints. */
  onChange: () => void = () => undefined
  readonly #options: WireGuardOptions
  readonly #context: PeerContext
  readonly #mac1Key: Uint8Array
  readonly #peers = new Map<PublicKey, WireGuardPeer>()
  readonly #settings = new Map<PublicKey, PeerSettings>()
  /** What `wg show … dump` printed last; undefined where it would print something else now. */
  #shown: readonly InterfacePeer[] | undefined = undefined

  constructor(options: WireGuardOptions) {
    const { publicKey, keys, clock, random, send, onPacket } = options
    this.publicKey = publicKey
    this.#options = options
    this.#mac1Key = mac1Key(publicKeyBytes(publicKey))
    const onChange = (): void => this.#changed()
    const [handshakes, sessions] = [new Map<number, WireGuardPeer>(), new Map<number, WireGuardPeer>()]
    this.#context = { keys, clock, random, handshakes, sessions, send, onPacket, onChange }
  }

  /** Adds a peer, in place of one with the same key. */
  addPeer(key: PublicKey, settings: PeerSettings = {}): void {
    this.#settings.set(key, settings)
    this.#setUp(key, settings.endpoint)
  }

  removePeer(key: PublicKey): void {
    this.#settings.delete(key)
    this.#peers.get(key)?.stop()
    this.#peers.delete(key)
    this.#changed()
  }

  setEndpoint(key: PublicKey, endpoint: SocketAddress): void {
    this.#peers.get(key)?.setEndpoint(endpoint)
  }

  /**
   * Takes a peer's endpoint away, as src/io/wireguard/endpoints.ts does: it is removed and added again, which ends its
   * session and loses the memory of its last handshake.
   */
  clearEndpoint(key: PublicKey): void {
    if (this.#peers.get(key)?.endpoint !== undefined) this.#setUp(key, undefined)
  }

  /** What `wg show … dump` prints. The same object as before, unless something changed. */
  get peers(): readonly InterfacePeer[] {
    this.#shown ??= [...this.#peers.values()].map(({ key, endpoint, latestHandshake }) => ({
      publicKey: key,
      endpoint,
      isLinkLocal: false,
      latestHandshake,
    }))
    return this.#shown
  }

  endpointOf(key: PublicKey): SocketAddress | undefined {
    return this.#peers.get(key)?.endpoint
  }

  /** The host is about to be suspended. */
  suspend(): void {
    if (this.#options.forgetsKeysInSleep === false) return
    for (const peer of this.#peers.values()) peer.suspend()
  }

  /** The host goes down: nothing of it is left but what the user has set. */
  shutDown(): void {
    for (const peer of this.#peers.values()) peer.stop()
    this.#peers.clear()
    this.#changed()
  }

  /** The host comes up again. */
  startUp(): void {
    for (const [key, { endpoint }] of this.#settings) this.#setUp(key, endpoint)
  }

  /** Sends a packet through the tunnel, or keeps it until there is a session. */
  sendPacket(key: PublicKey, packet: Uint8Array): void {
    this.#peers.get(key)?.sendPacket(packet)
  }

  /** A message came to WireGuard's port, from the network at `source`, or from a loopback endpoint. */
  receive(datagram: Uint8Array, from: SocketAddress, source?: string): void {
    switch (wireguardType(datagram)) {
      case 4:
        this.#context.sessions.get(receiverIndex(datagram))?.dataReceived(datagram, from, source)
        break
      case 1:
        this.#firstMessageReceived(datagram, from, source)
        break
      case 2:
        if (!mac1Matches(this.#mac1Key, datagram)) break
        this.#context.handshakes.get(receiverIndex(datagram))?.secondMessageReceived(datagram, from, source)
        break
    }
  }

  #firstMessageReceived(datagram: Uint8Array, from: SocketAddress, source: string | undefined): void {
    if (!mac1Matches(this.#mac1Key, datagram)) return
    const opened = this.#context.keys.openInitiation(datagram)
    if (isDropped(opened)) return
    this.#peers.get(opened.peer)?.firstMessageReceived(datagram, opened.timestamp, from, source)
  }

  #setUp(key: PublicKey, endpoint: SocketAddress | undefined): void {
    this.#peers.get(key)?.stop()
    this.#peers.delete(key)
    const peer = new WireGuardPeer(key, endpoint, this.#settings.get(key)?.keepaliveMs ?? 0, this.#context)
    this.#peers.set(key, peer)
    this.#changed()
    peer.start()
  }

  #changed(): void {
    this.#shown = undefined
    this.onChange()
  }
}
