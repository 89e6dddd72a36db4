/** Two WireGuard interfaces with nothing but a wire between them: what each sends is noted, and arrives after a time. */

import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { type PeerSettings, WireGuard } from '../../../simulations/hosts/wireguard.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'
import { wireguardType } from '../../../src/wire/wireguard.js'

export const ONE_WAY_MS = 50
export const ROUND_TRIP_MS = 2 * ONE_WAY_MS

/** 2026-01-01T00:00:00Z, in milliseconds. */
const UNIX_START = 1_767_225_600_000

export interface Sent {
  readonly atMs: number
  readonly by: End
  readonly to: SocketAddress
  readonly bytes: Uint8Array
}

export interface End {
  readonly name: string
  readonly address: SocketAddress
  readonly clock: HostClock
  readonly wireguard: WireGuard
  /** When packets came out of the tunnel. */
  readonly arrivals: number[]
}

export class Wire {
  readonly queue = new EventQueue(1_000, UNIX_START)
  readonly sent: Sent[] = []
  /** Whether what is sent arrives. */
  carries: (sent: Sent) => boolean = () => true
  readonly ana: End
  readonly ben: End

  /** Each is the other's peer, at its address unless other settings are given. */
  constructor(
    settings: { readonly ana?: PeerSettings; readonly ben?: PeerSettings } = {},
    forgetsKeysInSleep = true,
  ) {
    const ana = this.#end('ana', '192.0.2.1', 1, forgetsKeysInSleep)
    const ben = this.#end('ben', '192.0.2.2', 2, forgetsKeysInSleep)
    this.ana = ana
    this.ben = ben
    ben.wireguard.addPeer(ana.wireguard.publicKey, settings.ben ?? { endpoint: ana.address })
    ana.wireguard.addPeer(ben.wireguard.publicKey, settings.ana ?? { endpoint: ben.address })
  }

  other(end: End): End {
    return end === this.ana ? this.ben : this.ana
  }

  /** Sends a packet through the tunnel. */
  send(from: End): void {
    from.wireguard.sendPacket(this.other(from).wireguard.publicKey, new Uint8Array(32).fill(7))
  }

  /** How long a packet takes from one end to the other; undefined where it does not get there within a second. */
  tripMs(from: End): number | undefined {
    const to = this.other(from)
    const [began, count] = [this.queue.elapsed, to.arrivals.length]
    this.send(from)
    return this.queue.runUntil(() => to.arrivals.length > count, 1_000)
      ? this.queue.elapsed - began
      : undefined
  }

  /** A session that `initiator` began, confirmed, and quiet: what was owed was sent. Returns when it was made. */
  connect(initiator = this.ana): number {
    this.send(initiator)
    const madeAt = this.queue.elapsed + ROUND_TRIP_MS
    this.queue.run(11_000)
    this.sent.length = 0
    return madeAt
  }

  /** Lets time pass until so many milliseconds after the beginning. */
  runTo(ms: number): void {
    this.queue.run(ms - this.queue.elapsed)
  }

  /** When messages of a type were sent, and by whom. */
  sentOf(type: number): readonly (readonly [atMs: number, by: string])[] {
    return this.sent.flatMap(({ atMs, by, bytes }) =>
      wireguardType(bytes) === type ? [[atMs, by.name] as const] : [],
    )
  }

  #end(name: string, ip: string, seed: number, forgetsKeysInSleep: boolean): End {
    const privateKey = seededRandom(seed).bytes(32)
    const clock = new HostClock(this.queue)
    const address = { ip, port: 51_820 }
    const end: End = {
      name,
      address,
      clock,
      arrivals: [],
      wireguard: new WireGuard({
        publicKey: realCryptography.nodeKeys(privateKey).publicKey,
        keys: realCryptography.wireguardKeys(privateKey),
        clock,
        random: seededRandom(seed + 100),
        forgetsKeysInSleep,
        send: (bytes, to) => this.#carry({ atMs: this.queue.elapsed, by: end, to, bytes }),
        onPacket: () => end.arrivals.push(this.queue.elapsed),
      }),
    }
    return end
  }

  #carry(sent: Sent): void {
    this.sent.push(sent)
    const target = [this.ana, this.ben].find(({ address }) => address.ip === sent.to.ip)
    if (target === undefined || !this.carries(sent)) return
    this.queue.in(ONE_WAY_MS, () => {
      if (!target.clock.asleep) target.wireguard.receive(sent.bytes, sent.by.address, target.address.ip)
    })
  }
}
