/** A host with a WireGuard interface, and an application that pings through it. */

import type { SocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import type { WireGuardKeys } from '../crypto/cryptography.js'
import { Host, type HostOptions } from './host.js'
import { type Ping, Pinger } from './pinger.js'
import { WireGuard } from './wireguard.js'

export const WIREGUARD_PORT = 51_820

/** What takes the messages that WireGuard sends to loopback addresses. */
export type LoopbackReceiver = (to: SocketAddress, datagram: Uint8Array) => void

export interface WireGuardHostOptions extends HostOptions {
  readonly publicKey: PublicKey
  readonly keys: WireGuardKeys
  readonly random: Random
  /** See {@link WireGuardOptions.forgetsKeysInSleep}. */
  readonly forgetsKeysInSleep?: boolean
}

export class WireGuardHost extends Host {
  readonly wireguard: WireGuard
  readonly pinger: Pinger
  /** Undefined where nobody listens there, and the messages are lost. */
  loopback: LoopbackReceiver | undefined = undefined

  constructor(options: WireGuardHostOptions) {
    super(options)
    const { publicKey, keys, clock, random, forgetsKeysInSleep = true } = options
    this.wireguard = new WireGuard({
      publicKey,
      keys,
      clock,
      random,
      forgetsKeysInSleep,
      send: (datagram, to, source) => this.#wireguardSends(datagram, to, source),
      onPacket: (peer, packet) => this.#emerged(peer, packet),
    })
    this.pinger = new Pinger({
      elapsed: () => clock.elapsed,
      send: (peer, packet) => this.#enters(peer, packet),
    })
    this.bind(WIREGUARD_PORT, ({ from, to, bytes }) => this.wireguard.receive(bytes, from, to.ip))
  }

  get publicKey(): PublicKey {
    return this.wireguard.publicKey
  }

  /** See {@link Pinger.ping}. */
  ping(peer: PublicKey, onAnswer?: (ping: Ping) => void): Ping {
    return this.pinger.ping(peer, onAnswer)
  }

  /** The pings that were sent, while the pinger keeps them. */
  get pings(): readonly Ping[] {
    return this.pinger.history ?? []
  }

  #wireguardSends(datagram: Uint8Array, to: SocketAddress, source: string | undefined): void {
    if (to.ip.startsWith('127.')) this.loopback?.(to, datagram)
    else this.sendFromAny(WIREGUARD_PORT, to, datagram, source)
  }

  /** While the host sleeps, no application runs. */
  #enters(peer: PublicKey, packet: Uint8Array): void {
    if (this.clock.asleep) return
    for (const observer of this.observers) observer.entered?.(this.name, peer, packet)
    this.wireguard.sendPacket(peer, packet)
  }

  #emerged(peer: PublicKey, packet: Uint8Array): void {
    for (const observer of this.observers) observer.emerged?.(this.name, peer, packet)
    this.pinger.received(peer, packet)
  }
}
