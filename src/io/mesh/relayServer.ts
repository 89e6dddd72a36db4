/** circuit-relay-v2's server, which runs while the node serves. Once stopped it cannot be started again: each time is a new one. */

import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { start, stop } from '@libp2p/interface'
import { MINUTE } from '../../base/time.js'
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

  constructor(parts: RelayServerParts) {
    this.#parts = parts
  }

  /** Begins to relay, or stops: reservations and what is relayed end at once. */
  async setServing(serves: boolean): Promise<void> {
    if (serves === (this.#running !== undefined)) return
    const former = this.#running
    this.#running = serves ? makeServer(this.#parts) : undefined
    await (serves ? start(this.#running) : stop(former))
  }
}
