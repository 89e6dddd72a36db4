/**
 * Hedging: while the path in use may be dead, everything goes over another proved one as well, and what was sent last is
 * sent again over that. WireGuard drops what comes twice by its counters.
 *
 *   calm ── alarm ──► both: the last messages again, all that follows twice; every path is asked
 *    │ ▲               │ the path in use answers (a false alarm); or is replaced (a true one); or time is up
 *    │ └───────────────┘
 *    └─ an alarm that is to be doubted ──► asking: only the path in use is asked; no answer in time is an alarm
 *
 * What alarms is said in alarms.ts. Only answers to checks sent since the alarm end it, because they prove both
 * directions: a message that comes over the path in use proves one. A peer that is gone fails all checks within two
 * seconds; then there is no sound path left to hedge with, until checks prove one again.
 */

import { formatSocketAddress } from '../../base/address.js'
import { after, asInstant, elapsed, type Instant, later, SECOND } from '../../base/time.js'
import { wireguardType } from '../../wire/wireguard.js'
import type { Flow } from '../loopback/forwarding.js'
import { Lookout } from '../loopback/lookout.js'
import type { PathAgent } from '../path/agent.js'
import { type Path, type Route, sameRoute } from '../path/path.js'
import type { Beside } from '../path/proved.js'
import { type AlarmKind, Alarms } from './alarms.js'
import { chooseBeside } from './beside.js'

/** After an alarm that was false the next one comes no sooner. */
const PAUSE_MS = 250

/** The peer hears of our alarm a little later than we, and so ends its own a little later. */
const HEED_AGAIN_MS = 1 * SECOND

/** Both ways are used for no longer than two seconds and some round trips: the verdict comes before, as a rule. */
const LONGEST_HEDGE_MS = 2 * SECOND
const LONGEST_HEDGE_ROUND_TRIPS = 3
/** After a hedge without a verdict. */
const LONG_PAUSE_MS = 1 * SECOND

const NEVER = asInstant(Number.NEGATIVE_INFINITY)
const NO_MORE = asInstant(Number.POSITIVE_INFINITY)

/** Relayed paths that are not in use are checked every 20 s: less than that. In alarm one is checked again after 50 ms. */
const WARM_MS = 15 * SECOND

interface Alarm {
  readonly kind: AlarmKind
  readonly at: Instant
  /** Since when checks are sent whose answers count. */
  readonly askedAt: Instant
  /** The path that was in use. */
  readonly path: Path
  /** What has answered a check that was sent since. */
  readonly answered: Route[]
}

type State =
  | { readonly type: 'calm' }
  | { readonly type: 'asking'; readonly alarm: Alarm }
  | { readonly type: 'both'; readonly alarm: Alarm }

const CALM: State = { type: 'calm' }

export interface HedgeMeans {
  readonly send: (over: Route, datagram: Uint8Array) => void
  /** There is an alarm: another path carries everything as well, or the one in use is asked. */
  readonly alarmed: (kind: AlarmKind, decision: 'use-both' | 'ask', now: Instant) => void
  readonly log: (message: string, fields: Readonly<Record<string, string>>) => void
}

export class Hedge {
  readonly #flow: Flow
  readonly #agent: PathAgent
  readonly #means: HedgeMeans
  readonly #alarms: Alarms
  #state: State = CALM
  /** The path in use when that was last looked at. */
  #path: Path | undefined = undefined
  /** The one before, where there is none now. */
  #lost: Path | undefined = undefined
  #notBefore: Instant = NEVER
  #heedsFrom: Instant = NEVER
  /** When the peer last checked each relayed path that is not in use, if that was lately. */
  #relayedChecks: readonly { readonly route: Route; readonly at: Instant }[] = []

  constructor(flow: Flow, agent: PathAgent, means: HedgeMeans) {
    this.#flow = flow
    this.#agent = agent
    this.#means = means
    this.#alarms = new Alarms(flow, agent)
  }

  /** A message of the peer's WireGuard came over a proved path, and is about to be delivered. */
  heard({ remote }: Route, now: Instant): void {
    const { lookout } = this.#flow
    if (lookout?.cameOverPath !== true || this.#flow.isPath(remote.ip, remote.port)) return
    this.#detoured(({ path }) => path.remote.ip === remote.ip && path.remote.port === remote.port, now)
  }

  /** An authenticated check of the peer's came over `from`. */
  checked(from: Route, now: Instant): void {
    if (this.#path === undefined || sameRoute(from, this.#path)) return
    if (this.#keepsWarm(from, now) || !this.#alarms.isSign(from, now)) return
    this.#detoured(({ path }) => sameRoute(path, from), now)
  }

  /** Whether a check over a relayed path may be one of those that come now and then, alarm or not: the first in a while. */
  #keepsWarm(from: Route, now: Instant): boolean {
    const isRelayed = this.#agent.proved.besides.some(
      ({ path }) => path.type === 'relayed' && sameRoute(path, from),
    )
    if (!isRelayed) return false
    const isFirst = !this.#relayedChecks.some(
      ({ route, at }) => sameRoute(route, from) && elapsed(at, now) < WARM_MS,
    )
    const others = this.#relayedChecks.filter(({ route }) => !sameRoute(route, from))
    this.#relayedChecks = [...others, { route: from, at: now }].filter(({ at }) => elapsed(at, now) < WARM_MS)
    return isFirst
  }

  /** Our check over `route`, sent at `sentAt`, was answered. */
  answered(route: Route, sentAt: Instant, now: Instant): void {
    if (this.#path !== undefined && sameRoute(route, this.#path)) this.#alarms.answered(sentAt, now)
    if (this.#state.type === 'calm' || sentAt < this.#state.alarm.askedAt) return
    const { answered } = this.#state.alarm
    if (!answered.some((known) => sameRoute(known, route))) answered.push(route)
  }

  /** Brings all up to date, after everything that happened. True where checks are due now. */
  settle(isActive: boolean, now: Instant): boolean {
    const { current, besides } = this.#agent.proved
    this.#followPath(current, now)
    if (current !== undefined) this.#judge(current, now)
    else if (this.#state.type !== 'calm') this.#end(now)
    if (!isActive || current?.proof === 'handshake') {
      this.#standDown(now)
      return false
    }
    this.#flow.lookout ??= new Lookout()
    if (current === undefined) return false
    if (this.#state.type === 'both' && besides.length === 0) this.#end(now)
    const raised = this.#dueAlarm(now)
    if (raised !== undefined) this.#raise(raised, undefined, now)
    else if (this.#state.type === 'both') this.#goOn(this.#state.alarm, besides, now)
    this.#alarms.listen(this.#heedsPeerFrom)
    return this.#state.type === 'both' || raised !== undefined
  }

  get nextWake(): Instant | undefined {
    if (this.#state.type === 'both') return after(this.#state.alarm.at, longestMs(this.#state.alarm.path))
    if (!this.#isAlert) return undefined
    const due = this.#alarms.dueAt(this.#state.type === 'asking')
    return due === undefined ? undefined : later(due, this.#notBefore)
  }

  // Alarms

  /** False where an alarm would change nothing: the only path is being asked, or is known to be silent. */
  get #isAlert(): boolean {
    if (this.#agent.proved.besides.length > 0) return true
    return this.#state.type === 'calm' && this.#agent.isSound
  }

  #dueAlarm(now: Instant): AlarmKind | undefined {
    if (this.#state.type === 'both' || now < this.#notBefore || !this.#isAlert) return undefined
    return this.#alarms.due(this.#state.type === 'asking', now)
  }

  /** The peer, which has used our path before, uses another one now. */
  #detoured(isUsed: (beside: Beside) => boolean, now: Instant): void {
    if (now < this.#heedsPeerFrom) return
    const beside = this.#agent.proved.besides.find(isUsed)
    if (beside !== undefined) this.#raise('detour', beside, now)
    this.#alarms.listen(this.#heedsPeerFrom)
  }

  get #heedsPeerFrom(): Instant {
    return this.#state.type === 'both' ? NO_MORE : later(this.#heedsFrom, this.#alarms.heedsPeerFrom)
  }

  #raise(kind: AlarmKind, beside: Beside | undefined, now: Instant): void {
    const path = this.#path
    if (path === undefined) return
    const isBelieved = this.#alarms.isBelieved(kind, now)
    this.#alarms.raised(kind, now)
    const { besides } = this.#agent.proved
    const chosen = isBelieved ? (beside ?? chooseBeside(path, besides, [], undefined, now))?.path : undefined
    const others = besides.flatMap(({ path: other }) => (other === chosen ? [] : [other]))
    if (besides.length > 0) this.#agent.askThoroughly(chosen === undefined ? [] : [chosen, ...others], now)
    else if (isBelieved) this.#agent.probeQuickly(now)
    else this.#agent.probe(now)
    const alarm = { kind, at: now, askedAt: this.#agent.askedAt ?? now, path, answered: [] }
    this.#state = { type: chosen === undefined ? 'asking' : 'both', alarm }
    this.#means.alarmed(kind, chosen === undefined ? 'ask' : 'use-both', now)
    if (chosen === undefined) return
    this.#means.log('its path is silent: another one is used as well', { alarm: kind })
    this.#use(chosen, this.#alarms.lostSince(kind, path.rttMs), now)
  }

  // While both are used

  /** A path that has answered is used rather than one that has not. */
  #goOn(alarm: Alarm, besides: readonly Beside[], now: Instant): void {
    // An answer to an earlier check ends the series, and says nothing.
    if (this.#agent.askedAt === undefined) this.#agent.askThoroughly([], now)
    const { beside } = this.#flow
    const chosen = chooseBeside(alarm.path, besides, alarm.answered, beside, now)?.path
    if (chosen === undefined) return
    if (beside === undefined || !sameRoute(chosen, beside)) this.#use(chosen, NEVER, now)
  }

  /** Sends over `path` as well from now on, and what was sent since `since` at once. */
  #use(path: Path, since: Instant, now: Instant): void {
    this.#flow.beside = path
    for (const message of this.#flow.lookout?.recent(since, now) ?? []) this.#means.send(path, message)
  }

  #followPath(current: Path | undefined, now: Instant): void {
    const former = this.#path
    this.#path = current
    if (current !== undefined && former !== undefined && sameRoute(current, former)) return
    if (former !== undefined && current === undefined) this.#lost = former
    if (current !== undefined) this.#sendLost(current, former ?? this.#lost, now)
    this.#alarms.pathChanged(current?.rttMs ?? 0, now)
    if (this.#state.type === 'asking') this.#state = CALM
  }

  /** The path that was in use is none any more, or is silent: what may have been lost over it goes over the new one. */
  #sendLost(current: Path, former: Path | undefined, now: Instant): void {
    this.#lost = undefined
    if (former === undefined || this.#state.type === 'both') return
    if (this.#agent.proofOf(former)?.isSound === true) return
    const since = this.#alarms.lostSince('answers', former.rttMs)
    for (const message of this.#flow.lookout?.recent(since, now) ?? [])
      if (wireguardType(message) === 4) this.#means.send(current, message)
  }

  // How it ends

  #judge(current: Path, now: Instant): void {
    if (this.#state.type === 'calm') return
    const { alarm } = this.#state
    const isAnswered = alarm.answered.some((route) => sameRoute(route, current))
    const isOver = elapsed(alarm.at, now) >= longestMs(alarm.path)
    if (isAnswered && !sameRoute(current, alarm.path)) this.#alarms.wasTrue()
    else if (isAnswered) this.#wasFalse(alarm.kind, now)
    else if (isOver) this.#notBefore = after(now, LONG_PAUSE_MS)
    else if (this.#state.type === 'both' || this.#agent.askedAt !== undefined) return
    this.#end(now)
  }

  #wasFalse(kind: AlarmKind, now: Instant): void {
    this.#notBefore = after(now, PAUSE_MS)
    this.#alarms.wasFalse(kind, now)
  }

  #end(now: Instant): void {
    if (this.#state.type === 'both') {
      this.#means.log('one path is used again', describe(this.#path))
      this.#heedsFrom = after(now, HEED_AGAIN_MS)
    }
    this.#state = CALM
    this.#flow.beside = undefined
  }

  #standDown(now: Instant): void {
    if (this.#state.type !== 'calm') this.#end(now)
    this.#flow.lookout = undefined
  }
}

function longestMs({ rttMs = 0 }: Path): number {
  return LONGEST_HEDGE_MS + LONGEST_HEDGE_ROUND_TRIPS * rttMs
}

function describe(path: Path | undefined): Readonly<Record<string, string>> {
  return path === undefined ? {} : { remote: formatSocketAddress(path.remote) }
}
