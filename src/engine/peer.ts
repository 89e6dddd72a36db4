/**
 * One peer: what WireGuard wants of it, how it is found, and the paths to it.
 *
 *   WireGuard ─ first message ─► held ─► contact (look-up, knock) ─► agent (checks) ─► a path ─► released
 *             ─ data ──────────► the path in use
 *
 * A path in use is watched while there is traffic; one that goes silent is suspected, and the peer is looked for again
 * while it stays in use. Without traffic nothing is sent at all.
 */

import { formatSocketAddress, type SocketAddress } from '../base/address.js'
import type { DropReason } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { earliest, type Instant, type Now } from '../base/time.js'
import type { PairKeys } from '../crypto/pair.js'
import type { RelayedSession } from '../wire/knock.js'
import type { DecodedStun } from '../wire/stun/message.js'
import type { Agenda, Appointment } from './agenda.js'
import type { DiscoveredPeer } from './discovery.js'
import type { SocketId } from './inputs.js'
import type { Flow, Forwarding } from './loopback/forwarding.js'
import { ProvedPaths } from './loopback/provedPaths.js'
import { SessionIndices } from './loopback/sessionIndices.js'
import { WireguardMessages } from './loopback/wireguardMessages.js'
import type { HostNames, NamedHost } from './names/hostNames.js'
import { NamedPeer, type NameStatus } from './names/namedPeer.js'
import { PathAgent, type PathContext } from './path/agent.js'
import { type InterfaceMtu, MtuProbing } from './path/mtuProbing.js'
import type { NatKnowledge } from './path/natKnowledge.js'
import { type Route, sameRoute } from './path/path.js'
import { routesTo } from './path/reachability.js'
import { type PeerStanding, type PeerState, reasonFor, stateOf } from './peerState.js'
import type { RelayRequest } from './relay/clientSession.js'
import { ALARM_SIGNS } from './roam/alarms.js'
import { Hedge } from './roam/hedge.js'
import { Roaming } from './roam/roaming.js'
import type { Sign } from './roam/signs.js'
import { PathWatch } from './roam/watch.js'
import { Search, type SearchContext } from './search.js'
import type { Evidence } from './why.js'

/** What all peers of a node share. */
export interface PeerContext extends SearchContext {
  readonly ownKey: PublicKey
  readonly drop: (reason: DropReason) => void
  readonly agenda: Agenda
  readonly forwarding: Forwarding
  readonly paths: PathContext
  readonly nat: Pick<NatKnowledge, 'keepaliveMs'>
  readonly names: HostNames
  /** Where the user said that a peer is; undefined where nothing was said. */
  readonly namedAt: (peer: PublicKey) => NamedHost | undefined
  /** False where there is no mesh, and is not to be. */
  readonly hasMesh: boolean
  /** Index of a handshake or session of our WireGuard → whose it is. */
  readonly indices: Map<number, Peer>
  /** Undefined where nothing can be sent unfragmented. */
  interfaceMtu: InterfaceMtu | undefined
}

export class Peer implements DiscoveredPeer {
  readonly key: PublicKey
  /** Changes where something else has the one that it was given. */
  loopback: SocketAddress
  readonly flow: Flow
  readonly agent: PathAgent
  readonly #context: PeerContext
  readonly #watch: PathWatch
  readonly #search: Search
  readonly mtu: MtuProbing
  readonly #hedge: Hedge
  readonly roaming: Roaming
  readonly #indices: SessionIndices<Peer>
  readonly #messages: WireguardMessages
  readonly #named: NamedPeer | undefined
  readonly #provedPaths: ProvedPaths
  /** Touched by whatever may change {@link nextWake}. */
  readonly #appointment: Appointment
  readonly #log: (message: string, fields?: Readonly<Record<string, string | number>>) => void

  constructor(key: PublicKey, loopback: SocketAddress, keys: PairKeys, context: PeerContext) {
    this.key = key
    this.loopback = loopback
    this.#context = context
    const { emit, drop, forwarding, takeover, paths, ownKey } = context
    // Who is where is nobody's business but at debug level.
    const log = (message: string, fields: Readonly<Record<string, string | number>> = {}) =>
      emit({ type: 'log', level: 'debug', message, fields: { peer: key, ...fields } })
    const flow = forwarding.add(key)
    const agent = new PathAgent(key, keys, paths, () => this.holdsFirstMessage)
    const watch = new PathWatch(flow, agent, () => context.nat.keepaliveMs)
    this.flow = flow
    this.agent = agent
    this.#watch = watch
    this.#search = new Search(key, context, {
      agent,
      watch,
      log,
      named: () => this.#named?.addresses ?? [],
      noticed: (sign, now) => this.roaming.noticed(sign, now),
    })
    this.mtu = new MtuProbing({ agent, emit, interfaceMtu: () => context.interfaceMtu })
    this.roaming = new Roaming({
      situation: (now) => ({ isActive: watch.isActive(now), hasPath: agent.current !== undefined }),
      ask: (now) => agent.probeQuickly(now),
      bindRelays: (now) => this.#search.bindRelaysAgain(now),
      look: (now) => this.#search.lookAgain(now),
      log,
    })
    this.#hedge = new Hedge(flow, agent, {
      send: ({ socket, remote }, datagram) => emit({ type: 'send', socket, remote, datagram }),
      alarmed: (kind, decision, now) => {
        this.roaming.note(ALARM_SIGNS[kind], decision, now)
        // What killed the path may be why relays and reflectors do not see us where they did.
        this.#search.bindRelaysAgain(now)
        context.reflection.renew(now)
      },
      log,
    })
    this.#indices = new SessionIndices<Peer>(this, context.indices)
    this.#messages = new WireguardMessages({
      peer: key,
      ownKey,
      flow,
      agent,
      watch,
      machine: paths,
      takeover,
      indices: this.#indices,
      emit,
      drop,
      log,
      needsPath: (now) => this.#search.needsPath(now),
      want: (now) => this.#search.want(now),
      heard: (from, now) => this.#hedge.heard(from, now),
    })
    const host = context.namedAt(key)
    this.#named =
      host &&
      new NamedPeer(host, {
        names: context.names,
        routesTo: (address) => routesTo(address, paths),
        tryOver: (handshake, route, now) => this.#messages.tryOver(handshake, route, now),
        check: (route, now) => agent.check(route, now),
      })
    this.#provedPaths = new ProvedPaths({ agent, flow, forwarding, log })
    this.#log = log
    this.#appointment = context.agenda.add(this)
    flow.appointment = this.#appointment
  }

  get state(): PeerState {
    return stateOf(this.#standing)
  }

  get reason(): string {
    return reasonFor(this.#standing)
  }

  get #standing(): PeerStanding {
    const { agent } = this
    return {
      isExternal: this.#context.takeover.isExternal(this.key),
      path: agent.current,
      isSound: agent.isSound,
      isIgnored: this.#messages.isIgnored,
      isPunching: agent.isPunching,
      isGuessing: this.#search.isGuessing,
      contact: this.#search.contact,
      reasonWithoutPath: this.#reasonWithoutPath,
    }
  }

  get #reasonWithoutPath(): string {
    const { reason, isUnderWay, hasFailed } = this.#search.contact
    const { discovery, hasMesh, takeover } = this.#context
    if (!isUnderWay && !hasFailed) return reason
    if (this.#named !== undefined)
      return discovery.isOnline ? `${reason}; ${this.#named.reason}` : this.#named.reason
    if (hasMesh) return reason
    return takeover.former(this.key) === undefined
      ? 'there is no mesh to find it by: name it with --peer, or set its endpoint'
      : 'its configured endpoint does not answer'
  }

  /** What there is to say to those who ask why it is as it is. */
  evidence(now: Now): Evidence {
    const { discovery, reflection } = this.#context
    return {
      state: this.state,
      path: this.agent.current,
      isSound: this.agent.isSound,
      isUnderWay: this.#search.contact.isUnderWay,
      lastSentAt: this.flow.lastSentAt,
      lastHeardAt: this.flow.lastHeardAt,
      holdsFirstMessage: this.holdsFirstMessage,
      unansweredFirstMessages: this.#messages.unanswered,
      isIgnored: this.#messages.isIgnored,
      isOnline: discovery.isOnline,
      hasMesh: this.#context.hasMesh,
      name: this.name,
      record: this.#search.record(now),
      ownMapping: reflection.findings.mapping,
      effort: this.#search.effort,
      checks: this.agent.ledger.addresses,
    }
  }

  // What the two WireGuards say

  /** WireGuard sent a message to the peer's loopback endpoint, and it was not forwarded on the spot. */
  wireguardSent(datagram: Uint8Array, now: Now): void {
    this.#appointment.touch()
    if (this.#messages.sent(datagram, now.instant)) this.settle(now)
  }

  /** A message of the peer's WireGuard came over one of its proved paths. */
  messageOverPath(datagram: Uint8Array, from: Route, now: Now): void {
    this.#appointment.touch()
    if (this.#messages.cameOverPath(datagram, from, now.instant)) this.settle(now)
  }

  /** The peer's first message came from an address that is no path; it was opened and is the peer's. */
  firstMessageFromStranger(datagram: Uint8Array, from: Route, now: Now): void {
    this.roaming.noticed('unknown-address', now.instant)
    this.#messages.firstFromStranger(datagram, from, now.instant)
    this.settle(now)
  }

  /** A second message, cookie reply or data came from an address that is no path, for an index of ours. */
  answerFromStranger(datagram: Uint8Array, from: Route, now: Now): void {
    this.#appointment.touch()
    if (this.#messages.answerFromStranger(datagram, from, now.instant)) this.settle(now)
  }

  /** True while a first message of our WireGuard's waits for a path. */
  get holdsFirstMessage(): boolean {
    return this.#messages.holdsFirstMessage
  }

  // Checks

  /** An authenticated check of the peer's came in, and was answered. */
  checkReceived(from: Route, peerHolds: boolean, now: Now): void {
    this.#messages.expire(now.instant)
    this.#search.checkReceived(from, now.instant)
    if (this.agent.current !== undefined && !this.agent.knows(from))
      this.roaming.noticed('unknown-address', now.instant)
    this.agent.checkReceived(from, peerHolds, now.instant, this.#search.expects(from))
    const path = this.agent.current
    if (path === undefined) this.#log('its check came in', { remote: formatSocketAddress(from.remote) })
    // It uses another way than we do. Ours may have died, and what comes over the other would hide it.
    if (path !== undefined && !sameRoute(path, from) && !this.#watch.isAnswered(now.instant))
      this.agent.probeQuickly(now.instant)
    this.#hedge.checked(from, now.instant)
    // Another peer was there since we last proved it.
    if (this.#context.forwarding.flowAt(from.remote) !== this.flow) this.agent.ask(from, now.instant)
    this.#search.check(now)
    this.#messages.followCheck(from, now.instant)
    this.settle(now)
  }

  /** Our check was answered. */
  checkAnswered(route: Route, sentAt: Instant, peerHolds: boolean, now: Now, size?: number): void {
    this.agent.answered(route, sentAt, peerHolds, now.instant, this.#search.expects(route))
    this.#hedge.answered(route, sentAt, now.instant)
    if (this.agent.current !== undefined && sameRoute(route, this.agent.current)) {
      if (size !== undefined) this.mtu.answered(size, now.instant)
      else if (this.flow.unheardSince !== undefined) this.mtu.doubt(this.flow.unheardSince, now.instant)
      this.flow.answered()
    }
    this.settle(now)
  }

  /** A check of `size` bytes is larger than the network device takes. */
  tooLarge(route: Route, size: number, now: Now): void {
    if (this.agent.current !== undefined && sameRoute(route, this.agent.current))
      this.mtu.tooLarge(size, now.instant)
    this.settle(now)
  }

  /** There is a sign that concerns every peer, or this one. */
  noticed(sign: Sign, now: Now): void {
    this.roaming.noticed(sign, now.instant)
    this.settle(now)
  }

  /** ICMP says that nobody is at `there`. False where that is not heeded. */
  unreachableAt(there: Route, now: Now): boolean {
    const { current } = this.agent
    if (current === undefined || !sameRoute(current, there) || !this.roaming.unreachable(now.instant))
      return false
    this.settle(now)
    return true
  }

  /** True where our checks reach the peer. */
  get isReached(): boolean {
    return this.agent.isSound && this.agent.current?.proof === 'check'
  }

  // Relays

  /** A member relay answered a request of ours. */
  relayAnswered(request: RelayRequest, response: DecodedStun, from: Route, now: Now): void {
    this.#search.relayAnswered(request, response, from, now)
    this.settle(now)
  }

  /** Relays can be reached in other ways: streams have come or gone, or UDP works again. */
  waysToRelaysChanged(now: Now): void {
    this.#search.waysToRelaysChanged(now)
    this.settle(now)
  }

  /** True where the peer is reached, or may be, over this socket. */
  usesSocket(socket: SocketId, now: Instant): boolean {
    return this.#search.usesSocket(socket, now)
  }

  /** The mesh offers further member relays. */
  relaysChanged(): void {
    this.#appointment.touch()
    this.#search.relaysChanged()
  }

  relayedForAnswer(now: Instant): readonly RelayedSession[] | undefined {
    return this.#search.relayedForAnswer(now)
  }

  // The mesh

  /** The peer was external and is managed now: WireGuard's next message needs a path. */
  reclaimed(now: Now): void {
    this.offerCandidates(now)
    this.#search.want(now.instant)
  }

  /** A record of the peer is known that was not known before (`isNews`), or was heard of again. */
  recordKnown(isNews: boolean, now: Now): void {
    this.#search.recordKnown(isNews, now)
    this.settle(now)
  }

  lookUpEnded(now: Now): void {
    this.#search.lookUpEnded(now)
    this.settle(now)
  }

  /** What there is to tell of the name that the user gave for it. */
  get name(): NameStatus | undefined {
    return this.#named?.status
  }

  /** The name of a host was resolved, or could not be; `isNews` where its addresses have changed. */
  nameAnswered(host: string, isNews: boolean, now: Now): void {
    if (this.#named?.host !== host) return
    if (isNews) this.#search.namedElsewhere(now)
    this.settle(now)
  }

  /** The peer knocked: it wants us to check now. */
  knocked(relayed: readonly RelayedSession[], now: Now): void {
    this.#search.knocked(relayed, now)
    this.settle(now)
  }

  knockAnswered(relayed: readonly RelayedSession[], now: Now): void {
    this.#search.knockAnswered(relayed, now)
    this.settle(now)
  }

  knockFailed(why: string, now: Now, closed = false): void {
    this.#search.knockFailed(why, closed, now.instant)
    this.settle(now)
  }

  awaitsAnswer(now: Instant): boolean {
    return this.#search.awaitsAnswer(now)
  }

  /** Sockets, routes, or who is online changed. */
  surroundingsChanged(now: Now): void {
    this.#search.surroundingsChanged(now)
    this.settle(now)
  }

  /** Tells the agent where the peer may be: where its record says, and where the user said. */
  offerCandidates(now: Now): void {
    this.#appointment.touch()
    this.#search.offerCandidates(now)
  }

  // Time

  wake(now: Now): void {
    this.#search.check(now)
    this.#search.wake(now)
    const verdict = this.#messages.wake(now.instant)
    if (verdict === 'suspect') this.#search.suspect(now.instant)
    else if (verdict === 'ask') this.agent.probe(now.instant)
    this.#watch.wake(now.instant)
    this.mtu.wake(this.#watch.isActive(now.instant), now)
    this.settle(now)
  }

  /** Asked after every packet, or almost: nothing is allocated. */
  get nextWake(): Instant | undefined {
    let next = earliest(this.agent.nextWake, this.#search.nextWake)
    next = earliest(next, this.#messages.nextWake)
    next = earliest(next, this.#watch.nextWake)
    next = earliest(next, this.mtu.nextWake)
    next = earliest(next, this.#hedge.nextWake)
    return earliest(next, this.#named?.nextWake)
  }

  /** Brings everything that depends on the paths and on the contact up to date. */
  settle(now: Now): void {
    this.#appointment.touch()
    this.#messages.expire(now.instant)
    this.#search.check(now)
    this.#search.settleRelays(now)
    this.#provedPaths.settle()
    if (this.#hedge.settle(this.#watch.isActive(now.instant), now.instant)) this.#search.check(now)
    this.#search.pursue(now)
    this.#messages.release(now.instant)
    this.#settleName(now)
    this.#watch.settle(now.instant)
    this.#search.guess(now)
    this.mtu.settle(this.#watch.isActive(now.instant), now.instant)
    this.flow.attentive =
      this.#messages.awaitsProof || !this.#watch.isActive(now.instant) || this.#search.needsPath(now.instant)
  }

  #settleName(now: Now): void {
    const situation = {
      handshake: this.#messages.unansweredHandshake,
      path: this.agent.current,
      needsPath: this.#search.needsPath(now.instant),
      isUnderWay: this.#search.contact.isUnderWay,
      isActive: this.#watch.isActive(now.instant),
    }
    this.#named?.settle(situation, now)
  }

  /** The interface has this peer no longer. */
  close(): void {
    this.#appointment.end()
    this.#search.close()
    this.#context.forwarding.remove(this.key)
    this.#indices.clear()
    this.#context.paths.transactions.forget(({ agent }) => agent === this.agent)
  }
}
