/**
 * Streams that stand in for UDP are few, hold little, and end: who had no traffic for {@link IDLE_MS} keeps none.
 */

import { SECOND } from '../../src/base/time.js'
import { MAX_QUEUED } from '../discovery/datagramStream.js'
import { type Host, type Ledger, NEVER } from './ledger.js'
import { QUIET_MS } from './quiet.js'

/** Whether a stream is of use is looked at every 15 s (src/engine/relay/streams.ts). */
export const IDLE_MS = QUIET_MS + 30 * SECOND

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
        'it had no traffic for 3 minutes, and keeps a stream to a relay',
      )
  }
}
