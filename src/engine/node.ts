/**
 * One node: takes what happens, routes it to the engine that it concerns, returns what is to be done.
 *
 *   Input ─► handle ─► peers, reflection, own record, takeover ─► Effects, in order
 *
 * The daemon runs this over real sockets and libp2p, the simulator over simulated ones. Nothing here reads a clock or
 * touches the world; `nextWake` says when time alone will make a difference. Data packets take the short way through
 * `forwarding` and only come here while there is something to decide.
 */

import { equals } from 'uint8arrays'
import type { SocketAddress } from '../base/address.js'
import { DropCounters, type DropReason, isDropped } from '../base/drops.js'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import { TokenBucket } from '../base/rateLimit.js'
import { earliest, type Instant, type Now } from '../base/time.js'
import { type HmacSha256, hmacSha256 } from '../crypto/hmacSha256.js'
import { mac1Key, mac1Matches } from '../crypto/mac1.js'
import { classify } from '../wire/classify.js'
import type { PeerRecord } from '../wire/record.js'
import type { RelayService } from '../wire/services.js'
import { receiverIndex, wireguardType } from '../wire/wireguard.js'
import { natOf } from './directory/ownContent.js'
import { Discovery, type DiscoveryOptions } from './discovery.js'
import type { Effect, Emit } from './effects.js'
import type { Input, InterfacePeer, LocalSocket, MachineRoute, RelayOffer } from './inputs.js'
import { LoopbackEndpoints, type LoopbackPlan } from './loopback/endpoints.js'
import { Forwarding } from './loopback/forwarding.js'
import { Strangers } from './loopback/strangers.js'
import { Takeover } from './loopback/takeover.js'
import { PairNames } from './pairNames.js'
import type { CheckSubject, PathContext } from './path/agent.js'
import { Birthdays } from './path/birthdays.js'
import { NatKnowledge } from './path/natKnowledge.js'
import { type Route, sameRoute } from './path/path.js'
import { PortMapping, type PortMappingOptions } from './path/portMapping.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget, type PunchLimits } from './path/punchLimits.js'
import { isUsable } from './path/reachability.js'
import { Reflection } from './path/reflection.js'
import { StunDesk, type StunEvent } from './path/stunDesk.js'
import { Transactions } from './path/transactions.js'
import { Peer, type PeerContext } from './peer.js'
import type { RelayRequest } from './relay/clientSession.js'
import { type Credential, RelayOffers } from './relay/offers.js'
import type { RelayQuotas } from './relay/quotas.js'
import { RelayServer } from './relay/server.js'
import { RelayStreams } from './relay/streams.js'
import { byteLimit, RelayTable } from './relay/table.js'
import { Suspension } from './roam/suspension.js'
import { Role, type RoleOption } from './role.js'
import { type NodeStatus, peerStatus } from './status.js'
import { type Explanation, explain } from './why.js'

export interface NodeOptions extends DiscoveryOptions {
  readonly loopback: LoopbackPlan
  /** Former endpoints that an earlier run noted down and could not put back. */
  readonly formerEndpoints: ReadonlyMap<PublicKey, SocketAddress | undefined>
  /** A node that serves answers plain Binding requests of anybody. */
  readonly role: RoleOption
  /** What it does as a member relay while it serves; absent where it is none. */
  readonly relay?: RelayQuotas
  /** The key by which members of a closed network know each other; absent in an open one. */
  readonly membership?: Uint8Array
  /** What checks that bore holes may cost, for all peers together. */
  readonly punching?: PunchLimits
  /** Absent where no gateway is to be asked for ports. */
  readonly portMapping?: PortMappingOptions | undefined
}

/** Requests to member relays, for all peers together: two relays are asked for each that is looked for. */
const RELAYING = { perSecond: 50, burst: 100 } as const
const MAX_OPEN_RELAY_REQUESTS = 1_024

/** An open check is a few hundred bytes; an answer that comes later than this many seconds after it counts for nothing. */
const OPEN_CHECKS = { least: 1_024, seconds: 12 } as const

/** Loopback endpoints that are tried for a peer before it is given up. */
const MAX_LOOPBACK_TRIES = 8

export class Node {
  /** The short way of data packets. */
  readonly forwarding = new Forwarding()
  /** The short way of what is relayed for others. */
  readonly relayTable: RelayTable
  readonly drops = new DropCounters()
  readonly #relay: RelayServer | undefined
  readonly #options: NodeOptions
  /** Under the key of a closed network's members. */
  readonly #membership: HmacSha256 | undefined
  readonly #endpoints: LoopbackEndpoints
  readonly #takeover: Takeover
  readonly #strangers: Strangers
  readonly #discovery: Discovery<Peer>
  readonly #reflection: Reflection
  readonly #nat: NatKnowledge
  readonly #portMapping: PortMapping
  readonly #names = new PairNames<Peer>()
  readonly #stun: StunDesk<Peer>
  readonly #role: Role
  readonly #context: PeerContext
  readonly #peers = new Map<PublicKey, Peer>()
  readonly #relayOffers: RelayOffers
  readonly #streams: RelayStreams
  /** mac1 keys of the peers, for first messages on the catch-all endpoint. */
  readonly #mac1Keys = new Map<PublicKey, Uint8Array>()
  readonly #loopbackFailures = new Map<PublicKey, number>()
  readonly #suspension = new Suspension()
  /** See {@link Reflection.changes}. */
  #reflectionChanges = 0
  #effects: Effect[] = []
  #nextWake: Instant | undefined = undefined

  constructor(options: NodeOptions, now: Now) {
    const emit = (effect: Effect) => {
      this.#effects.push(effect)
    }
    const { keys, random } = options
    this.#options = options
    this.#membership = options.membership && hmacSha256(options.membership)
    this.#endpoints = new LoopbackEndpoints(options.loopback)
    this.#takeover = new Takeover(this.#endpoints, options.formerEndpoints, emit)
    this.#strangers = new Strangers(keys, now.instant)
    this.#reflection = new Reflection(emit, random)
    this.#nat = new NatKnowledge(emit, random, this.#reflection)
    this.#portMapping = new PortMapping(options.portMapping, emit)
    this.#role = new Role(options.role, random, emit)
    const drop = (reason: DropReason) => this.drop(reason)
    const { relay, punching = DEFAULT_PUNCH_LIMITS } = options
    this.relayTable = new RelayTable(relay && byteLimit(relay.bytesPerSecond, now.instant), drop)
    const maxOpen = Math.max(OPEN_CHECKS.least, OPEN_CHECKS.seconds * punching.perSecond)
    const transactions = new Transactions<CheckSubject>(random, maxOpen)
    const relayRequests = new Transactions<RelayRequest>(random, MAX_OPEN_RELAY_REQUESTS)
    this.#relayOffers = new RelayOffers({
      credentialFor: (offer) => this.#relayCredential(offer),
      rttTo: (ip) => this.#reflection.rttTo(ip),
      isSilent: () => this.#reflection.isSilent,
      machine: () => this.#reachable,
    })
    this.#streams = new RelayStreams({
      emit,
      offers: () => this.#relayOffers.all,
      isSilent: () => this.#reflection.isSilent,
      isUsed: (socket) => [...this.#peers.values()].some((peer) => peer.usesSocket(socket)),
    })
    this.#discovery = new Discovery(
      options,
      { emit, drop, peers: this.#peers, takeover: this.#takeover, reflection: this.#reflection },
      now,
    )
    this.#stun = new StunDesk(
      {
        reflects: () => this.#role.serves,
        names: this.#names,
        transactions,
        relayRequests,
        reflection: this.#reflection,
        emit,
        drop,
        canAnswer: (to) => this.#canAnswer(to),
        askedForSession: (request, from, at) =>
          this.#relay === undefined ? 'stun-unsupported' : this.#relay.asked(request, from, at),
      },
      now.instant,
    )
    this.#relay = relay && this.#relayServer(relay, emit, now)
    const paths: PathContext = {
      emit,
      transactions,
      punching: new PunchBudget(punching, now.instant),
      sockets: [],
      punchingSockets: [],
      streamSockets: [],
      routes: [],
    }
    this.#context = {
      ownKey: keys.publicKey,
      emit,
      drop,
      forwarding: this.forwarding,
      takeover: this.#takeover,
      discovery: this.#discovery,
      reflection: this.#reflection,
      paths,
      birthdays: new Birthdays(punching, paths, random),
      mapped: () => this.#portMapping.candidates,
      relays: {
        emit,
        transactions: relayRequests,
        budget: new TokenBucket(RELAYING.perSecond, RELAYING.burst, now.instant),
        ownKey: keys.publicKey,
        random,
        offers: this.#relayOffers,
        streams: this.#streams,
        machine: () => this.#reachable,
      },
      nat: this.#nat,
      indices: new Map(),
      interfaceMtu: undefined,
    }
  }

  #relayServer(quotas: RelayQuotas, emit: Emit, now: Now): RelayServer {
    return new RelayServer(
      {
        quotas,
        table: this.relayTable,
        membership: this.#membership,
        keys: () => this.#options.keys.relay,
        peerProof: (peer) => this.#peers.get(peer)?.agent.keys.relayProof,
        hasPeers: () => this.#peers.size > 0,
        serves: () => this.#role.serves,
        sockets: () => this.#context.paths.sockets,
        routes: () => this.#context.paths.routes,
        emit,
        drop: (reason) => this.drop(reason),
        canAnswer: (to) => this.#canAnswer(to),
      },
      now.instant,
    )
  }

  /** Counts a drop; for the shell's own as well. */
  drop(reason: DropReason): void {
    this.drops.count(reason)
  }

  /** Where WireGuard may send for any peer. */
  get catchAll(): SocketAddress {
    return this.#endpoints.catchAll
  }

  /** What happened at `now`; returns what is to be done, in order. */
  handle(input: Input, now: Now): readonly Effect[] {
    if (this.#suspension.isOver(now)) for (const peer of this.#peers.values()) peer.noticed('woke-up', now)
    this.#route(input, now)
    this.#discovery.wake(now)
    this.#nextWake = this.#earliestWake()
    if (this.#nextWake !== undefined && this.#nextWake < now.instant) {
      // Timers of the system come late, and this input was faster.
      this.#wake(now)
      this.#discovery.wake(now)
      this.#nextWake = this.#earliestWake()
    }
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** When to call `handle` with `woken` at the latest; undefined where time alone changes nothing. */
  get nextWake(): Instant | undefined {
    return this.#nextWake
  }

  #earliestWake(): Instant | undefined {
    let next = earliest(this.#reflection.nextWake, this.#discovery.nextWake)
    next = earliest(next, earliest(this.#role.nextWake, this.#context.birthdays.nextWake))
    next = earliest(next, earliest(this.#relay?.nextWake, this.#streams.nextWake))
    next = earliest(next, this.#nat.nextWake)
    next = earliest(next, this.#portMapping.nextWake)
    for (const peer of this.#peers.values()) next = earliest(next, peer.nextWake)
    return earliest(next, this.#reflection.settlesAt)
  }

  /** The peers' endpoints as they are to be when we are gone; undefined for a peer that had none. */
  get endpointsToRestore(): ReadonlyMap<PublicKey, SocketAddress | undefined> {
    return this.#takeover.toRestore
  }

  status(now: Now): NodeStatus {
    const { candidates } = this.#reflection.findings
    const { serves, reachable } = this.#role
    const { ports } = this.#portMapping.findings
    return {
      serves,
      reachable,
      nat: {
        ...natOf(this.#reflection.findings),
        ...this.#nat.status,
        reflexive: candidates.map(({ address }) => address),
      },
      mapped: ports,
      peers: [...this.#peers.values()].map((peer) =>
        peerStatus(peer, this.#allSockets, this.knownRecord(peer.key, now), now),
      ),
      drops: this.drops,
      relay: this.#relay?.status(),
      memberRelays: this.#relayOffers.usable,
    }
  }

  /** What it offers as a member relay; undefined while it would serve nobody. */
  relayOffer(now: Now): RelayService | undefined {
    return this.#relay?.offer(now.instant)
  }

  /** Why a peer is direct, relayed or unreachable; undefined for a key that is no peer of the interface. */
  why(key: PublicKey, now: Now): Explanation | undefined {
    const peer = this.#peers.get(key)
    return peer === undefined ? undefined : explain(peer.evidence(now), now)
  }

  /** The record of a peer that this node knows. */
  knownRecord(peer: PublicKey, now: Now): PeerRecord | undefined {
    return this.#discovery.directory.get(peer, now.unix)?.record
  }

  #route(input: Input, now: Now): void {
    switch (input.type) {
      case 'relay-opened':
      case 'relay-failed':
      case 'relay-datagram':
        this.#relay?.handle(input, now)
        break
      case 'woken':
        this.#wake(now)
        break
      case 'datagram-received':
        this.#datagramReceived({ socket: input.socket, remote: input.remote }, input.datagram, now)
        break
      case 'wireguard-sent':
        this.#wireguardSent(input.peer, input.datagram, now)
        break
      case 'interface-read':
        this.#interfaceRead(input.peers, now)
        break
      case 'sockets-changed':
        this.#socketsChanged(input.sockets, now)
        break
      case 'routes-read':
        this.#routesRead(input.routes, now)
        break
      case 'stream-failed':
        this.#streams.failed(input.relay, now.instant)
        break
      case 'mtu-read':
        this.#context.interfaceMtu = { device: input.device, mtu: input.mtu }
        for (const peer of this.#peers.values()) peer.settle(now)
        break
      case 'unreachable':
        this.#unreachable(input, now)
        break
      case 'too-large':
        this.#peers.get(input.peer)?.tooLarge(input, input.size, now)
        break
      case 'loopback-failed':
        this.#loopbackFailed(input.peer)
        break
      case 'reachability-probed':
        this.#role.probed(input, now.instant)
        break
      case 'spare-socket-opened':
      case 'spare-socket-failed':
      case 'udp-probe-answered':
      case 'external-address-told':
        this.#nat.handle(input, now.instant)
        this.#discovery.describe(now)
        break
      case 'gateway-answered':
      case 'gateway-probed':
      case 'port-mapped':
      case 'port-mapping-failed':
        this.#portMapping.handle(input, now.instant)
        this.#portsMapped(now)
        this.#discovery.describe(now)
        break
      default:
        if (input.type === 'mesh-changed') {
          this.#role.setConnected(input.connected, now.instant)
          if (this.#relayOffers.set(input.relays))
            for (const peer of this.#peers.values()) peer.relaysChanged()
        }
        this.#discovery.handle(input, now)
        if (input.type === 'mesh-changed')
          this.#nat.meshChanged(input.connected, input.udpProbers ?? [], now.instant)
    }
  }

  #wake(now: Now): void {
    this.#reflection.wake(now.instant)
    this.#nat.wake(now.instant)
    this.#portMapping.wake(now.instant)
    this.#portsMapped(now)
    this.#role.wake(now.instant)
    this.#relay?.wake(now.instant)
    this.#streams.wake(now.instant)
    this.#discovery.describe(now)
    for (const peer of this.#peers.values()) {
      const { nextWake } = peer
      if (nextWake !== undefined && nextWake <= now.instant) peer.wake(now)
    }
    this.#context.birthdays.wake(now)
  }

  // From WireGuard

  #wireguardSent(key: PublicKey | undefined, datagram: Uint8Array, now: Now): void {
    if (key === undefined) {
      this.#catchAllSent(datagram, now)
      return
    }
    this.#peers.get(key)?.wireguardSent(datagram, now)
  }

  /** On the catch-all endpoint only a first message names its peer. What follows goes to the peer's own endpoint. */
  #catchAllSent(datagram: Uint8Array, now: Now): void {
    if (wireguardType(datagram) !== 1) {
      this.drop('catch-all-not-first')
      return
    }
    for (const [key, mac1] of this.#mac1Keys) {
      if (!mac1Matches(mac1, datagram)) continue
      this.#peers.get(key)?.wireguardSent(datagram, now)
      return
    }
    this.drop('catch-all-no-such-peer')
  }

  // From the network

  #datagramReceived(from: Route, datagram: Uint8Array, now: Now): void {
    if (this.#nat.received(from, datagram, now.instant)) {
      this.#discovery.describe(now)
      return
    }
    switch (classify(datagram)) {
      case 'wireguard':
        this.#wireguardReceived(from, datagram, now)
        break
      case 'stun':
        this.#stunReceived(from, datagram, now)
        break
      default:
        this.drop('unrecognised')
    }
  }

  #wireguardReceived(from: Route, datagram: Uint8Array, now: Now): void {
    const type = wireguardType(datagram)
    if ((type === 1 || type === 2) && !this.#options.keys.mac1IsForUs(datagram)) {
      this.drop('wireguard-bad-mac1')
      return
    }
    const flow = this.forwarding.flowAt(from.remote)
    const known = flow === undefined ? undefined : this.#peers.get(flow.peer)
    if (known !== undefined) {
      if (type === 1) this.#strangers.passed(datagram, known.key, from.remote.ip, now.instant)
      known.messageOverPath(datagram, from, now)
      return
    }
    if (type === 1) {
      const peer = this.#strangers.identify(
        datagram,
        from.remote.ip,
        (key) => this.#peers.has(key),
        now.instant,
      )
      if (isDropped(peer)) this.drop(peer.dropped)
      else if (this.#canAnswer(from)) this.#peers.get(peer)?.firstMessageFromStranger(datagram, from, now)
      return
    }
    const addressee = this.#context.indices.get(receiverIndex(datagram))
    if (addressee === undefined) this.drop('wireguard-unknown-sender')
    else addressee.answerFromStranger(datagram, from, now)
  }

  #stunReceived(from: Route, datagram: Uint8Array, now: Now): void {
    const event = this.#stun.received(datagram, from, now)
    switch (event?.type) {
      case 'checked':
        event.by.checkReceived(from, event.holdsFirstMessage, now)
        break
      case 'check-answered':
        this.#checkAnswered(event, from, now)
        break
      case 'reflected':
        this.#reflected(now)
        break
      case 'relay-answered':
        this.#peers.get(event.request.peer)?.relayAnswered(event.request, event.response, from, now)
    }
  }

  #checkAnswered(
    { agent, sentAt, holdsFirstMessage, size }: Extract<StunEvent<Peer>, { type: 'check-answered' }>,
    from: Route,
    now: Now,
  ): void {
    const peer = this.#peers.get(agent.peer)
    if (peer === undefined) return
    this.#discovery.reclaim(peer, now)
    peer.checkAnswered(from, sentAt, holdsFirstMessage, now, size)
  }

  /** In a closed network any member may be asked; in an open one only a peer, who knows us by our pair's secret. */
  #relayCredential({ identity }: RelayOffer): Credential | undefined {
    if (this.#membership !== undefined) return { type: 'network', hmac: this.#membership }
    for (const { key, agent } of this.#peers.values()) {
      const record = this.#discovery.directory.latest(key)
      if (record !== undefined && equals(record.identity, identity))
        return { type: 'peer', hmac: agent.keys.relayProof }
    }
    return undefined
  }

  /** Whether an answer would go out where the question came in; counts a drop where it would not. */
  #canAnswer(from: Route): boolean {
    if (isUsable(from, this.#allSockets, this.#context.paths.routes)) return true
    this.drop('through-tunnel')
    return false
  }

  // The interface and the machine

  #interfaceRead(present: readonly InterfacePeer[], now: Now): void {
    const names = new Set(present.map(({ publicKey }) => publicKey))
    for (const key of [...this.#peers.keys()]) if (!names.has(key)) this.#removePeer(key)
    for (const entry of present) {
      const peer = this.#peers.get(entry.publicKey) ?? this.#addPeer(entry.publicKey, now)
      if (peer === undefined) continue
      const former = this.#takeover.former(entry.publicKey)
      this.#takeover.read(entry, peer.isReached, now.unix)
      if (this.#takeover.former(entry.publicKey) !== former) peer.offerCandidates(now)
      this.#discovery.lookAfter(peer, now)
      peer.settle(now)
    }
  }

  #addPeer(key: PublicKey, now: Now): Peer | undefined {
    const keys = this.#options.keys.pairKeys(key)
    if (keys === undefined) {
      this.#log('warn', 'a peer with a degenerate key, or our own, is ignored', { peer: key })
      return undefined
    }
    const loopback = this.#endpoints.assign(key)
    if (loopback === undefined) {
      this.#log('warn', 'no loopback endpoint is left: a peer is ignored', { peer: key })
      return undefined
    }
    const peer = new Peer(key, loopback, keys, this.#context)
    this.#peers.set(key, peer)
    this.#mac1Keys.set(key, mac1Key(publicKeyBytes(key)))
    this.#names.add(peer, keys.incoming)
    this.#discovery.add(key, keys, now)
    // An earlier run may have known where it is.
    peer.offerCandidates(now)
    this.#effects.push({ type: 'open-loopback', peer: key, address: peer.loopback })
    return peer
  }

  #removePeer(key: PublicKey): void {
    const peer = this.#peers.get(key)
    if (peer === undefined) return
    peer.close()
    this.#peers.delete(key)
    this.#mac1Keys.delete(key)
    this.#names.remove(peer)
    this.#strangers.forget(key)
    this.#discovery.remove(key)
    this.#takeover.forget(key)
    this.#endpoints.release(key)
    this.#loopbackFailures.delete(key)
    this.#effects.push({ type: 'close-loopback', peer: key })
  }

  /** Something else has the peer's loopback endpoint: it gets another one. */
  #loopbackFailed(key: PublicKey): void {
    const peer = this.#peers.get(key)
    if (peer === undefined) return
    const failures = (this.#loopbackFailures.get(key) ?? 0) + 1
    this.#loopbackFailures.set(key, failures)
    const loopback = failures < MAX_LOOPBACK_TRIES ? this.#endpoints.reassign(key) : undefined
    if (loopback === undefined) {
      this.#log('warn', 'no loopback endpoint can be opened for a peer', { peer: key })
      return
    }
    peer.loopback = loopback
    this.#effects.push({ type: 'open-loopback', peer: key, address: loopback })
    this.#takeover.moved(key)
  }

  get #allSockets(): readonly LocalSocket[] {
    const { sockets, punchingSockets, streamSockets } = this.#context.paths
    return [...sockets, ...punchingSockets, ...streamSockets]
  }

  /** By what relays can be reached. */
  get #reachable(): { readonly sockets: readonly LocalSocket[]; readonly routes: readonly MachineRoute[] } {
    const { sockets, streamSockets, routes } = this.#context.paths
    return { sockets: [...sockets, ...streamSockets], routes }
  }

  #socketsChanged(all: readonly LocalSocket[], now: Now): void {
    const { birthdays, paths } = this.#context
    const punching = all.filter(({ purpose }) => purpose === 'punching')
    const isOfPunching = !haveSameIds(punching, paths.punchingSockets)
    birthdays.socketsChanged(punching, now.instant)
    const streams = all.filter(({ purpose }) => purpose === 'stream')
    const isOfStreams = !haveSameIds(streams, paths.streamSockets)
    if (isOfStreams) this.#streamsChanged(streams, now)
    const sockets = all.filter(({ purpose }) => purpose === 'shared')
    // What was opened for punching, or in place of UDP, is no news of where we are.
    if ((isOfPunching || isOfStreams) && haveSameIds(sockets, paths.sockets)) return
    this.#context.paths.sockets = sockets
    this.#discovery.socketsChanged(sockets)
    this.#relay?.socketsChanged(sockets)
    this.#role.setAddresses(
      sockets.map(({ address }) => address.ip),
      now.instant,
    )
    this.#reflection.change({ sockets }, now.instant)
    this.#portMapping.change({ sockets }, now.instant)
    this.#portsMapped(now)
    this.#surroundingsChanged(now)
  }

  /** Streams in place of UDP have come or gone. */
  #streamsChanged(streams: readonly LocalSocket[], now: Now): void {
    const { paths } = this.#context
    for (const { relay, id } of streams)
      if (relay !== undefined && !paths.streamSockets.some((known) => known.id === id))
        this.#relayOffers.reachedOtherwise(relay.identity)
    paths.streamSockets = streams
    this.#streams.socketsChanged(streams, now.instant)
    for (const peer of this.#peers.values()) peer.waysToRelaysChanged(now)
  }

  #routesRead(routes: readonly MachineRoute[], now: Now): void {
    this.#context.paths.routes = routes
    this.#reflection.change({ routes }, now.instant)
    this.#portMapping.change({ routes }, now.instant)
    this.#portsMapped(now)
    this.#surroundingsChanged(now)
  }

  #surroundingsChanged(now: Now): void {
    this.#nat.review(now.instant)
    this.#discovery.describe(now)
    for (const peer of this.#peers.values()) peer.surroundingsChanged(now)
  }

  /** Tells the record, and whoever finds out whether we are reached, what gateways have opened. */
  #portsMapped(now: Now): void {
    // What the nearest gateway tells of itself.
    const ip = this.#portMapping.findings.ports[0]?.external.ip
    this.#nat.handle({ type: 'external-address-told', ip }, now.instant)
    this.#discovery.setMapped(this.#portMapping.candidates)
    this.#role.setMapped(this.#portMapping.announced, now.instant)
  }

  /** Says so to the peer whose path in use leads there. */
  #unreachable(there: Route, now: Now): void {
    const flow = this.forwarding.flowAt(there.remote)
    const peer = flow === undefined ? undefined : this.#peers.get(flow.peer)
    if (peer?.agent.current !== undefined && sameRoute(peer.agent.current, there))
      peer.noticed('unreachable', now)
  }

  #reflected(now: Now): void {
    if (this.#reflection.changes !== this.#reflectionChanges) {
      this.#reflectionChanges = this.#reflection.changes
      for (const peer of this.#peers.values()) peer.noticed('address-changed', now)
    }
    this.#nat.review(now.instant)
    this.#portMapping.setReflexive(this.#reflection.findings.candidates, now.instant)
    this.#portsMapped(now)
    this.#discovery.describe(now)
    if (this.#context.paths.streamSockets.length > 0)
      for (const peer of this.#peers.values()) peer.waysToRelaysChanged(now)
    for (const peer of this.#peers.values()) {
      // Which of its addresses are worth a try depends on where we are.
      peer.offerCandidates(now)
      peer.settle(now)
    }
  }

  #log(level: 'info' | 'warn', message: string, fields: Readonly<Record<string, string | number>>): void {
    this.#effects.push({ type: 'log', level, message, fields })
  }
}

function haveSameIds(a: readonly LocalSocket[], b: readonly LocalSocket[]): boolean {
  return a.length === b.length && a.every(({ id }, index) => id === b[index]?.id)
}
