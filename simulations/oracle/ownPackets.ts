/**
 * No packet of one peer is delivered as another's.
 *
 * What is handed to WireGuard from a peer's loopback endpoint is the peer's; or an attacker's, or one of our own that a
 * gateway turned back to us, which WireGuard refuses; never another peer's. And what comes out of the tunnel with a peer, the peer's application has put into it.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Host, Ledger, Side } from './ledger.js'

const NAME = 'own-packets'

/** WireGuard keeps the newest 128 packets for a peer, for as long as its host sleeps; some more are on their way. */
const UNDER_WAY = 1_024

export class OwnPackets {
  readonly statistics = { delivered: 0, entered: 0, emerged: 0 }
  readonly #ledger: Ledger
  /** Packets that a side sent and that may still come out; the oldest first. */
  readonly #entered = new WeakMap<Side, Set<number>>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  delivered(host: Host, key: PublicKey, author: string): void {
    this.statistics.delivered += 1
    const writer = this.#ledger.host(author)
    if (writer === undefined || writer === host || writer.machine.publicKey === key) return
    const peer = this.#ledger.withKey(key)?.name ?? key
    this.#ledger.report(
      NAME,
      host.name,
      `a message of ${author} was handed to WireGuard as if it were ${peer}'s`,
    )
  }

  entered(side: Side, packet: Uint8Array): void {
    this.statistics.entered += 1
    let entered = this.#entered.get(side)
    if (entered === undefined) {
      entered = new Set()
      this.#entered.set(side, entered)
    }
    const content = contentOf(packet)
    entered.delete(content)
    entered.add(content)
    if (entered.size <= UNDER_WAY) return
    const oldest = entered.values().next()
    if (!oldest.done) entered.delete(oldest.value)
  }

  /** A packet came out of the tunnel at `side.host`. */
  emerged({ host, peer }: Side, packet: Uint8Array): void {
    this.statistics.emerged += 1
    const sender = peer.sides.get(host.machine.publicKey)
    if (sender !== undefined && this.#entered.get(sender)?.has(contentOf(packet)) === true) return
    this.#ledger.report(
      NAME,
      host.name,
      `a packet came out of the tunnel with ${peer.name}, who never sent it`,
    )
  }
}

/** FNV-1a over the whole packet: of a thousand packets no two are taken for each other. */
function contentOf(packet: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of packet) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash
}
