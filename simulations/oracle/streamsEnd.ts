/**
 * Streams that stand in for UDP are few, hold little, and end: who had no traffic for {@link IDLE_MS} keeps none.
 */

import { SECOND } from '../../src/base/time.js'
import { MAX_QUEUED } from '../discovery/datagramStream.js'
import { type Host, type Ledger, NEVER } from './ledger.js'

/**
 * WireGuard's keepalive comes 10 s after the last data, and the peer counts as active for 120 s more (src/engine/roam/watch.ts);
 * a session bound at the end of that is taken for ended after 80 s (src/engine/relay/keeping.ts), and whether a stream is
 * of use is looked at every 15 s (src/engine/relay/streams.ts). The rest is for what is on its way.
 */
export const IDLE_MS = (10 + 120 + 80 + 15 + 15) * SECOND

/** `MAX_STREAMS` of src/engine/relay/streams.ts. */
const MOST = 8

export class StreamsEnd {
  /** The most that were seen at one host, and the most bytes that waited in one. */
  readonly statistics = { open: 0, queued: 0 }
  readonly #ledger: Ledger

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  sweep(): void {
    for (const host of this.#ledger.hosts) this.#look(host)
  }

  #look(host: Host): void {
    const { daemon, clock, publicKey } = host.machine
    if (daemon === undefined || clock.asleep) return
    const { open, queued } = daemon.streams
    const { statistics } = this
    if (open > statistics.open) statistics.open = open
    if (queued > statistics.queued) statistics.queued = queued
    if (open > MOST) this.#ledger.report('bounded', host.name, `it has ${open} streams in place of UDP`)
    if (queued > MAX_QUEUED) this.#ledger.report('bounded', host.name, `${queued} bytes wait in a stream`)
    if (open === 0) return
    const { now, happenedAt } = this.#ledger
    let talkedAt = happenedAt
    for (const { peer, talkedAt: there } of host.sides.values())
      talkedAt = Math.max(talkedAt, there, peer.sides.get(publicKey)?.talkedAt ?? NEVER)
    if (now - talkedAt > IDLE_MS)
      this.#ledger.report(
        'streams-end',
        host.name,
        'it had no traffic for 4 minutes, and keeps a stream to a relay',
      )
  }
}
