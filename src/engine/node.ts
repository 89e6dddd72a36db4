/**
 * One node: takes what happens, routes it to the engine that it concerns, returns what is to be done.
 *
 *   Input ─► handle ─► peers, reflection, own record, takeover ─► Effects, in order
 *
 * The daemon runs this over real sockets and libp2p, the simulator over simulated ones. Nothing here reads a clock or
 * touches the world; `nextWake` says when time alone will make a difference. Data packets take the short way through
 * `forwarding` and only come here while there is something to decide.
 */

import type { SocketAddress } from '../base/address.js'
import { DropCounters, type DropReason } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { earliest, type Instant, type Now } from '../base/time.js'
import { hmacSha256 } from '../crypto/hmacSha256.js'
import { type IdentityKeys, type VerifyIdentity, verifyIdentity } from '../crypto/identity.js'
import type { PeerRecord } from '../wire/record.js'
import type { RelayService } from '../wire/services.js'
import { wireguardType } from '../wire/wireguard.js'
import { Agenda } from './agenda.js'
import { Arrivals } from './arrivals.js'
import { Discovery, type DiscoveryOptions } from './discovery.js'
import type { Effect } from './effects.js'
import type { Input } from './inputs.js'
import { InterfacePeers } from './interfacePeers.js'
import { LoopbackEndpoints, type LoopbackPlan } from './loopback/endpoints.js'
import { Forwarding } from './loopback/forwarding.js'
import { Strangers } from './loopback/strangers.js'
import { Takeover } from './loopback/takeover.js'
import { MachineChanges } from './machineChanges.js'
import { HostNames, type NameAnswer, type NamedHost } from './names/hostNames.js'
import { OwnAddresses } from './ownAddresses.js'
import { PairNames } from './pairNames.js'
import { AddressProofDesk } from './path/addressProofDesk.js'
import { AddressProofs } from './path/addressProofs.js'
import { AddressWitnesses } from './path/addressWitnesses.js'
import type { CheckSubject, PathContext } from './path/agent.js'
import { Birthdays } from './path/birthdays.js'
import { openSockets } from './path/machine.js'
import type { Route } from './path/path.js'
import type { PortMappingOptions } from './path/portMapping.js'
import { DEFAULT_PUNCH_LIMITS, PunchBudget, type PunchLimits } from './path/punchLimits.js'
import { isUsable } from './path/reachability.js'
import { Transactions } from './path/transactions.js'
import type { Peer, PeerContext } from './peer.js'
import type { RelayQuotas } from './relay/quotas.js'
import { Relays } from './relay/relays.js'
import type { RelayTable } from './relay/table.js'
import { Suspension } from './roam/suspension.js'
import type { RoleOption } from './role.js'
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
  /** What signs as its libp2p identity; without it a node that serves gives no address proofs. */
  readonly identityKeys?: IdentityKeys
  /** Verifies what identities sign; by default as they do. A simulation may do it without the arithmetic. */
  readonly verifyIdentity?: VerifyIdentity
  /** What checks that bore holes may cost, for all peers together. */
  readonly punching?: PunchLimits
  /** Where peers are, by a name or an address that the user gave; nobody by default. */
  readonly named?: ReadonlyMap<PublicKey, NamedHost>
  /** False where there is no mesh, and is not to be: then nobody is said to be missing. True by default. */
  readonly hasMesh?: boolean
  /** Absent where no gateway is to be asked for ports. */
  readonly portMapping?: PortMappingOptions | undefined
  /** Which of its peers to wake when; tests may have one that does it differently. */
  readonly agenda?: Agenda
}

/** An open check is a few hundred bytes; an answer that comes later than this many seconds after it counts for nothing. */
const OPEN_CHECKS = { least: 1_024, seconds: 12 } as const

export class Node {
  /** The short way of data packets. */
  readonly forwarding = new Forwarding()
  /** The short way of what is relayed for others. */
  readonly relayTable: RelayTable
  readonly drops = new DropCounters()
  readonly #endpoints: LoopbackEndpoints
  readonly #takeover: Takeover
  readonly #own: OwnAddresses
  readonly #witnesses: AddressWitnesses
  readonly #discovery: Discovery<Peer>
  readonly #relays: Relays
  readonly #peers = new Map<PublicKey, Peer>()
  readonly #agenda: Agenda
  readonly #interface: InterfacePeers
  readonly #machine: MachineChanges
  readonly #arrivals: Arrivals
  readonly #context: PeerContext
  readonly #suspension = new Suspension()
  /** See {@link Reflection.changes}. */
  #reflectionChanges = 0
  #effects: Effect[] = []
  #nextWake: Instant | undefined = undefined

  constructor(options: NodeOptions, now: Now) {
    const emit = (effect: Effect) => {
      this.#effects.push(effect)
    }
    const drop = (reason: DropReason) => this.drop(reason)
    const canAnswer = (to: Route) => this.#canAnswer(to)
    const { keys, random, relay, punching = DEFAULT_PUNCH_LIMITS, agenda = new Agenda() } = options
    const peers = this.#peers
    const endpoints = new LoopbackEndpoints(options.loopback)
    const takeover = new Takeover(endpoints, options.formerEndpoints, emit)
    const strangers = new Strangers(keys, now.instant)
    const verify = options.verifyIdentity ?? verifyIdentity
    const own = new OwnAddresses({
      emit,
      random,
      proofs: new AddressProofs({ ownKey: keys.publicKey, random, verify }),
      role: options.role,
      portMapping: options.portMapping,
      record: () => this.#discovery,
    })
    const { reflection } = own
    const maxOpen = Math.max(OPEN_CHECKS.least, OPEN_CHECKS.seconds * punching.perSecond)
    const transactions = new Transactions<CheckSubject>(random, maxOpen)
    const paths: PathContext = {
      emit,
      transactions,
      punching: new PunchBudget(punching, now.instant),
      sockets: [],
      punchingSockets: [],
      streamSockets: [],
      routes: [],
    }
    const discovery = new Discovery<Peer>(options, { emit, drop, peers, takeover, reflection }, now)
    const relays = new Relays(
      {
        emit,
        drop,
        random,
        keys,
        quotas: relay,
        membership: options.membership && hmacSha256(options.membership),
        machine: paths,
        reflection,
        peers,
        recordOf: (peer) => discovery.directory.latest(peer),
        serves: () => own.role.serves,
        canAnswer,
      },
      now.instant,
    )
    const pairNames = new PairNames<Peer>()
    const { named = new Map<PublicKey, NamedHost>(), hasMesh = true } = options
    const indices = new Map<number, Peer>()
    this.#agenda = agenda
    this.#endpoints = endpoints
    this.#takeover = takeover
    this.#own = own
    this.#witnesses = new AddressWitnesses(verify)
    this.#discovery = discovery
    this.#relays = relays
    this.relayTable = relays.table
    this.#context = {
      names: new HostNames(
        emit,
        [...named.values()].map(({ host }) => host),
      ),
      namedAt: (peer) => named.get(peer),
      hasMesh,
      ownKey: keys.publicKey,
      emit,
      drop,
      agenda,
      forwarding: this.forwarding,
      takeover,
      discovery,
      reflection,
      paths,
      birthdays: new Birthdays(punching, paths, random),
      witnesses: this.#witnesses,
      mapped: () => own.mapped,
      relays: relays.context,
      nat: own.nat,
      indices,
      interfaceMtu: undefined,
    }
    this.#interface = new InterfacePeers({
      keys,
      peers,
      context: this.#context,
      endpoints,
      strangers,
      names: pairNames,
      discovery,
    })
    this.#machine = new MachineChanges({ context: this.#context, peers, own, discovery, relays })
    this.#arrivals = new Arrivals(
      {
        keys,
        forwarding: this.forwarding,
        strangers,
        names: pairNames,
        transactions,
        relays,
        own,
        proofDesk: options.identityKeys && new AddressProofDesk(options.identityKeys, now),
        emit,
        peers,
        indices,
        discovery,
        drop,
        canAnswer,
        reflected: (at) => this.#reflected(at),
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
    let next = earliest(this.#own.nextWake, this.#discovery.nextWake)
    next = earliest(next, earliest(this.#relays.nextWake, this.#context.birthdays.nextWake))
    return earliest(next, this.#agenda.nextWake)
  }

  /** The peers' endpoints as they are to be when we are gone; undefined for a peer that had none. */
  get endpointsToRestore(): ReadonlyMap<PublicKey, SocketAddress | undefined> {
    return this.#takeover.toRestore
  }

  status(now: Now): NodeStatus {
    return {
      ...this.#own.status,
      peers: [...this.#peers.values()].map((peer) =>
        peerStatus(peer, openSockets(this.#context.paths), this.knownRecord(peer.key, now), now),
      ),
      drops: this.drops,
      relay: this.#relays.status(),
      memberRelays: this.#relays.usable,
    }
  }

  /** What it offers as a member relay; undefined while it would serve nobody. */
  relayOffer(now: Now): RelayService | undefined {
    return this.#relays.offer(now.instant)
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
        this.#relays.handle(input, now)
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
        this.#interface.read(input.peers, now)
        break
      case 'sockets-changed':
        this.#machine.socketsChanged(input.sockets, now)
        break
      case 'routes-read':
        this.#machine.routesRead(input.routes, now)
        break
      case 'stream-failed':
        this.#relays.streamFailed(input.relay, now.instant)
        break
      case 'mtu-read':
        this.#machine.mtuRead(input, now)
        break
      case 'unreachable':
        this.#unreachable(input, now)
        break
      case 'too-large':
        this.#peers.get(input.peer)?.tooLarge(input, input.size, now)
        break
      case 'loopback-failed':
        this.#interface.loopbackFailed(input.peer)
        break
      case 'name-resolved':
      case 'name-failed':
        this.#nameAnswered(input, now)
        break
      case 'reachability-probed':
        this.#own.role.probed(input, now.instant)
        break
      case 'spare-socket-opened':
      case 'spare-socket-failed':
      case 'udp-probe-answered':
      case 'external-address-told':
        this.#own.natTold(input, now)
        break
      case 'gateway-answered':
      case 'gateway-probed':
      case 'port-mapped':
      case 'port-mapping-failed':
        this.#own.gatewayTold(input, now)
        break
      default:
        if (input.type === 'mesh-changed') {
          this.#own.surrounded(input, now)
          this.#witnesses.told(input.witnesses ?? [])
          this.#relays.setOffers(input.relays)
        }
        this.#discovery.handle(input, now)
        if (input.type === 'mesh-changed') this.#own.meshChanged(input, now)
    }
  }

  #wake(now: Now): void {
    this.#own.wake(now)
    this.#relays.wake(now)
    this.#discovery.describe(now)
    this.#agenda.wake(now)
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
    const peer = this.#interface.addressedBy(datagram)
    if (peer === undefined) this.drop('catch-all-no-such-peer')
    else peer.wireguardSent(datagram, now)
  }

  // From the network

  #datagramReceived(from: Route, datagram: Uint8Array, now: Now): void {
    if (this.#own.nat.received(from, datagram, now.instant)) this.#discovery.describe(now)
    else this.#arrivals.received(from, datagram, now)
  }

  /** Whether an answer would go out where the question came in; counts a drop where it would not. */
  #canAnswer(from: Route): boolean {
    if (isUsable(from, openSockets(this.#context.paths), this.#context.paths.routes)) return true
    this.drop('through-tunnel')
    return false
  }

  // Where peers are, and we

  #nameAnswered(answer: NameAnswer, now: Now): void {
    const { name } = answer
    const isNews = this.#context.names.answered(answer, now.instant)
    for (const peer of this.#peers.values()) peer.nameAnswered(name, isNews, now)
  }

  /** Says so to the peer whose path in use leads there. */
  #unreachable(there: Route, now: Now): void {
    const flow = this.forwarding.flowAt(there.remote)
    const peer = flow === undefined ? undefined : this.#peers.get(flow.peer)
    if (peer?.unreachableAt(there, now) !== true) this.drop('icmp-not-heeded')
  }

  #reflected(now: Now): void {
    const { changes } = this.#own.reflection
    if (changes !== this.#reflectionChanges) {
      this.#reflectionChanges = changes
      for (const peer of this.#peers.values()) peer.noticed('address-changed', now)
    }
    this.#own.reflected(now)
    if (this.#context.paths.streamSockets.length > 0)
      for (const peer of this.#peers.values()) peer.waysToRelaysChanged(now)
    for (const peer of this.#peers.values()) {
      // Which of its addresses are worth a try depends on where we are.
      peer.offerCandidates(now)
      peer.settle(now)
    }
  }
}
