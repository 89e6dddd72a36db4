/**
 * circuit-relay-v2's server, which runs while the node serves. Once stopped it cannot be started again: each time is a new one.
 *
 * Its store of reservations has two faults that are mended here.
 *
 *   1. A reservation stays for its whole time when its owner has gone. Whoever connects under one identity after the other
 *      would fill the store for a quarter of an hour. Here it ends with the last connection, without which nobody is
 *      relayed anyway, and there are never more reservations than connections.
 *   2. The timer of a reservation that was renewed twice is not stopped (`retimeableSignal.reset` removes the first
 *      listener only), and ends the reservation long before its time: one that is renewed every ten minutes would be
 *      missing for five minutes of each half an hour. Here a renewal takes the place of the one before.
 */

import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { type PeerId, start, stop } from '@libp2p/interface'
import { MINUTE } from '../../base/time.js'
import type { Parts } from './parts.js'
import { relayingOverNewest } from './returns.js'

/** How long a reservation at a relay lasts. Its client renews it five minutes before its end. */
const RESERVATION_TTL_MS = 15 * MINUTE
const MAX_RESERVATIONS = 4096
/** A relayed connection that is still open makes the next knock one round trip instead of three; the default is 2 min. */
const RELAYED_CONNECTION_MS = 15 * MINUTE

const makeServer = relayingOverNewest(
  circuitRelayServer({
    reservations: {
      maxReservations: MAX_RESERVATIONS,
      reservationTtl: RESERVATION_TTL_MS,
      defaultDurationLimit: RELAYED_CONNECTION_MS,
    },
    // Of one client: one for each peer to which it holds a relayed connection.
    maxInboundHopStreams: 64,
  }),
)

/** libp2p's parts, as a relay server needs them. */
export type RelayServerParts = Parameters<typeof makeServer>[0]

export class RelayServer {
  readonly #parts: RelayServerParts
  #running: ReturnType<typeof makeServer> | undefined

  constructor(parts: RelayServerParts & Pick<Parts, 'events'>) {
    this.#parts = parts
    parts.events.addEventListener('peer:disconnect', ({ detail: peer }) => this.release(peer))
  }

  /** How many hold a reservation here. */
  get reservations(): number {
    return this.#running?.reservations.size ?? 0
  }

  /** Ends the reservation of a peer, if it has one. To be called before it is given a new one, too. */
  release(peer: PeerId): void {
    const reservations = this.#running?.reservations
    const former = reservations?.get(peer)
    if (former === undefined) return
    if ('clear' in former.signal && typeof former.signal.clear === 'function') former.signal.clear()
    reservations?.delete(peer)
  }

  /** Begins to relay, or stops: reservations and what is relayed end at once. */
  async setServing(serves: boolean): Promise<void> {
    if (serves === (this.#running !== undefined)) return
    const former = this.#running
    this.#running = serves ? makeServer(this.#parts) : undefined
    await (serves ? start(this.#running) : stop(former))
  }
}
