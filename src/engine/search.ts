/**
 * The search for one peer: it begins when WireGuard wants a path and there is none to be trusted, and brings together who
 * can help to find one.
 *
 *   wanted ─► contact (look-up, knock) ─► candidates ─► agent (checks) ─► a path ─► ended
 *          ─► relays: a way until there is a direct path        ▲
 *          ─► birthday: many ports, where checks find none ─────┘
 *
 * While only a relay carries the traffic a direct path is looked for again and again, ever more rarely.
 */

import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { earliest, type Instant, later, type Now } from '../base/time.js'
import type { Candidate } from '../wire/candidate.js'
import type { RelayedSession } from '../wire/knock.js'
import type { PeerRecord } from '../wire/record.js'
import type { DecodedStun } from '../wire/stun/message.js'
import type { Contact } from './directory/contact.js'
import type { Effort } from './directory/effort.js'
import { Places } from './directory/places.js'
import { type Means, Pursuit } from './directory/pursuit.js'
import { Whereabouts } from './directory/whereabouts.js'
import type { Emit } from './effects.js'
import type { SocketId } from './inputs.js'
import type { Takeover } from './loopback/takeover.js'
import type { AddressWitnesses } from './path/addressWitnesses.js'
import type { PathAgent } from './path/agent.js'
import { Birthday } from './path/birthday.js'
import type { Birthdays } from './path/birthdays.js'
import type { Machine } from './path/machine.js'
import { Meeting } from './path/meeting.js'
import type { Route } from './path/path.js'
import type { Reflection } from './path/reflection.js'
import type { RelayRequest } from './relay/clientSession.js'
import { Relaying, type Situation } from './relay/relaying.js'
import type { RelayContext } from './relay/relayingParts.js'
import type { Sign } from './roam/signs.js'
import type { PathWatch } from './roam/watch.js'

/** What the searches for all peers of a node share. */
export interface SearchContext {
  readonly emit: Emit
  readonly takeover: Takeover
  readonly discovery: Means
  readonly reflection: Reflection
  readonly paths: Machine
  readonly relays: RelayContext
  readonly birthdays: Birthdays
  /** Who proves where a peer is. */
  readonly witnesses: AddressWitnesses
  /** Our ports that gateways have opened. */
  readonly mapped: () => readonly Candidate[]
}

export interface SearchParts {
  readonly agent: PathAgent
  readonly watch: PathWatch
  readonly log: (message: string, fields?: Readonly<Record<string, string | number>>) => void
  /** To where the name leads that the user gave for it, if he gave one. */
  readonly named: () => readonly SocketAddress[]
  /** There is a sign that something moved. */
  readonly noticed: (sign: Sign, now: Instant) => void
}

export class Search {
  readonly #context: SearchContext
  readonly #parts: SearchParts
  readonly #whereabouts: Whereabouts
  /** Where it was since there was a path. */
  readonly #places = new Places()
  /** The same since the peer is known: a record that names another place is a sign. */
  readonly #placesEver = new Places()
  readonly #meeting: Meeting
  readonly #relaying: Relaying
  readonly #pursuit: Pursuit
  readonly #birthday: Birthday
  /** When a direct path is looked for again. */
  #seekAgainAt: Instant | undefined = undefined
  /** What our own record said when relays were last told where we are. */
  #boundAs = 0

  constructor(key: PublicKey, context: SearchContext, parts: SearchParts) {
    this.#context = context
    this.#parts = parts
    const { agent, watch, log, named } = parts
    const { discovery, reflection, birthdays, witnesses, takeover, paths, mapped } = context
    const { directory } = discovery
    this.#whereabouts = new Whereabouts(key, { directory, takeover, named, machine: paths, reflection })
    const known = () => this.#whereabouts.latest
    this.#meeting = new Meeting({
      machine: paths,
      reflection,
      birthdays,
      witnesses,
      mapped,
      record: (now) => this.#whereabouts.record(now),
    })
    this.#relaying = new Relaying({
      agent,
      context: context.relays,
      peerIdentity: () => known()?.identity,
      isPlausible: (ip) => {
        const record = known()
        return record !== undefined && this.#whereabouts.isPlausible(record)(ip)
      },
      log,
    })
    this.#pursuit = new Pursuit(key, {
      means: discovery,
      reflection,
      relaying: this.#relaying,
      emit: context.emit,
      log,
      isPlausible: (record) => this.#whereabouts.isPlausible(record),
    })
    this.#birthday = new Birthday({
      birthdays,
      agent,
      plan: (now) => this.#meeting.plan(now),
      isActive: (now) => watch.isActive(now.instant),
      knock: (now) => this.#pursuit.knock(now),
    })
  }

  get contact(): Contact {
    return this.#pursuit.contact
  }

  /** For those who ask; nothing is decided by it. */
  get effort(): Effort {
    return this.#pursuit.effort
  }

  /** The peer's record, where one is known that is valid now. */
  record(now: Now): PeerRecord | undefined {
    return this.#whereabouts.record(now)
  }

  /** True while many ports are tried. */
  get isGuessing(): boolean {
    return this.#birthday.isUnderWay
  }

  /**
   * True where the peer is reached, or may be, over this socket. A path in use that nothing takes any more does not
   * count: its session is the relay's to end.
   */
  usesSocket(socket: SocketId, now: Instant): boolean {
    const { agent, watch } = this.#parts
    return (watch.isActive(now) && agent.current?.socket === socket) || this.#relaying.uses(socket, now)
  }

  relayedForAnswer(now: Instant): readonly RelayedSession[] | undefined {
    return this.#relaying.isReadyToAnswer(now) ? this.#relaying.named : undefined
  }

  awaitsAnswer(now: Instant): boolean {
    return this.#pursuit.awaitsAnswer(now)
  }

  /** Whether a check, or an answer, over such a route is what many ports are tried for. */
  expects(route: Route): boolean {
    return this.#birthday.expects(route)
  }

  /** True where there is no path, or none that is to be trusted. */
  needsPath(now: Instant): boolean {
    return !this.#parts.agent.isSound || this.#parts.watch.isStale(now)
  }

  /** A path is wanted. */
  want(now: Instant): void {
    const { agent } = this.#parts
    if (!this.contact.begin(now)) return
    if (this.#pursuit.effort.begin(now)) agent.ledger.clear()
    this.#context.reflection.refresh(now)
    this.#relaying.begin(now)
    agent.probe(now)
    agent.punch(now)
  }

  /** Sends the checks that are due, and looks for a peer whose path turns out to be silent. */
  check(now: Now): void {
    if (this.#parts.agent.wake(now)) this.#parts.noticed('checks-unanswered', now.instant)
  }

  /** WireGuard got no answer in time: the peer roamed or died. */
  suspect(now: Instant): void {
    this.#parts.agent.suspect()
    this.#parts.noticed('first-message-unanswered', now)
  }

  /** Looks for the peer although there is a path. It may be we that moved, so we ask where we are, too. */
  lookAgain(now: Instant): void {
    this.#context.reflection.renew(now)
    this.want(now)
  }

  // What happens

  /** Tells the agent where the peer may be. */
  offerCandidates(now: Now): void {
    const record = this.record(now)
    const ip = record?.provedAddress?.ip
    const isProved = record && ip && this.#context.witnesses.prove(record, ip, now.unix)
    this.#parts.agent.offer(this.#whereabouts.candidates(now), isProved === true ? ip : undefined)
  }

  recordKnown(isNews: boolean, now: Now): void {
    this.#parts.log('its record was found')
    if (isNews) this.#heardWhere(now)
    this.offerCandidates(now)
    if (this.contact.isUnderWay) this.#parts.agent.punch(now.instant)
  }

  /** The name that the user gave for it leads elsewhere. */
  namedElsewhere(now: Now): void {
    this.offerCandidates(now)
    if (this.contact.isUnderWay) this.#parts.agent.punch(now.instant)
  }

  lookUpEnded(now: Now): void {
    this.#parts.log('a look-up ended')
    this.#pursuit.lookUpEnded(now)
  }

  knocked(relayed: readonly RelayedSession[], now: Now): void {
    const { agent, log } = this.#parts
    log('it knocked')
    this.#pursuit.effort.heardKnock(now.instant)
    this.#heardWhere(now)
    this.#parts.noticed('knocked', now.instant)
    this.contact.inTouch()
    this.#relaying.heard(relayed, this.needsPath(now.instant), now.instant)
    this.#birthday.touched(now.instant)
    this.offerCandidates(now)
    agent.suspectWithdrawn()
    agent.probe(now.instant)
    agent.punch(now.instant, !this.contact.isUnderWay)
  }

  knockAnswered(relayed: readonly RelayedSession[], now: Now): void {
    const { agent, log } = this.#parts
    log('it answered our knock')
    this.#places.note(this.#whereabouts.record(now))
    this.#pursuit.knockAnswered(now.instant)
    this.#relaying.heard(relayed, false, now.instant)
    this.#birthday.touched(now.instant)
    this.offerCandidates(now)
    if (!agent.isSound) agent.punch(now.instant)
  }

  /** `closed`: its node took the knock, and ended without an answer. */
  knockFailed(why: string, closed: boolean, now: Instant): void {
    this.#pursuit.knockFailed(why, closed, now)
  }

  /** A check of the peer's came in; where it passed through a relay, that is a way to answer. */
  checkReceived(from: Route, now: Instant): void {
    this.#relaying.checkReceived(from, now)
  }

  /** A member relay answered a request of ours. */
  relayAnswered(request: RelayRequest, response: DecodedStun, from: Route, now: Now): void {
    this.#relaying.answered(request, response, from, now)
  }

  /** The mesh offers further member relays. */
  relaysChanged(): void {
    this.#relaying.offersChanged()
  }

  /** Relays can be reached in other ways: streams have come or gone, or UDP works again. */
  waysToRelaysChanged(now: Now): void {
    this.offerCandidates(now)
    this.#parts.agent.encourage()
    this.#parts.agent.machineChanged()
    this.#relaying.waysChanged(now.instant)
  }

  /** Sockets, routes, or who is online changed. */
  surroundingsChanged(now: Now): void {
    this.#pursuit.encourage()
    this.offerCandidates(now)
    this.#parts.agent.encourage()
    this.#parts.agent.machineChanged()
    this.#relaying.moved(this.#situation(now.instant), now.instant)
    // Relays drop what comes from the new socket before the bind does.
    this.#relaying.settle(this.#situation(now.instant), now)
    this.#parts.noticed('machine-changed', now.instant)
  }

  /** Relays are to learn where we are, and we whether they live. */
  bindRelaysAgain(now: Instant): void {
    this.#relaying.bindAgain(now)
  }

  // What is due

  /** Gives an attempt up that has taken too long. */
  wake(now: Now): void {
    if (!this.contact.wake(now.instant)) return
    const { agent } = this.#parts
    agent.giveUp()
    this.#meeting.failed(agent.current?.type === 'relayed', now)
  }

  get nextWake(): Instant | undefined {
    const next = earliest(this.#pursuit.nextWake, this.#relaying.nextWake)
    return earliest(next, earliest(this.#seekAgainAt, this.#birthday.nextWake))
  }

  /** Does what relays are to be asked and told now. */
  settleRelays(now: Now): void {
    const situation = this.#situation(now.instant)
    const { version } = this.#context.discovery.ownRecord
    if (version !== this.#boundAs) {
      this.#boundAs = version
      this.#relaying.moved(situation, now.instant)
    }
    this.#relaying.settle(situation, now)
    // A relay that has just answered is a way to be checked.
    this.check(now)
  }

  /** Ends the search where there is a path, and does what it takes where there is none. */
  pursue(now: Now): void {
    this.#seekAgainAt = undefined
    if (!this.needsPath(now.instant)) {
      if (this.#parts.agent.current?.type === 'relayed') this.#seekDirect(now)
      else {
        this.#pursuit.succeed()
        this.#places.forget()
      }
    }
    this.#pursuit.pursue(now)
  }

  /** Begins and ends trying many ports. */
  guess(now: Now): void {
    this.#birthday.settle(now)
  }

  /** The interface has the peer no longer. */
  close(): void {
    this.#birthday.close()
    this.#relaying.close()
  }

  /** A relay carries the traffic meanwhile. While there is any, the peer is looked for again and again, ever more rarely. */
  #seekDirect(now: Now): void {
    if (!this.#parts.watch.isActive(now.instant) || this.contact.isUnderWay) return
    const notBefore = later(this.contact.retryAt, this.#meeting.notBefore(now))
    if (notBefore > now.instant) this.#seekAgainAt = notBefore
    else this.want(now.instant)
  }

  /** There is a new record of the peer's. */
  #heardWhere(now: Now): void {
    const record = this.#whereabouts.record(now)
    if (this.#placesEver.note(record)) this.#parts.noticed('new-record', now.instant)
    if (this.#placesEver.haveChanged) this.#parts.agent.peerMoved()
    this.#pursuit.heardOf(this.#places.note(record))
  }

  #situation(now: Instant): Situation {
    return { isWanted: this.contact.isUnderWay, isActive: this.#parts.watch.isActive(now) }
  }
}
