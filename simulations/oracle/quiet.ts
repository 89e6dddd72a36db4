/**
 * Quiet: where there was no traffic for {@link QUIET_MS}, nothing is sent. Two peers send each other nothing, and a node
 * that has nothing to do with anybody sends nobody anything: its record is published over libp2p, and its mappings die.
 * Nor does a node keep sessions at relays for peers that it has no traffic with, though the relays answer.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { MINUTE } from '../../src/base/time.js'
import { SHARED_PORT } from '../hosts/engineLoop.js'
import type { Datagram } from '../network/datagram.js'
import { type Host, type Ledger, NEVER } from './ledger.js'

const NAME = 'quiet'

/** A path is watched for two minutes after the last message (src/engine/roam/watch.ts), and an attempt takes 12 s. */
export const QUIET_MS = 3 * MINUTE

export class Quiet {
  readonly statistics = { sent: 0 }
  readonly #ledger: Ledger

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** A datagram left a host. */
  sent(host: Host, { to }: Datagram): void {
    this.statistics.sent += 1
    if (this.#isRelayed(to)) this.#sentToRelay(host, to)
    if (this.#ledger.now - host.activeAt <= QUIET_MS) return
    const minutes = Math.floor((this.#ledger.now - host.activeAt) / MINUTE)
    this.#report(host, `it had nothing to do for ${minutes} minutes, and sent something to ${to.ip}`)
  }

  /** A datagram came in, and `author` is a machine. */
  arrived(host: Host, author: Host): void {
    const { now, happenedAt } = this.#ledger
    const there = host.sides.get(author.machine.publicKey)
    const here = author.sides.get(host.machine.publicKey)
    // What is meant for another one comes to whoever has the same private address in another network.
    if (here?.isOnInterface !== true) return
    const talkedAt = Math.max(there?.talkedAt ?? NEVER, here?.talkedAt ?? NEVER, happenedAt)
    if (now - talkedAt > QUIET_MS)
      this.#report(author, `it sent something to ${host.name}, with whom there was no traffic for 3 minutes`)
  }

  /** What goes to a server, and not to where it reflects and gives sessions, is for one of its sessions. */
  #isRelayed({ ip, port }: SocketAddress): boolean {
    if (port === SHARED_PORT) return false
    return this.#ledger.world.servers.some(({ place }) => place.ips.includes(ip))
  }

  #sentToRelay(host: Host, to: SocketAddress): void {
    const { now, happenedAt } = this.#ledger
    let talkedAt = happenedAt
    for (const { peer, talkedAt: there } of host.sides.values()) {
      const back = peer.sides.get(host.machine.publicKey)
      talkedAt = Math.max(talkedAt, there, back?.talkedAt ?? NEVER)
    }
    if (now - talkedAt > QUIET_MS)
      this.#report(host, `it had no traffic for 3 minutes, and sent something to the relay ${to.ip}`)
  }

  #report(host: Host, message: string): void {
    this.#ledger.report(NAME, host.name, message)
  }
}
