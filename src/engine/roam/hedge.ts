/**
 * Hedging: while the path in use may be dead, everything goes over another proved one as well, and what was sent last is
 * sent again over that. WireGuard drops what comes twice by its counters.
 *
 *   calm ── alarm ──► both ways: its last messages again, all that follows twice; every path is asked
 *    │ ▲                 │ the path in use answers (a false alarm); or is replaced (a true one); or time is up
 *    │ └─────────────────┘
 *    └─ an alarm that is to be doubted ──► asking: only the path in use is asked; no answer in time is an alarm
 *
 * What alarms, each by its own measure (expectation.ts):
 * - answers: something was sent that asks for an answer, and no answer came for longer than they take here. A flow that
 *   is answered late or never (a stream out of us; WireGuard's own keepalive after 10 s) teaches that, and alarms no more.
 * - a stream: for two seconds messages came with short pauses only, and now there is a long one. So the receiver of a
 *   one-way stream notices, and its checks over the other paths tell the sender.
 * - a check: the path in use was asked, for whatever reason, and has not answered in time.
 * - a detour: the peer's messages came over the path in use, and now over another one; or it checks another one while
 *   nothing comes over this one. So it is in alarm. What we sent it may be lost, though it was not our questions that
 *   were.
 *
 * Only answers to checks sent since the alarm end it, because they prove both directions: a message that comes over the
 * path in use proves one. False alarms make us doubt the next ones, and the measures grow with them. A peer that is gone
 * fails all checks within a second; then there is no sound path left to hedge with.
 */

import { formatSocketAddress } from '../../base/address.js'
import { after, asInstant, earliest, elapsed, type Instant, later, SECOND } from '../../base/time.js'
import { Expectation } from '../loopback/expectation.js'
import type { Flow } from '../loopback/forwarding.js'
import { Lookout, RECENT_MS } from '../loopback/lookout.js'
import type { Beside, PathAgent } from '../path/agent.js'
import { type Path, type Route, sameRoute } from '../path/path.js'
import { chooseBeside } from './beside.js'
import { Caution } from './caution.js'

/** A measure longer than this is left to the watch (watch.ts), which asks after that time anyhow. */
const LONGEST_WAIT_MS = 750

/** Messages come with short pauses for so long before their absence means something; after false alarms longer. */
const STREAM_MS = 2 * SECOND
const LONGEST_STREAM_MS = 64 * SECOND
/** … until there was none for so many times as long. */
const FORGOTTEN_AFTER = 4

/** A peer that sent something so short a time ago is not in alarm because it checks another path. */
const LIVELY_MS = 60

/** After an alarm that was false the next one comes no sooner. */
const PAUSE_MS = 250

/** The peer hears of our alarm a little later than we, and so ends its own a little later. */
const HEED_AGAIN_MS = 1 * SECOND

/** Both ways are used for no longer than two seconds and some round trips: the verdict comes before, as a rule. */
const LONGEST_HEDGE_MS = 2 * SECOND
const LONGEST_HEDGE_ROUND_TRIPS = 3

const NEVER = asInstant(Number.NEGATIVE_INFINITY)

export type AlarmKind = 'answers' | 'stream' | 'check' | 'detour'

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
  readonly log: (message: string, fields: Readonly<Record<string, string>>) => void
}

export class Hedge {
  readonly #flow: Flow
  readonly #agent: PathAgent
  readonly #means: HedgeMeans
  #state: State = CALM
  /** The path in use when that was last looked at. */
  #path: Path | undefined = undefined
  /** How long checks over the path in use take. */
  readonly #checks = new Expectation()
  /** Of what we notice ourselves, and of what the peer's doings say. */
  readonly #doubt = new Caution()
  readonly #hearsay = new Caution()
  #streamMs = STREAM_MS
  #streamAlarmAt: Instant = NEVER
  #notBefore: Instant = NEVER
  /** While the peer's own alarm ends, what comes over the other path says nothing. */
  #heedsFrom: Instant = NEVER

  constructor(flow: Flow, agent: PathAgent, means: HedgeMeans) {
    this.#flow = flow
    this.#agent = agent
    this.#means = means
  }

  /** True while everything goes both ways. */
  get isHedging(): boolean {
    return this.#state.type === 'both'
  }

  /** A message of the peer's WireGuard is about to be delivered that came over a proved path. */
  heard({ remote }: Route, now: Instant): void {
    const { lookout } = this.#flow
    if (lookout?.cameOverPath !== true || this.#flow.isPath(remote.ip, remote.port)) return
    const beside = this.#agent.proved.besides.find(
      ({ path }) => path.remote.ip === remote.ip && path.remote.port === remote.port,
    )
    this.#detoured(beside, now)
  }

  /** An authenticated check of the peer's came over `from`. */
  checked(from: Route, now: Instant): void {
    const { lookout } = this.#flow
    if (lookout === undefined || this.#path === undefined || sameRoute(from, this.#path)) return
    // It may be that the two sides use different paths, and this is the peer's.
    if (lookout.cameFrom(from.remote.ip, from.remote.port)) return
    if (elapsed(lookout.heardAt, now) < LIVELY_MS || elapsed(lookout.sentAt, now) > RECENT_MS) return
    this.#detoured(
      this.#agent.proved.besides.find(({ path }) => sameRoute(path, from)),
      now,
    )
  }

  /** Our check over `route`, sent at `sentAt`, was answered. To be told before the flow is. */
  answered(route: Route, sentAt: Instant, now: Instant): void {
    const isInUse = this.#path !== undefined && sameRoute(route, this.#path)
    if (isInUse) {
      this.#checks.measured(elapsed(sentAt, now))
      this.#carries(sentAt, now)
    }
    if (this.#state.type === 'calm' || sentAt < this.#state.alarm.askedAt) return
    const { alarm } = this.#state
    if (!alarm.answered.some((known) => sameRoute(known, route))) alarm.answered.push(route)
  }

  /** The path in use carries. If a question asked before that has no answer yet, then it may take so long. */
  #carries(sentAt: Instant, now: Instant): void {
    const { lookout } = this.#flow
    if (lookout === undefined || lookout.waitsSince > sentAt) return
    lookout.answers.measured(elapsed(lookout.waitsSince, now))
    lookout.answered()
  }

  /** Brings all up to date. True where checks are due now. */
  settle(isActive: boolean, now: Instant): boolean {
    const { current, besides } = this.#agent.proved
    this.#followPath(current, now)
    if (current !== undefined) this.#judge(current, now)
    if (!isActive || current?.proof !== 'check' || besides.length === 0) {
      this.#standDown(now)
      return false
    }
    this.#flow.lookout ??= new Lookout()
    const raised = this.#state.type === 'both' ? undefined : this.#dueAlarm(now)
    if (raised !== undefined) this.#raise(raised, undefined, now)
    else if (this.#state.type === 'both') this.#goOn(this.#state.alarm, besides, now)
    this.#listen(now)
    return raised !== undefined || this.#state.type === 'both'
  }

  get nextWake(): Instant | undefined {
    if (this.#state.type === 'both') return after(this.#state.alarm.at, longestMs(this.#state.alarm.path))
    const due = earliest(this.#checkDueAt, earliest(this.#answersDueAt, this.#streamDueAt))
    return due === undefined ? undefined : later(due, this.#notBefore)
  }

  // When there is an alarm

  #dueAlarm(now: Instant): AlarmKind | undefined {
    if (now < this.#notBefore) return undefined
    const isDue = (at: Instant | undefined) => at !== undefined && at <= now
    if (isDue(this.#checkDueAt)) return 'check'
    if (isDue(this.#answersDueAt)) return 'answers'
    return isDue(this.#streamDueAt) ? 'stream' : undefined
  }

  get #checkDueAt(): Instant | undefined {
    const { askedAt } = this.#agent
    return this.#flow.lookout === undefined || askedAt === undefined
      ? undefined
      : after(askedAt, this.#checks.waitMs)
  }

  get #answersDueAt(): Instant | undefined {
    const { lookout } = this.#flow
    if (this.#state.type !== 'calm' || lookout === undefined || !Number.isFinite(lookout.waitsSince))
      return undefined
    const waitMs = this.#answerMs(lookout)
    return waitMs > LONGEST_WAIT_MS ? undefined : after(lookout.waitsSince, waitMs)
  }

  get #streamDueAt(): Instant | undefined {
    const { lookout } = this.#flow
    if (this.#state.type !== 'calm' || lookout === undefined || !this.#isStream(lookout)) return undefined
    return after(lookout.heardAt, lookout.pauses.waitMs)
  }

  #answerMs({ answers }: Lookout): number {
    return answers.isMeasured ? answers.waitMs : this.#checks.waitMs
  }

  #isStream({ streamSince, heardAt }: Lookout): boolean {
    return elapsed(streamSince, heardAt) >= this.#streamMs
  }

  /** What the flow is to tell of, because nothing here would look by itself. */
  #listen(now: Instant): void {
    const { lookout } = this.#flow
    if (lookout === undefined) return
    lookout.streamMs = this.#streamMs
    lookout.tellsOfStreams = !this.#isStream(lookout)
    lookout.tellsOfDetours = this.#heeds(now)
    lookout.tellsOfQuestions =
      !Number.isFinite(lookout.waitsSince) && this.#answerMs(lookout) <= LONGEST_WAIT_MS
  }

  // What an alarm brings about

  /** The peer uses `beside`, and has used our path before. */
  #detoured(beside: Beside | undefined, now: Instant): void {
    if (beside === undefined || this.#path === undefined) return
    if (!this.#heeds(now)) return
    this.#raise('detour', beside, now)
    this.#listen(now)
  }

  #heeds(now: Instant): boolean {
    return this.#state.type !== 'both' && now >= this.#heedsFrom && !this.#hearsay.holds(now)
  }

  #raise(kind: AlarmKind, beside: Beside | undefined, now: Instant): void {
    const { lookout } = this.#flow
    const path = this.#path
    if (lookout === undefined || path === undefined) return
    if (kind === 'stream') this.#streamEnded(lookout, now)
    const isBelieved = this.#isBelieved(kind, lookout, now)
    const { besides } = this.#agent.proved
    const chosen = isBelieved ? (beside ?? chooseBeside(path, besides, [], undefined, now)) : undefined
    const others = besides.flatMap(({ path: other }) => (other === chosen?.path ? [] : [other]))
    this.#agent.askThoroughly(chosen === undefined ? [] : [chosen.path, ...others], now)
    const alarm = { kind, at: now, askedAt: this.#agent.askedAt ?? now, path, answered: [] }
    this.#state = { type: chosen === undefined ? 'asking' : 'both', alarm }
    if (chosen === undefined) return
    this.#means.log('its path is silent: another one is used as well', { alarm: kind })
    this.#use(chosen.path, this.#lostSince(alarm, lookout), now)
  }

  /** That streams end is no reason for distrust where they end rarely. */
  #streamEnded(lookout: Lookout, now: Instant): void {
    lookout.streamSince = now
    if (elapsed(this.#streamAlarmAt, now) > FORGOTTEN_AFTER * this.#streamMs) this.#streamMs = STREAM_MS
    this.#streamAlarmAt = now
  }

  #isBelieved(kind: AlarmKind, { answers }: Lookout, now: Instant): boolean {
    if (kind === 'check' || kind === 'detour') return true
    return !this.#doubt.holds(now) && (kind === 'stream' || answers.isKnown)
  }

  /** What was sent before has arrived, as what came since shows; where we hear of it from the peer, nothing shows it. */
  #lostSince({ kind, path }: Alarm, { heardAt }: Lookout): Instant {
    if (kind === 'detour' || kind === 'stream') return NEVER
    return after(heardAt, -(LIVELY_MS + 2 * (path.rttMs ?? RECENT_MS)))
  }

  /** Sends over `path` as well from now on, and what was sent since `since` at once. */
  #use(path: Path, since: Instant, now: Instant): void {
    this.#flow.beside = path
    for (const message of this.#flow.lookout?.recent(since, now) ?? []) this.#means.send(path, message)
  }

  // How it ends

  /** Another path that has answered is used rather than one that has not. */
  #goOn(alarm: Alarm, besides: readonly Beside[], now: Instant): void {
    // An answer to an earlier check ends the series, and says nothing.
    if (this.#agent.askedAt === undefined) this.#agent.askThoroughly([], now)
    const { beside } = this.#flow
    const chosen = chooseBeside(alarm.path, besides, alarm.answered, beside, now)?.path
    if (chosen === undefined) return
    if (beside === undefined || !sameRoute(chosen, beside)) this.#use(chosen, NEVER, now)
  }

  #followPath(current: Path | undefined, now: Instant): void {
    const former = this.#path
    this.#path = current
    if (current !== undefined && former !== undefined && sameRoute(current, former)) return
    this.#flow.lookout?.pathChanged(now)
    const rttMs = current?.rttMs ?? 0
    this.#checks.assume(rttMs, rttMs / 8)
    if (this.#state.type === 'asking') this.#state = CALM
  }

  #judge(current: Path, now: Instant): void {
    if (this.#state.type === 'calm') return
    const { alarm } = this.#state
    const isAnswered = alarm.answered.some((route) => sameRoute(route, current))
    const isOver = elapsed(alarm.at, now) >= longestMs(alarm.path)
    if (isAnswered && !sameRoute(current, alarm.path)) this.#wasTrue()
    else if (isAnswered) this.#wasFalse(alarm.kind, now)
    else if (isOver) this.#notBefore = after(now, SECOND)
    else if (this.#state.type === 'both' || this.#agent.askedAt !== undefined) return
    this.#end(now)
  }

  #wasTrue(): void {
    this.#doubt.wasTrue()
    this.#hearsay.wasTrue()
    this.#streamMs = STREAM_MS
  }

  #wasFalse(kind: AlarmKind, now: Instant): void {
    this.#notBefore = after(now, PAUSE_MS)
    if (kind === 'stream') this.#streamMs = Math.min(2 * this.#streamMs, LONGEST_STREAM_MS)
    else if (kind === 'detour') this.#hearsay.wasFalse(now)
    else this.#doubt.wasFalse(now)
  }

  #end(now: Instant): void {
    if (this.#state.type === 'both') {
      this.#means.log('one path is used again', this.#describe())
      this.#heedsFrom = after(now, HEED_AGAIN_MS)
    }
    this.#state = CALM
    this.#flow.beside = undefined
  }

  #standDown(now: Instant): void {
    if (this.#state.type !== 'calm') this.#end(now)
    this.#flow.lookout = undefined
  }

  #describe(): Readonly<Record<string, string>> {
    return this.#path === undefined ? {} : { remote: formatSocketAddress(this.#path.remote) }
  }
}

function longestMs({ rttMs = 0 }: Path): number {
  return LONGEST_HEDGE_MS + LONGEST_HEDGE_ROUND_TRIPS * rttMs
}
