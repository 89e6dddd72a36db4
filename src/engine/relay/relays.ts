/**
 * Member relays, from both sides: those that a node may ask for its peers, the streams to them that stand in for UDP, and
 * its own for others.
 */

import { equals } from 'uint8arrays'
import type { DropReason } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import { TokenBucket } from '../../base/rateLimit.js'
import { earliest, type Instant, type Now } from '../../base/time.js'
import type { HmacSha256 } from '../../crypto/hmacSha256.js'
import type { NodeKeys } from '../../crypto/nodeKeys.js'
import type { PeerRecord } from '../../wire/record.js'
import type { RelayService } from '../../wire/services.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, RelayOffer, SocketId } from '../inputs.js'
import type { PathAgent } from '../path/agent.js'
import { askingSockets, type Machine } from '../path/machine.js'
import type { Route } from '../path/path.js'
import type { Reflection } from '../path/reflection.js'
import { Transactions } from '../path/transactions.js'
import type { RelayRequest } from './clientSession.js'
import { type Credential, RelayOffers } from './offers.js'
import type { RelayQuotas } from './quotas.js'
import type { RelayContext } from './relayingParts.js'
import { type RelayInput, RelayServer, type RelayStatus } from './server.js'
import { RelayStreams } from './streams.js'
import { byteLimit, RelayTable } from './table.js'

/** Requests to member relays, for all peers together: two relays are asked for each that is looked for. */
const RELAYING = { perSecond: 50, burst: 100 } as const
const MAX_OPEN_RELAY_REQUESTS = 1_024

/** A peer that relays may carry. */
export interface RelayedPeer {
  readonly key: PublicKey
  readonly agent: PathAgent
  /** True where it is reached, or may be, over this socket. */
  usesSocket(socket: SocketId, now: Instant): boolean
  /** The mesh offers further relays. */
  relaysChanged(): void
}

export interface RelaysParts {
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
  readonly random: Random
  readonly keys: NodeKeys
  /** What our own relay may cost; absent where there is none. */
  readonly quotas: RelayQuotas | undefined
  /** Under the key of a closed network's members. */
  readonly membership: HmacSha256 | undefined
  readonly machine: Machine
  readonly reflection: Reflection
  readonly peers: ReadonlyMap<PublicKey, RelayedPeer>
  /** The newest record of a peer. */
  readonly recordOf: (peer: PublicKey) => PeerRecord | undefined
  /** True while we serve the mesh. */
  readonly serves: () => boolean
  /** Whether an answer may go out there; counts a drop where it may not. */
  readonly canAnswer: (to: Route) => boolean
}

export class Relays {
  /** The short way of what is relayed for others. */
  readonly table: RelayTable
  /** What we asked of others. */
  readonly requests: Transactions<RelayRequest>
  /** What all peers share. */
  readonly context: RelayContext
  readonly #parts: RelaysParts
  readonly #server: RelayServer | undefined
  readonly #offers: RelayOffers
  readonly #streams: RelayStreams

  constructor(parts: RelaysParts, now: Instant) {
    this.#parts = parts
    const { emit, drop, random, keys, quotas, machine, reflection } = parts
    this.table = new RelayTable(quotas && byteLimit(quotas.bytesPerSecond, now), drop)
    this.requests = new Transactions<RelayRequest>(random, MAX_OPEN_RELAY_REQUESTS)
    const reachable = () => ({ sockets: askingSockets(machine), routes: machine.routes })
    this.#offers = new RelayOffers({
      credentialFor: (offer) => this.#credential(offer),
      rttTo: (ip) => reflection.rttTo(ip),
      isSilent: () => reflection.isSilent,
      isSilentOver: (family) => reflection.isSilentOver(family),
      machine: reachable,
    })
    this.#streams = new RelayStreams({
      emit,
      offers: () => this.#offers.all,
      isSilent: () => reflection.isSilent,
      isUsed: (socket, at) => [...parts.peers.values()].some((peer) => peer.usesSocket(socket, at)),
    })
    this.#server = quotas && this.#ownRelay(quotas, now)
    this.context = {
      emit,
      transactions: this.requests,
      budget: new TokenBucket(RELAYING.perSecond, RELAYING.burst, now),
      ownKey: keys.publicKey,
      random,
      offers: this.#offers,
      streams: this.#streams,
      machine: reachable,
    }
  }

  #ownRelay(quotas: RelayQuotas, now: Instant): RelayServer {
    const { random, membership, keys, peers, serves, machine, emit, drop, canAnswer } = this.#parts
    return new RelayServer(
      {
        quotas,
        table: this.table,
        random,
        membership,
        keys: () => keys.relay,
        peerProof: (peer) => peers.get(peer)?.agent.keys.relayProof,
        hasPeers: () => peers.size > 0,
        serves,
        sockets: () => machine.sockets,
        routes: () => machine.routes,
        emit,
        drop,
        canAnswer,
      },
      now,
    )
  }

  /** What we offer as a relay; undefined while we would serve nobody. */
  offer(now: Instant): RelayService | undefined {
    return this.#server?.offer(now)
  }

  /** What our own relay does; undefined where there is none. */
  status(): RelayStatus | undefined {
    return this.#server?.status()
  }

  /** How many there are for us to ask. */
  get usable(): number {
    return this.#offers.usable
  }

  /** A request for a session of our relay came in. */
  asked(request: DecodedStun, from: Route, now: Now): DropReason | undefined {
    return this.#server === undefined ? 'stun-unsupported' : this.#server.asked(request, from, now)
  }

  /** What happened at a session's port. */
  handle(input: RelayInput, now: Now): void {
    this.#server?.handle(input, now)
  }

  /** The relays that the mesh offers. */
  setOffers(offers: readonly RelayOffer[]): void {
    if (this.#offers.set(offers)) for (const peer of this.#parts.peers.values()) peer.relaysChanged()
  }

  socketsChanged(sockets: readonly LocalSocket[]): void {
    this.#server?.socketsChanged(sockets)
  }

  /** Streams in place of UDP have come or gone; `former` were there before. */
  streamsChanged(streams: readonly LocalSocket[], former: readonly LocalSocket[], now: Instant): void {
    for (const { relay, id } of streams)
      if (relay !== undefined && !former.some((known) => known.id === id))
        this.#offers.reachedOtherwise(relay.identity)
    this.#streams.socketsChanged(streams, now)
  }

  /** No stream could be opened to this relay. */
  streamFailed(relay: Uint8Array, now: Instant): void {
    this.#streams.failed(relay, now)
  }

  wake(now: Now): void {
    this.#server?.wake(now.instant)
    this.#streams.wake(now.instant)
  }

  get nextWake(): Instant | undefined {
    return earliest(this.#server?.nextWake, this.#streams.nextWake)
  }

  /** In a closed network any member may be asked; in an open one only a peer, who knows us by our pair's secret. */
  #credential({ identity }: RelayOffer): Credential | undefined {
    const { membership, peers, recordOf } = this.#parts
    if (membership !== undefined) return { type: 'network', hmac: membership }
    for (const { key, agent } of peers.values()) {
      const record = recordOf(key)
      if (record !== undefined && equals(record.identity, identity))
        return { type: 'peer', hmac: agent.keys.relayProof }
    }
    return undefined
  }
}
