/**
 * What is known of the NATs before us, and when it is found out:
 *
 *   reflections ─► mapping, port preservation, and whether UDP gets out at all
 *        │ answered, and the mesh is connected
 *        ▼
 *   a spare socket ─► trial: filtering, hairpinning ─► mapping lifetime ─► nothing for hours
 *        ▲                                                                   │
 *        └── we are seen at another address, or another socket counts ◄──────┘
 *   a gateway that maps ports ─► its own outer address: a second NAT?
 *
 * One uplink counts: of IPv4 if there is one, and of those the one whose mapping is the strictest.
 */

import { backoffMs } from '../../base/backoff.js'
import type { Random } from '../../base/random.js'
import { after, earliest, HOUR, type Instant, MINUTE, SECOND } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { Input, LocalSocket, UdpProber } from '../inputs.js'
import type { Uplink } from './findings.js'
import { keepaliveMs, measureLifetime, type NatLifetime } from './natLifetime.js'
import { hasSecondNat, preservesPort } from './natMapping.js'
import { type Experiment, filteringOf, type Helpers, NOTHING_TRIED, natTrial } from './natProbing.js'
import { NatSteps, type Outcome } from './natSteps.js'
import { helpersFor, isAsBefore, uplinkThatCounts } from './natUplink.js'
import type { Route } from './path.js'
import type { Reflection } from './reflection.js'
import { UdpReach } from './udpReach.js'

/** Changes come in bursts, and a node that starts has better things to do. */
const SETTLED_MS = 2 * SECOND
/** Where the filtering could not be told. */
const RETRY = { first: MINUTE, longest: HOUR }
/** Where it could. */
const AGAIN_MS = 6 * HOUR
/** How long opening a socket may take. */
const OPENING_MS = 5 * SECOND

/** What is told of the NATs besides mapping and filtering. Undefined is what is not known. */
export interface NatStatus {
  readonly portPreserving: boolean | undefined
  readonly hairpinning: boolean | undefined
  /** A mapping that rests is known to live so long, at least, in milliseconds. */
  readonly lifetimeMs: number | undefined
  /** True where there is a NAT above the one of which a port mapping protocol tells. */
  readonly secondNat: boolean | undefined
  /** False where no UDP gets out. */
  readonly udp: boolean | undefined
}

type State =
  | { readonly name: 'idle' }
  | { readonly name: 'opening'; readonly ip: string; readonly until: Instant; readonly helpers: Helpers }
  | { readonly name: 'trying'; readonly steps: NatSteps; readonly experiment: Experiment<undefined> }

export type NatInput = Extract<
  Input,
  {
    readonly type:
      | 'spare-socket-opened'
      | 'spare-socket-failed'
      | 'udp-probe-answered'
      | 'external-address-told'
  }
>

export class NatKnowledge {
  readonly #emit: Emit
  readonly #random: Random
  readonly #reflection: Reflection
  readonly #udp = new UdpReach()
  #isConnected = false
  #probers: readonly UdpProber[] = []
  #external: string | undefined = undefined
  /** What the findings are about; they hold no more where it changes. */
  #subject: Uplink | undefined = undefined
  #state: State = { name: 'idle' }
  #startAt: Instant | undefined = undefined
  #failures = 0
  /** Who could be asked when the trial began. */
  #askable = ''
  #trial = NOTHING_TRIED
  #lifetime: NatLifetime | undefined = undefined

  /** Draws nothing from `random` unless it probes. */
  constructor(emit: Emit, random: Random, reflection: Reflection) {
    this.#emit = emit
    this.#random = random
    this.#reflection = reflection
  }

  get status(): NatStatus {
    const uplinks = this.#reflection.uplinks
    const preserved = uplinks.map(({ socket, seen }) => preservesPort(socket.address, seen))
    const reflexive = uplinks.flatMap(({ seen }) => seen)
    return {
      portPreserving: preserved.includes(false) ? false : preserved.includes(true) ? true : undefined,
      hairpinning: this.#trial.hairpinning,
      lifetimeMs: this.#lifetime?.survivedMs,
      secondNat: hasSecondNat(this.#external, reflexive),
      udp: this.#udp.getsOut,
    }
  }

  /** How often a path in use is to be asked, so that its mappings live. */
  get keepaliveMs(): number {
    return keepaliveMs(this.#lifetime)
  }

  get nextWake(): Instant | undefined {
    const state = this.#state
    const own =
      state.name === 'opening'
        ? state.until
        : state.name === 'trying'
          ? state.steps.nextWake
          : this.#canProbe
            ? this.#startAt
            : undefined
    return earliest(own, this.#udp.askAt)
  }

  meshChanged(isConnected: boolean, probers: readonly UdpProber[], now: Instant): void {
    const isNews = namesOf(probers) !== namesOf(this.#probers)
    this.#isConnected = isConnected
    this.#probers = probers
    if (isNews && this.#isUnsure) this.#startWithin(SETTLED_MS, now)
    this.review(now)
  }

  handle(input: NatInput, now: Instant): void {
    const state = this.#state
    switch (input.type) {
      case 'spare-socket-opened':
        if (state.name === 'opening' && state.ip === input.socket.address.ip)
          this.#begin(input.socket, state.helpers, now)
        else this.#emit({ type: 'close-spare-socket', socket: input.socket.id })
        break
      case 'spare-socket-failed':
        if (state.name === 'opening' && state.ip === input.ip) this.#finish(now)
        break
      case 'udp-probe-answered':
        if (state.name === 'trying')
          this.#goOn(state.steps.probeAnswered(input.nonce, input.ip, input.otherPort, now), now)
        break
      case 'external-address-told':
        this.#external = input.ip
    }
  }

  /** Takes what came to the spare socket; false where it came to another. */
  received({ socket, remote }: Route, datagram: Uint8Array, now: Instant): boolean {
    const state = this.#state
    if (state.name !== 'trying' || state.steps.socket.id !== socket) return false
    this.#goOn(state.steps.received(datagram, remote), now)
    return true
  }

  /** Sockets, reflections or the mesh may have changed. */
  review(now: Instant): void {
    const reflection = this.#reflection
    const former = this.#udp.getsOut
    // Silence says something where the very host that should reflect is connected over TCP.
    const isServed = this.#isConnected && this.#probers.length > 0
    this.#udp.review(reflection.round, reflection.begunAt, isServed, now)
    this.#tellOfUdp(former)
    if (!this.#isConnected || this.#hasLostItsAddress) this.#abort(now)
    if (reflection.isAsking || reflection.round !== 'answered') return
    const uplink = uplinkThatCounts(reflection.uplinks)
    const known = this.#subject
    if (uplink !== undefined && known !== undefined && isAsBefore(uplink, known)) {
      // With a reflector less the mapping cannot be told; it is what it was.
      this.#subject = uplink.mapping === 'unknown' ? { ...uplink, mapping: known.mapping } : uplink
      return
    }
    if (uplink === undefined && known === undefined) return
    this.#abort(now)
    this.#subject = uplink
    this.#trial = NOTHING_TRIED
    this.#lifetime = undefined
    this.#failures = 0
    this.#startAt = undefined
    this.#tell()
    if (uplink !== undefined) this.#startWithin(SETTLED_MS, now)
  }

  wake(now: Instant): void {
    this.review(now)
    const { askAt } = this.#udp
    if (askAt !== undefined && askAt <= now) {
      this.#udp.asked()
      this.#reflection.renew(now)
    }
    const state = this.#state
    if (state.name === 'opening' && state.until <= now) this.#finish(now)
    else if (state.name === 'trying') this.#goOn(state.steps.wake(now), now)
    else if (state.name === 'idle' && this.#canProbe && this.#startAt !== undefined && this.#startAt <= now)
      this.#open(now)
  }

  get #canProbe(): boolean {
    return this.#isConnected && this.#subject !== undefined && this.#probers.length > 0
  }

  /** The spare socket is at an address that the machine no longer has. */
  get #hasLostItsAddress(): boolean {
    const state = this.#state
    if (state.name === 'idle') return false
    return !this.#reflection.hasSocket(state.name === 'opening' ? state.ip : state.steps.socket.address.ip)
  }

  get #isUnsure(): boolean {
    const uplink = this.#subject
    return uplink !== undefined && filteringOf(this.#trial, uplink.mapping) === 'unknown'
  }

  #open(now: Instant): void {
    this.#startAt = undefined
    this.#askable = namesOf(this.#probers)
    const uplink = this.#subject
    const helpers = uplink && helpersFor(uplink, this.#probers, (ip) => this.#reflection.asks(ip))
    if (uplink === undefined || helpers === undefined) return
    const { ip } = uplink.socket.address
    this.#state = { name: 'opening', ip, until: after(now, OPENING_MS), helpers }
    this.#emit({ type: 'open-spare-socket', ip })
  }

  #begin(socket: LocalSocket, helpers: Helpers, now: Instant): void {
    const experiment = this.#experiment(helpers)
    const steps = new NatSteps(socket, this.#emit, this.#random)
    this.#state = { name: 'trying', steps, experiment }
    this.#take(experiment.next(), steps, now)
  }

  *#experiment(helpers: Helpers): Experiment<undefined> {
    const uplink = this.#subject
    if (uplink === undefined) return undefined
    this.#trial = yield* natTrial(uplink.socket.address.ip, uplink.mapping, helpers)
    this.#tell()
    const filtering = filteringOf(this.#trial, uplink.mapping)
    const { mapping } = this.#reflection.findings
    this.#log('what is before us was probed', { mapping, filtering })
    // Where nothing maps and nothing filters, nothing is forgotten.
    if (filtering === 'none' || filtering === 'unknown') return undefined
    yield* measureLifetime(helpers.known, (lifetime) => {
      this.#lifetime = lifetime
    })
    return undefined
  }

  #goOn(outcome: Outcome | undefined, now: Instant): void {
    const state = this.#state
    if (state.name !== 'trying' || outcome === undefined) return
    this.#take(state.experiment.next(outcome), state.steps, now)
  }

  #take(next: ReturnType<Experiment<undefined>['next']>, steps: NatSteps, now: Instant): void {
    if (next.done === true) this.#finish(now)
    else steps.begin(next.value, now)
  }

  #finish(now: Instant): void {
    this.#close()
    if (this.#isUnsure) {
      const hasOthers = namesOf(this.#probers) !== this.#askable
      this.#startWithin(hasOthers ? SETTLED_MS : backoffMs(RETRY, this.#failures), now)
      this.#failures += 1
    } else {
      this.#failures = 0
      this.#startWithin(AGAIN_MS, now)
    }
  }

  /** What is under way is called off, and done again when it can be. */
  #abort(now: Instant): void {
    if (this.#state.name === 'idle') return
    this.#close()
    this.#startWithin(SETTLED_MS, now)
  }

  #close(): void {
    const state = this.#state
    if (state.name === 'trying') this.#emit({ type: 'close-spare-socket', socket: state.steps.socket.id })
    this.#state = { name: 'idle' }
  }

  #startWithin(ms: number, now: Instant): void {
    if (this.#state.name === 'idle') this.#startAt = earliest(this.#startAt, after(now, ms))
  }

  /** What was found out goes into our record. */
  #tell(): void {
    const uplink = this.#subject
    this.#reflection.probed = {
      filtering: uplink === undefined ? 'unknown' : filteringOf(this.#trial, uplink.mapping),
      portDependent: this.#trial.portDependent === true,
    }
  }

  #tellOfUdp(former: boolean | undefined): void {
    const { getsOut } = this.#udp
    if (getsOut === false && former !== false)
      this.#log('no reflector answers, while the mesh is connected: no UDP gets out here', {})
    else if (getsOut === true && former === false) this.#log('UDP gets out again', {})
  }

  #log(message: string, fields: Readonly<Record<string, string>>): void {
    this.#emit({ type: 'log', level: 'info', message, fields })
  }
}

function namesOf(probers: readonly UdpProber[]): string {
  return probers.map(({ server, reflector }) => `${server} ${reflector.ip}`).join(' ')
}
