/**
 * One peer: what WireGuard wants of it, how it is found, and the paths to it.
 *
 *   WireGuard ─ first message ─► held ─► contact (look-up, knock) ─► agent (checks) ─► a path ─► released
 *             ─ data ──────────► the path in use
 *
 * A path in use is watched while there is traffic; one that goes silent is suspected, and the peer is looked for again
 * while it stays in use. Without traffic nothing is sent at all.
 */

import { compare } from 'uint8arrays'
import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../base/address.js'
import type { DropReason } from '../base/drops.js'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import { earliest, type Instant, later, type Now } from '../base/time.js'
import type { PairKeys } from '../crypto/pair.js'
import type { Candidate } from '../wire/candidate.js'
import type { RelayedSession } from '../wire/knock.js'
import type { PeerRecord } from '../wire/record.js'
import type { DecodedStun } from '../wire/stun/message.js'
import { receiverIndex, wireguardType } from '../wire/wireguard.js'
import type { Contact } from './directory/contact.js'
import { natOf } from './directory/ownContent.js'
import { Places } from './directory/places.js'
import { type Means, Pursuit } from './directory/pursuit.js'
import type { DiscoveredPeer } from './discovery.js'
import type { Emit } from './effects.js'
import type { SocketId } from './inputs.js'
import { FirstMessage } from './loopback/firstMessage.js'
import type { Flow, Forwarding } from './loopback/forwarding.js'
import { Handshakes, type OwnHandshake } from './loopback/handshakes.js'
import { Refusals } from './loopback/refusals.js'
import type { Takeover } from './loopback/takeover.js'
import { PathAgent, type PathContext, type Proved } from './path/agent.js'
import { Birthday } from './path/birthday.js'
import { type BirthdaySituation, hopelessMeeting, planBirthday } from './path/birthdayPlan.js'
import type { Birthdays } from './path/birthdays.js'
import { type InterfaceMtu, MtuProbing } from './path/mtuProbing.js'
import type { NatKnowledge } from './path/natKnowledge.js'
import { type Route, sameRoute } from './path/path.js'
import { plausibility } from './path/plausible.js'
import { socketsFor } from './path/reachability.js'
import type { Reflection } from './path/reflection.js'
import type { PeerState } from './peerState.js'
import type { RelayRequest } from './relay/clientSession.js'
import { type RelayContext, Relaying, type Situation } from './relay/relaying.js'
import { ALARM_SIGNS } from './roam/alarms.js'
import { Hedge } from './roam/hedge.js'
import { Roaming } from './roam/roaming.js'
import type { Sign } from './roam/signs.js'
import { PathWatch } from './roam/watch.js'
import type { Evidence } from './why.js'

/** What all peers of a node share. */
export interface PeerContext {
  readonly ownKey: PublicKey
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
  readonly forwarding: Forwarding
  readonly takeover: Takeover
  readonly discovery: Means
  readonly reflection: Reflection
  readonly paths: PathContext
  readonly relays: RelayContext
  readonly birthdays: Birthdays
  /** Our ports that gateways have opened. */
  readonly mapped: () => readonly Candidate[]
  readonly nat: Pick<NatKnowledge, 'keepaliveMs'>
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
  readonly #handshakes = new Handshakes()
  readonly #pursuit: Pursuit
  readonly #contact: Contact
  readonly #watch: PathWatch
  readonly mtu: MtuProbing
  readonly #hedge: Hedge
  readonly roaming: Roaming
  readonly #relaying: Relaying
  readonly #firstMessage: FirstMessage
  readonly #birthday: Birthday
  readonly #refusals: Refusals
  /** Where it was since there was a path. */
  readonly #places = new Places()
  /** The same since the peer is known: a record that names another place is a sign. */
  readonly #placesEver = new Places()
  /** What the flow and the forwarding table were last made to agree with. */
  readonly #settledFor = { proved: undefined as Proved | undefined, releases: 0 }
  /** When a direct path is looked for again. */
  #seekAgainAt: Instant | undefined = undefined
  /** What our own record said when relays were last told where we are. */
  #boundAs = 0
  /** Indices of ours that `context.indices` holds for this peer: the newest handshake's each way. */
  readonly #indices = { own: undefined as number | undefined, answer: undefined as number | undefined }

  constructor(key: PublicKey, loopback: SocketAddress, keys: PairKeys, context: PeerContext) {
    this.key = key
    this.loopback = loopback
    this.#context = context
    this.flow = context.forwarding.add(key)
    this.agent = new PathAgent(key, keys, context.paths, () => this.holdsFirstMessage)
    const known = () => context.discovery.directory.latest(key)
    this.#relaying = new Relaying({
      agent: this.agent,
      context: context.relays,
      peerIdentity: () => known()?.identity,
      isPlausible: (ip) => {
        const record = known()
        return record !== undefined && this.#isPlausible(record)(ip)
      },
      log: (message, fields) => this.#log(message, fields),
    })
    this.#pursuit = new Pursuit(key, {
      means: context.discovery,
      reflection: context.reflection,
      relaying: this.#relaying,
      emit: context.emit,
      log: (message) => this.#log(message),
      isPlausible: (record) => this.#isPlausible(record),
    })
    this.#contact = this.#pursuit.contact
    this.#watch = new PathWatch(this.flow, this.agent, () => context.nat.keepaliveMs)
    this.#birthday = new Birthday({
      birthdays: context.birthdays,
      agent: this.agent,
      plan: (now) => {
        const situation = this.#gateways(now)
        return situation && planBirthday(situation)
      },
      isActive: (now) => this.#watch.isActive(now.instant),
      knock: (now) => this.#pursuit.knock(now),
    })
    this.#refusals = new Refusals(this.flow)
    const { emit } = context
    this.mtu = new MtuProbing({ agent: this.agent, emit, interfaceMtu: () => context.interfaceMtu })
    this.roaming = new Roaming({
      situation: (now) => ({
        isActive: this.#watch.isActive(now),
        hasPath: this.agent.current !== undefined,
      }),
      ask: (now) => {
        this.agent.probeQuickly(now)
        this.#relaying.bindAgain(now)
      },
      look: (now) => this.#lookAgain(now),
      log: (message, fields) => this.#log(message, fields),
    })
    this.#hedge = new Hedge(this.flow, this.agent, {
      send: ({ socket, remote }, datagram) => emit({ type: 'send', socket, remote, datagram }),
      alarmed: (kind, decision, now) => {
        this.roaming.note(ALARM_SIGNS[kind], decision, now)
        // What killed the path may be why relays and reflectors do not see us where they did.
        this.#relaying.bindAgain(now)
        context.reflection.renew(now)
      },
      log: (message, fields) => this.#log(message, fields),
    })
    this.#firstMessage = new FirstMessage({
      precedes: compare(publicKeyBytes(context.ownKey), publicKeyBytes(key)) < 0,
      handshakes: this.#handshakes,
      agent: this.agent,
      watch: this.#watch,
      send: (message, over, now) => {
        this.#log('sent a first message', { remote: formatSocketAddress(over.remote) })
        this.#sendOver([over], message, now)
      },
    })
  }

  get state(): PeerState {
    if (this.#context.takeover.isExternal(this.key)) return 'external'
    const path = this.agent.current
    if (path !== undefined) return path.type === 'relayed' ? 'relayed' : 'direct'
    if (this.agent.isPunching || this.#birthday.isUnderWay) return 'punching'
    if (this.#contact.isUnderWay) return 'resolving'
    return this.#contact.hasFailed ? 'unreachable' : 'idle'
  }

  get reason(): string {
    if (this.#context.takeover.isExternal(this.key)) return "it speaks to WireGuard's own port"
    const path = this.agent.current
    if (path === undefined && this.#birthday.isUnderWay)
      return 'trying many ports: one of the NATs has another for each destination'
    if (path === undefined) return this.#contact.reason
    if (!this.agent.isSound) return 'its path went silent; looking for it again'
    if (this.#isIgnored) {
      return 'checks pass, but the handshake is unanswered: preshared key or peer entry missing on one side?'
    }
    if (path.type === 'relayed') {
      return `over a member relay; ${this.#contact.isUnderWay ? 'looking for' : 'there was no'} direct path`
    }
    return path.proof === 'handshake' ? "proved by WireGuard's own handshake" : 'proved by a check'
  }

  /** What there is to say to those who ask why it is as it is. */
  evidence(now: Now): Evidence {
    const { discovery, reflection } = this.#context
    return {
      state: this.state,
      path: this.agent.current,
      isSound: this.agent.isSound,
      isUnderWay: this.#contact.isUnderWay,
      lastSentAt: this.flow.lastSentAt,
      lastHeardAt: this.flow.lastHeardAt,
      holdsFirstMessage: this.holdsFirstMessage,
      unansweredFirstMessages: Math.max(this.#firstMessage.unanswered, this.#refusals.count),
      isIgnored: this.#isIgnored,
      isOnline: discovery.isOnline,
      record: this.#record(now),
      ownMapping: reflection.findings.mapping,
      effort: this.#pursuit.effort,
      checks: this.agent.ledger.addresses,
    }
  }

  /** WireGuard sent a message to the peer's loopback endpoint, and it was not forwarded on the spot. */
  wireguardSent(datagram: Uint8Array, now: Now): void {
    switch (wireguardType(datagram)) {
      case 1:
        this.#firstMessageMade(datagram, now.instant)
        break
      case 2:
        this.#secondMessageMade(datagram, now.instant)
        break
      case 3:
        this.#cookieReplyMade(datagram, now.instant)
        break
      case 4:
        this.#dataMade(datagram, now.instant)
        break
      default:
        this.#context.drop('wireguard-malformed')
        return
    }
    this.settle(now)
  }

  /** A message of the peer's WireGuard came over one of its proved paths. */
  messageOverPath(datagram: Uint8Array, from: Route, now: Now): void {
    const type = wireguardType(datagram)
    if (type === 1 && !this.#acceptFirstMessage(datagram, from, now.instant)) return
    if (type === 2 && this.#handshakes.settle(datagram)) {
      this.#firstMessage.answered()
      this.#refusals.answered(now.instant)
    }
    this.#hedge.heard(from, now.instant)
    this.#deliver(datagram, from, now.instant)
    this.settle(now)
  }

  /** The peer's first message came from an address that is no path; it was opened and is the peer's. */
  firstMessageFromStranger(datagram: Uint8Array, from: Route, now: Now): void {
    this.roaming.noticed('unknown-address', now.instant)
    if (this.#acceptFirstMessage(datagram, from, now.instant)) this.#deliver(datagram, from, now.instant)
    this.settle(now)
  }

  /** A second message, cookie reply or data came from an address that is no path, for an index of ours. */
  answerFromStranger(datagram: Uint8Array, from: Route, now: Now): void {
    const type = wireguardType(datagram)
    const expected =
      type === 2
        ? this.#handshakes.answered(datagram, from)
        : type === 3
          ? this.#handshakes.own?.sent !== undefined
          : this.#handshakes.used(datagram, from)
    if (!expected) {
      this.#context.drop(type === 2 ? 'wireguard-unexpected-second' : 'wireguard-unknown-sender')
      return
    }
    if (type === 2) this.#refusals.answered(now.instant)
    this.#deliver(datagram, from, now.instant)
    this.settle(now)
  }

  /** An authenticated check of the peer's came in, and was answered. */
  checkReceived(from: Route, peerHolds: boolean, now: Now): void {
    this.#handshakes.expire(now.instant)
    this.#relaying.checkReceived(from, now.instant)
    if (this.agent.current !== undefined && !this.agent.knows(from))
      this.roaming.noticed('unknown-address', now.instant)
    this.agent.checkReceived(from, peerHolds, now.instant, this.#birthday.expects(from))
    const path = this.agent.current
    if (path === undefined) this.#log('its check came in', { remote: formatSocketAddress(from.remote) })
    // It uses another way than we do. Ours may have died, and what comes over the other would hide it.
    if (path !== undefined && !sameRoute(path, from) && !this.#watch.isAnswered(now.instant))
      this.agent.probeQuickly(now.instant)
    this.#hedge.checked(from, now.instant)
    // Another peer was there since we last proved it.
    if (this.#context.forwarding.flowAt(from.remote) !== this.flow) this.agent.ask(from, now.instant)
    this.#check(now)
    this.#firstMessage.followCheck(from, now.instant)
    this.settle(now)
  }

  /** Our check was answered. */
  checkAnswered(route: Route, sentAt: Instant, peerHolds: boolean, now: Now, size?: number): void {
    this.agent.answered(route, sentAt, peerHolds, now.instant, this.#birthday.expects(route))
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

  /** A member relay answered a request of ours. */
  relayAnswered(request: RelayRequest, response: DecodedStun, from: Route, now: Now): void {
    this.#relaying.answered(request, response, from, now)
    this.settle(now)
  }

  /** Relays can be reached in other ways: streams have come or gone, or UDP works again. */
  waysToRelaysChanged(now: Now): void {
    this.offerCandidates(now)
    this.agent.machineChanged()
    this.#relaying.waysChanged(now.instant)
    this.settle(now)
  }

  /** True where the peer is reached, or may be, over this socket; whether or not there is traffic. */
  usesSocket(socket: SocketId): boolean {
    return this.agent.current?.socket === socket || this.#relaying.uses(socket)
  }

  /** The mesh offers further member relays. */
  relaysChanged(): void {
    this.#relaying.offersChanged()
  }

  relayedForAnswer(now: Instant): readonly RelayedSession[] | undefined {
    return this.#relaying.isReadyToAnswer(now) ? this.#relaying.named : undefined
  }

  /** True while a first message of our WireGuard's waits for a path. */
  get holdsFirstMessage(): boolean {
    return this.#firstMessage.isHeld
  }

  /** There is a sign that concerns every peer, or this one. */
  noticed(sign: Sign, now: Now): void {
    this.roaming.noticed(sign, now.instant)
    this.settle(now)
  }

  /** True where our checks reach the peer. */
  get isReached(): boolean {
    return this.agent.isSound && this.agent.current?.proof === 'check'
  }

  /** The peer was external and is managed now: WireGuard's next message needs a path. */
  reclaimed(now: Now): void {
    this.offerCandidates(now)
    this.#want(now.instant)
  }

  /** A record of the peer is known that was not known before (`isNews`), or was heard of again. */
  recordKnown(isNews: boolean, now: Now): void {
    this.#log('its record was found')
    if (isNews) this.#heardWhere(now)
    this.offerCandidates(now)
    if (this.#contact.isUnderWay) this.agent.punch(now.instant)
    this.settle(now)
  }

  lookUpEnded(now: Now): void {
    this.#log('a look-up ended')
    this.#pursuit.lookUpEnded(now)
    this.settle(now)
  }

  /** The peer knocked: it wants us to check now. */
  knocked(relayed: readonly RelayedSession[], now: Now): void {
    this.#log('it knocked')
    this.#pursuit.effort.heardKnock(now.instant)
    this.#heardWhere(now)
    this.roaming.noticed('knocked', now.instant)
    this.#contact.inTouch()
    this.#relaying.heard(relayed, this.#needsPath(now.instant), now.instant)
    this.#birthday.touched(now.instant)
    this.offerCandidates(now)
    this.agent.suspectWithdrawn()
    this.agent.probe(now.instant)
    this.agent.punch(now.instant, !this.#contact.isUnderWay)
    this.settle(now)
  }

  knockAnswered(relayed: readonly RelayedSession[], now: Now): void {
    this.#log('it answered our knock')
    this.#places.note(this.#record(now))
    this.#pursuit.knockAnswered(now.instant)
    this.#relaying.heard(relayed, false, now.instant)
    this.#birthday.touched(now.instant)
    this.offerCandidates(now)
    if (!this.agent.isSound) this.agent.punch(now.instant)
    this.settle(now)
  }

  knockFailed(why: string, now: Now, closed = false): void {
    this.#pursuit.knockFailed(why, closed, now.instant)
    this.settle(now)
  }

  awaitsAnswer(now: Instant): boolean {
    return this.#pursuit.awaitsAnswer(now)
  }

  /** Sockets, routes, or who is online changed. */
  surroundingsChanged(now: Now): void {
    this.#pursuit.encourage()
    this.offerCandidates(now)
    this.agent.machineChanged()
    this.#relaying.moved(this.#situation(now.instant), now.instant)
    this.roaming.noticed('machine-changed', now.instant)
    this.settle(now)
  }

  /** Tells the agent where the peer may be: where its record says, and where the user said. */
  offerCandidates(now: Now): void {
    const record = this.#record(now)
    const configured = this.#context.takeover.former(this.key)
    const isPlausible = record === undefined ? () => false : this.#isPlausible(record)
    const candidates: Candidate[] = (record?.candidates ?? []).filter(
      ({ type, address }) => type !== 'host' || isPlausible(address.ip),
    )
    if (
      configured !== undefined &&
      !candidates.some(({ address }) => sameSocketAddress(address, configured))
    ) {
      candidates.push({ type: 'configured', address: configured })
    }
    this.agent.offer(candidates)
  }

  wake(now: Now): void {
    this.#check(now)
    if (this.#contact.wake(now.instant)) this.#contactFailed(now)
    const verdict = this.#firstMessage.wake(now.instant)
    if (verdict === 'suspect') this.#suspect(now.instant)
    else if (verdict === 'ask') this.agent.probe(now.instant)
    this.#watch.wake(now.instant)
    this.mtu.wake(this.#watch.isActive(now.instant), now)
    this.settle(now)
  }

  get nextWake(): Instant | undefined {
    return [
      this.agent.nextWake,
      this.#pursuit.nextWake,
      this.#relaying.nextWake,
      this.#seekAgainAt,
      this.#firstMessage.nextWake,
      this.#watch.nextWake,
      this.#birthday.nextWake,
      this.mtu.nextWake,
      this.#hedge.nextWake,
    ].reduce(earliest, undefined)
  }

  /** Brings everything that depends on the paths and on the contact up to date. */
  settle(now: Now): void {
    this.#handshakes.expire(now.instant)
    this.#check(now)
    this.#settleRelays(now)
    this.#settlePaths()
    if (this.#hedge.settle(this.#watch.isActive(now.instant), now.instant)) this.#check(now)
    this.#seekAgainAt = undefined
    if (!this.#needsPath(now.instant)) {
      if (this.agent.current?.type === 'relayed') this.#seekDirect(now)
      else {
        this.#pursuit.succeed()
        this.#places.forget()
      }
    }
    this.#pursuit.pursue(now)
    this.#firstMessage.release(now.instant)
    this.#watch.settle(now.instant)
    this.#birthday.settle(now)
    this.mtu.settle(this.#watch.isActive(now.instant), now.instant)
    this.flow.attentive =
      this.#handshakes.awaitsProof || !this.#watch.isActive(now.instant) || this.#needsPath(now.instant)
  }

  /** The interface has this peer no longer. */
  close(): void {
    this.#birthday.close()
    this.#context.forwarding.remove(this.key)
    for (const index of [this.#indices.own, this.#indices.answer]) {
      if (index !== undefined && this.#context.indices.get(index) === this)
        this.#context.indices.delete(index)
    }
    this.#context.paths.transactions.forget(({ agent }) => agent === this.agent)
    this.#relaying.close()
  }

  /** True where the path answers checks, and WireGuard's handshakes come to nothing. */
  get #isIgnored(): boolean {
    return this.#firstMessage.isIgnored || this.#refusals.count > 1
  }

  // What our WireGuard does

  #firstMessageMade(datagram: Uint8Array, now: Instant): void {
    this.#refusals.made(now)
    const handshake = this.#handshakes.begin(datagram, now)
    this.#index('own', handshake.ourIndex)
    if (!this.#firstMessage.made(handshake, now)) {
      this.#log('a first message waits for a path')
      this.#tryConfigured(handshake, now)
    }
    if (this.#needsPath(now)) this.#want(now)
  }

  /** The user's own endpoint gets the message at once, beside the mesh: there may be a peer without Tunnelbore. */
  #tryConfigured(handshake: OwnHandshake, now: Instant): void {
    const configured = this.#context.takeover.former(this.key)
    if (configured === undefined) return
    const { sockets, routes } = this.#context.paths
    for (const { id } of socketsFor(configured.ip, sockets, routes))
      this.#firstMessage.tryOver(handshake, { socket: id, remote: configured }, now)
  }

  #secondMessageMade(datagram: Uint8Array, now: Instant): void {
    const routes = this.#handshakes.answer(datagram)
    const answer = this.#handshakes.peer?.answer
    if (answer !== undefined) this.#index('answer', answer.ourIndex)
    this.#sendOver(routes ?? this.#pathAsRoutes(), datagram, now)
  }

  #cookieReplyMade(datagram: Uint8Array, now: Instant): void {
    const peer = this.#handshakes.peer
    const routes = peer !== undefined && receiverIndex(datagram) === peer.peerIndex ? peer.sources : undefined
    this.#sendOver(routes ?? this.#pathAsRoutes(), datagram, now)
  }

  #dataMade(datagram: Uint8Array, now: Instant): void {
    const proved = this.#handshakes.confirmed(datagram)
    if (proved !== undefined) {
      this.agent.provedByHandshake(proved, now)
      this.#firstMessage.answered()
    }
    this.#sendOver(this.#pathAsRoutes(), datagram, now)
    if (this.#needsPath(now)) this.#want(now)
  }

  #sendOver(routes: readonly Route[], datagram: Uint8Array, now: Instant): void {
    if (routes.length === 0) {
      // Data of a peer that was there a moment ago is sent again when there is a path.
      if (this.flow.lookout === undefined) this.#context.drop('wireguard-no-path')
      else this.flow.lookout.sent(datagram, now)
      this.#want(now)
      return
    }
    const { path, beside } = this.flow
    const isHedged =
      beside !== undefined && path !== undefined && routes.some((route) => sameRoute(route, path))
    for (const { socket, remote } of isHedged ? [...routes, beside] : routes)
      this.#context.emit({ type: 'send', socket, remote, datagram })
    this.flow.sent(datagram.length, now)
    this.flow.lookout?.sent(datagram, now)
  }

  // What the peer's WireGuard does

  /** Takes note of a first message of the peer's; false where it must not reach our WireGuard. */
  #acceptFirstMessage(datagram: Uint8Array, from: Route, now: Instant): boolean {
    if (this.#firstMessage.goesBefore(from, now)) {
      this.#context.drop('wireguard-glare')
      return false
    }
    const began = this.#handshakes.peerBegan(datagram, from)
    if (began.copy) {
      if (began.answer === undefined) this.#context.drop('wireguard-replayed')
      else this.#sendOver([from], began.answer, now)
      return false
    }
    this.#firstMessage.yieldToPeer()
    this.#refusals.peerMade(now)
    return true
  }

  #deliver(datagram: Uint8Array, from: Route, now: Instant): void {
    const type = wireguardType(datagram)
    if (type === 1 || type === 2) this.#log('WireGuard gets a handshake message', { type })
    this.flow.heard(datagram.length, from.remote.ip, from.remote.port, now)
    this.#context.emit({ type: 'deliver', peer: this.key, datagram })
  }

  // Finding the peer

  #want(now: Instant): void {
    if (!this.#contact.begin(now)) return
    if (this.#pursuit.effort.begin(now)) this.agent.ledger.clear()
    this.#context.reflection.refresh(now)
    this.#relaying.begin(now)
    this.agent.probe(now)
    this.agent.punch(now)
  }

  /** A relay carries the traffic meanwhile. While there is any, the peer is looked for again and again, ever more rarely. */
  #seekDirect(now: Now): void {
    if (!this.#watch.isActive(now.instant) || this.#contact.isUnderWay) return
    const notBefore = later(this.#contact.retryAt, this.#seekNotBefore(now))
    if (notBefore > now.instant) this.#seekAgainAt = notBefore
    else this.#want(now.instant)
  }

  #situation(now: Instant): Situation {
    return { isWanted: this.#contact.isUnderWay, isActive: this.#watch.isActive(now) }
  }

  #settleRelays(now: Now): void {
    const situation = this.#situation(now.instant)
    const { version } = this.#context.discovery.ownRecord
    if (version !== this.#boundAs) {
      this.#boundAs = version
      this.#relaying.moved(situation, now.instant)
    }
    this.#relaying.settle(situation, now)
    // A relay that has just answered is a way to be checked.
    this.#check(now)
  }

  /** There is a new record of the peer's. */
  #heardWhere(now: Now): void {
    const record = this.#record(now)
    if (this.#placesEver.note(record)) this.roaming.noticed('new-record', now.instant)
    this.#pursuit.heardOf(this.#places.note(record))
  }

  #record(now: Now): PeerRecord | undefined {
    return this.#context.discovery.directory.get(this.key, now.unix)?.record
  }

  #isPlausible(record: PeerRecord): (ip: string) => boolean {
    const { paths, reflection } = this.#context
    return plausibility(record, {
      sockets: paths.sockets,
      routes: paths.routes,
      reflexive: reflection.findings.candidates,
    })
  }

  /** What is known of the gateways between the peer and us. */
  #gateways(now: Now): BirthdaySituation | undefined {
    const { paths, reflection, mapped } = this.#context
    const peer = this.#record(now)
    if (peer === undefined) return undefined
    const { findings } = reflection
    return { own: natOf(findings), reflexive: findings.candidates, mapped: mapped(), ...paths, peer }
  }

  /** Where it failed between these two gateways, when it may be tried again. */
  #seekNotBefore(now: Now): Instant {
    const { birthdays } = this.#context
    const situation = this.#gateways(now)
    const hopeless = situation && hopelessMeeting(situation)
    const plan = situation && planBirthday(situation)
    const failed = hopeless === undefined ? birthdays.failed : birthdays.hopeless
    const between = hopeless ?? plan?.between
    return (between && failed.notBefore(between)) ?? now.instant
  }

  #contactFailed(now: Now): void {
    this.agent.giveUp()
    const situation = this.#gateways(now)
    const hopeless = situation && hopelessMeeting(situation)
    if (hopeless !== undefined && this.agent.current?.type === 'relayed')
      this.#context.birthdays.hopeless.failed(hopeless, now.instant)
  }

  // Watching the path in use

  /** True where there is no path, or none that is to be trusted. */
  #needsPath(now: Instant): boolean {
    return !this.agent.isSound || this.#watch.isStale(now)
  }

  /** Sends the checks that are due, and looks for a peer whose path turns out to be silent. */
  #check(now: Now): void {
    if (this.agent.wake(now)) this.roaming.noticed('checks-unanswered', now.instant)
  }

  /** WireGuard got no answer in time: the peer roamed or died. */
  #suspect(now: Instant): void {
    this.agent.suspect()
    this.roaming.noticed('first-message-unanswered', now)
  }

  /** Looks for the peer although there is a path. It may be we that moved, so we ask where we are, too. */
  #lookAgain(now: Instant): void {
    this.#context.reflection.renew(now)
    this.#want(now)
  }

  // Keeping tables in step

  #settlePaths(): void {
    const { forwarding } = this.#context
    const { proved } = this.agent
    if (proved === this.#settledFor.proved && forwarding.releases === this.#settledFor.releases) return
    const former = this.flow.path
    const path = proved.current
    this.flow.path = path
    if (path !== undefined && (former === undefined || !sameRoute(former, path))) {
      this.#log('a path is in use', {
        type: path.type,
        remote: formatSocketAddress(path.remote),
        proof: path.proof,
      })
    }
    for (const remote of [...this.flow.remotes]) {
      if (!proved.remotes.some((known) => sameSocketAddress(known.remote, remote))) forwarding.unmap(remote)
    }
    for (const { remote, answeredAt } of proved.remotes) forwarding.map(remote, this.flow, answeredAt)
    this.#settledFor.proved = proved
    this.#settledFor.releases = forwarding.releases
  }

  /** Who is where is nobody's business but at debug level. */
  #log(message: string, fields: Readonly<Record<string, string | number>> = {}): void {
    this.#context.emit({ type: 'log', level: 'debug', message, fields: { peer: this.key, ...fields } })
  }

  #pathAsRoutes(): readonly Route[] {
    const path = this.agent.current
    return path === undefined ? [] : [path]
  }

  #index(which: 'own' | 'answer', index: number): void {
    const former = this.#indices[which]
    if (former !== undefined && this.#context.indices.get(former) === this)
      this.#context.indices.delete(former)
    this.#indices[which] = index
    this.#context.indices.set(index, this)
  }
}
