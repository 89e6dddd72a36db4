/**
 * What must hold at every moment of a run, whatever was done to the world: checked after every event, of which each
 * invariant looks at what the event touched. What takes time is looked at once a second.
 *
 *   authentic-paths    nothing unauthenticated becomes a path
 *   authentic-records  nothing unauthenticated becomes a record
 *   own-packets        no packet of one peer is delivered as another's
 *   connected          whenever a way has existed for a stated time
 *   bounded            packets, mappings, errands
 *   no-livelock        wake-ups
 *   quiet              no traffic, no packets
 *   no-replay          a gossiped knock that is not new causes no packets
 *   informed           who is in the mesh is known to its peers
 *   gets-ahead         an author who lost his disk overtakes his own old record
 *   settled            after the last fault, paths stay
 *   streams-end        a stream that stands in for UDP is closed when nobody uses it
 *   released           who ends has its port at the gateway closed
 *   hedges-end         two paths are used for a moment only
 *   directly           no relay where there has been a direct way for a stated time
 */

import type { SocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Datagram } from '../network/datagram.js'
import type { Observer } from '../observer.js'
import { AuthenticPaths } from './authenticPaths.js'
import { AuthenticRecords } from './authenticRecords.js'
import { Conditions } from './conditions.js'
import { Connected } from './connected.js'
import { Directly } from './directly.js'
import { ErrandBounds } from './errandBounds.js'
import { GossipedKnocks } from './gossipedKnocks.js'
import { Hedges } from './hedges.js'
import { Informed } from './informed.js'
import { Ledger, type Violation } from './ledger.js'
import { OwnPackets } from './ownPackets.js'
import { PacketBounds } from './packetBounds.js'
import { Quiet } from './quiet.js'
import { Settled } from './settled.js'
import { StreamsEnd } from './streamsEnd.js'
import { WakeUps } from './wakeUps.js'
import type { WatchedWorld } from './watched.js'
import type { Ways } from './ways.js'

const SWEEP_MS = 1 * SECOND
/** Gateways are asked for their mappings at each so many sweeps. */
const GATEWAY_SWEEPS = 10

export class Invariants implements Observer {
  readonly #ledger: Ledger
  readonly #conditions: Conditions
  readonly #paths: AuthenticPaths
  readonly #records: AuthenticRecords
  readonly #packets: OwnPackets
  readonly #connected: Connected
  readonly #packetBounds: PacketBounds
  readonly #errandBounds: ErrandBounds
  readonly #wakeUps: WakeUps
  readonly #quiet: Quiet
  readonly #settled: Settled
  readonly #gossipedKnocks: GossipedKnocks
  readonly #informed: Informed
  readonly #hedges: Hedges
  readonly #directly: Directly
  readonly #streams: StreamsEnd
  #sweptAt = 0
  #sweeps = 0

  constructor(world: WatchedWorld) {
    const ledger = new Ledger(world)
    this.#ledger = ledger
    this.#conditions = new Conditions(ledger)
    this.#connected = new Connected(ledger, this.#conditions)
    this.#settled = new Settled(ledger, this.#conditions, this.#connected)
    this.#paths = new AuthenticPaths(ledger, (side, remote) => this.#settled.changed(side, remote))
    this.#records = new AuthenticRecords(ledger)
    this.#packets = new OwnPackets(ledger)
    this.#packetBounds = new PacketBounds(ledger)
    this.#errandBounds = new ErrandBounds(ledger)
    this.#wakeUps = new WakeUps(ledger)
    this.#quiet = new Quiet(ledger)
    this.#gossipedKnocks = new GossipedKnocks(ledger)
    this.#informed = new Informed(ledger, this.#conditions)
    this.#hedges = new Hedges(ledger)
    this.#directly = new Directly(ledger, this.#conditions, this.#connected)
    this.#streams = new StreamsEnd(ledger)
  }

  /** The first one; the run is to stop at it. */
  get violation(): Violation | undefined {
    return this.#ledger.violation
  }

  get statistics() {
    return {
      paths: this.#paths.statistics,
      records: this.#records.statistics,
      packets: this.#packets.statistics,
      connected: this.#connected.statistics,
      bounds: { ...this.#packetBounds.statistics, ...this.#errandBounds.statistics },
      wakeUps: this.#wakeUps.statistics,
      quiet: this.#quiet.statistics,
      settled: this.#settled.statistics,
      gossipedKnocks: this.#gossipedKnocks.statistics,
      informed: this.#informed.statistics,
      hedges: this.#hedges.statistics,
      directly: this.#directly.statistics,
      streams: this.#streams.statistics,
    }
  }

  /** Between whom there can be a direct path. */
  get ways(): Ways {
    return this.#conditions.ways
  }

  /** To be called at the end of a run. */
  finish(): void {
    this.#sweep(true)
  }

  sent(name: string, datagram: Datagram): void {
    const host = this.#ledger.host(name)
    if (host !== undefined) this.#quiet.sent(host, datagram)
  }

  arrived(name: string, datagram: Datagram): void {
    const host = this.#ledger.host(name)
    if (host === undefined) return
    this.#ledger.authorship.arrived(name, datagram, this.#ledger.now)
    const author = this.#ledger.host(datagram.author)
    this.#packetBounds.arrived(host, author, datagram)
    if (author !== undefined) this.#quiet.arrived(host, author)
    host.activeAt = this.#ledger.now
  }

  handled(name: string, input: Input, effects: readonly Effect[]): void {
    const host = this.#ledger.host(name)
    if (host === undefined) return
    this.#ledger.handled(host, input, effects)
    this.#paths.handled(host, input, effects)
    this.#records.handled(host, input)
    this.#packetBounds.handled(host, input, effects)
    this.#errandBounds.handled(host, input, effects)
    this.#wakeUps.handled(host, input)
    this.#gossipedKnocks.handled(host, input, effects)
    this.#informed.handled(host, input, effects)
    this.#sweepIfDue()
  }

  forwarded(name: string, _direction: 'out' | 'in', peer: PublicKey, _remote: SocketAddress): void {
    const host = this.#ledger.host(name)
    if (host !== undefined) this.#ledger.talked(host, peer)
  }

  delivered(name: string, peer: PublicKey, _bytes: Uint8Array, author: string): void {
    const host = this.#ledger.host(name)
    if (host === undefined) return
    this.#ledger.talked(host, peer)
    this.#packets.delivered(host, peer, author)
  }

  entered(name: string, peer: PublicKey, packet: Uint8Array): void {
    const side = this.#side(name, peer)
    if (side === undefined) return
    this.#packets.entered(side, packet)
    this.#connected.entered(side, packet)
    // Also where no daemon sees it: WireGuard then sends by itself.
    this.#ledger.talked(side.host, peer)
    this.#sweepIfDue()
  }

  emerged(name: string, peer: PublicKey, packet: Uint8Array): void {
    const side = this.#side(name, peer)
    if (side === undefined) return
    this.#packets.emerged(side, packet)
    this.#connected.emerged(side, packet)
  }

  happened(): void {
    this.#ledger.happenedAt = this.#ledger.now
    // It may be over before the next sweep.
    this.#conditions.refresh()
    for (const host of this.#ledger.hosts) host.activeAt = this.#ledger.now
    // What it did is there at the next event.
    this.#sweptAt = Number.NEGATIVE_INFINITY
  }

  #side(name: string, peer: PublicKey) {
    const host = this.#ledger.host(name)
    return host === undefined ? undefined : this.#ledger.side(host, peer)
  }

  #sweepIfDue(): void {
    if (this.#ledger.now - this.#sweptAt >= SWEEP_MS) this.#sweep(false)
  }

  #sweep(isLast: boolean): void {
    this.#sweptAt = this.#ledger.now
    this.#sweeps += 1
    this.#conditions.refresh()
    this.#connected.sweep()
    this.#informed.sweep()
    this.#hedges.sweep()
    this.#directly.sweep()
    this.#streams.sweep()
    if (isLast || this.#sweeps % GATEWAY_SWEEPS === 0) this.#errandBounds.sweep()
  }
}
