/**
 * When there is an alarm: what makes us think that the path in use is dead, each by its own measure (expectation.ts).
 *
 * - answers: something was sent that asks for an answer, and no answer came for longer than they take here. A flow that
 *   is answered late or never (a stream out of us; WireGuard's own keepalive after 10 s) teaches that, and alarms no more.
 * - a stream: for two seconds messages came with short pauses only, and now there is a long one. So the receiver of a
 *   one-way stream notices, and its checks over the other paths tell the sender.
 * - a check: the path in use was asked, for whatever reason, and has not answered in time.
 * - a detour: the peer's messages came over the path in use, and now over another one; or it checks another one while
 *   nothing comes. So it is in alarm. What we sent it may be lost, though it was not our questions that were.
 *
 * A false alarm makes us doubt the next ones, and the measures grow with it.
 */

import { after, asInstant, earliest, elapsed, type Instant, SECOND } from '../../base/time.js'
import { Expectation } from '../loopback/expectation.js'
import type { Flow } from '../loopback/forwarding.js'
import { type Lookout, RECENT_MS } from '../loopback/lookout.js'
import type { PathAgent } from '../path/agent.js'
import type { Route } from '../path/path.js'
import { Caution } from './caution.js'
import type { Sign } from './signs.js'

/** A measure longer than this is left to the watch (watch.ts), which asks after that time anyhow. */
const LONGEST_WAIT_MS = 750

/** Messages come with short pauses for so long before their absence means something; after false alarms longer. */
const STREAM_MS = 2 * SECOND
const LONGEST_STREAM_MS = 64 * SECOND
/** … until there was none for so many times as long. */
const FORGOTTEN_AFTER = 4

/** A peer that sent something so short a time ago is not in alarm because it checks another path. */
const LIVELY_MS = 60

/** How long checks take on a path of which only the round trip is known. */
const ASSUMED_DEVIATION = 1 / 8

const NEVER = asInstant(Number.NEGATIVE_INFINITY)

export type AlarmKind = 'answers' | 'stream' | 'check' | 'detour'

/** What each is called to those who ask. */
export const ALARM_SIGNS: Readonly<Record<AlarmKind, Sign>> = {
  answers: 'answer-late',
  stream: 'stream-stopped',
  check: 'check-late',
  detour: 'peer-detours',
}

export class Alarms {
  readonly #flow: Flow
  readonly #agent: PathAgent
  /** How long checks over the path in use take. */
  readonly #checks = new Expectation()
  /** Of what we notice ourselves, and of what the peer's doings say. */
  readonly #doubt = new Caution()
  readonly #hearsay = new Caution()
  #streamMs = STREAM_MS
  #streamAlarmAt: Instant = NEVER

  constructor(flow: Flow, agent: PathAgent) {
    this.#flow = flow
    this.#agent = agent
  }

  /** Another path is in use, with this round trip. */
  pathChanged(rttMs: number, now: Instant): void {
    this.#checks.assume(rttMs, rttMs * ASSUMED_DEVIATION)
    this.#flow.lookout?.pathChanged(now)
  }

  /** A check over the path in use, sent at `sentAt`, was answered. */
  answered(sentAt: Instant, now: Instant): void {
    this.#checks.measured(elapsed(sentAt, now))
    const { lookout } = this.#flow
    if (lookout === undefined || lookout.waitsSince > sentAt) return
    // It carries. If a question asked before that has no answer yet, then it may take so long.
    lookout.answers.measured(elapsed(lookout.waitsSince, now))
    lookout.answered()
  }

  /** What there is to be alarmed about. Where `isAsking`, the path was asked, and only that counts. */
  due(isAsking: boolean, now: Instant): AlarmKind | undefined {
    const isDue = (at: Instant | undefined) => at !== undefined && at <= now
    if (isDue(this.#checkDueAt)) return 'check'
    if (isAsking) return undefined
    if (isDue(this.#answersDueAt)) return 'answers'
    return isDue(this.#streamDueAt) ? 'stream' : undefined
  }

  /** When that may be. */
  dueAt(isAsking: boolean): Instant | undefined {
    if (isAsking) return this.#checkDueAt
    return earliest(this.#checkDueAt, earliest(this.#answersDueAt, this.#streamDueAt))
  }

  /** False where the path in use is to be asked first. */
  isBelieved(kind: AlarmKind, now: Instant): boolean {
    if (kind === 'check' || kind === 'detour') return true
    return !this.#doubt.holds(now) && (kind === 'stream' || this.#flow.lookout?.answers.isKnown === true)
  }

  /** True where the peer's check over `from`, which is not the path in use, shows that it is in alarm. */
  isSign({ remote }: Route, now: Instant): boolean {
    const { lookout } = this.#flow
    // Where the two sides use different paths, it may be the peer's own.
    if (lookout === undefined || lookout.cameFrom(remote.ip, remote.port)) return false
    return elapsed(lookout.heardAt, now) >= LIVELY_MS && elapsed(lookout.sentAt, now) <= RECENT_MS
  }

  /** When what the peer does is heeded again. */
  get heedsPeerFrom(): Instant {
    return this.#hearsay.until
  }

  raised(kind: AlarmKind, now: Instant): void {
    const { lookout } = this.#flow
    if (kind !== 'stream' || lookout === undefined) return
    // After an alarm a stream begins anew. That streams end is no reason for distrust where they end rarely.
    lookout.streamSince = now
    if (elapsed(this.#streamAlarmAt, now) > FORGOTTEN_AFTER * this.#streamMs) this.#streamMs = STREAM_MS
    this.#streamAlarmAt = now
  }

  wasTrue(): void {
    this.#doubt.wasTrue()
    this.#hearsay.wasTrue()
    this.#streamMs = STREAM_MS
  }

  wasFalse(kind: AlarmKind, now: Instant): void {
    if (kind === 'stream') this.#streamMs = Math.min(2 * this.#streamMs, LONGEST_STREAM_MS)
    else if (kind === 'detour') this.#hearsay.wasFalse(now)
    else this.#doubt.wasFalse(now)
  }

  /** Since when nothing shows that what we sent has arrived. */
  lostSince(kind: AlarmKind, rttMs: number | undefined): Instant {
    const { lookout } = this.#flow
    // Where we have it from the peer, or did not ask anything, nothing shows it at all.
    if (lookout === undefined || rttMs === undefined || kind === 'detour' || kind === 'stream') return NEVER
    return after(lookout.heardAt, -(LIVELY_MS + 2 * rttMs))
  }

  /** Has the flow tell of what nothing here would look for by itself. */
  listen(heedsPeerFrom: Instant): void {
    const { lookout } = this.#flow
    if (lookout === undefined) return
    lookout.streamMs = this.#streamMs
    lookout.tellsOfStreams = !this.#isStream(lookout)
    lookout.tellsOfDetoursFrom = heedsPeerFrom
    lookout.tellsOfQuestions =
      !Number.isFinite(lookout.waitsSince) && this.#answerMs(lookout) <= LONGEST_WAIT_MS
  }

  get #checkDueAt(): Instant | undefined {
    const { askedAt } = this.#agent
    if (this.#flow.lookout === undefined || askedAt === undefined) return undefined
    return after(askedAt, this.#checks.waitMs)
  }

  get #answersDueAt(): Instant | undefined {
    const { lookout } = this.#flow
    if (lookout === undefined || !Number.isFinite(lookout.waitsSince)) return undefined
    const waitMs = this.#answerMs(lookout)
    return waitMs > LONGEST_WAIT_MS ? undefined : after(lookout.waitsSince, waitMs)
  }

  get #streamDueAt(): Instant | undefined {
    const { lookout } = this.#flow
    if (lookout === undefined || !this.#isStream(lookout)) return undefined
    return after(lookout.heardAt, lookout.pauses.waitMs)
  }

  #answerMs({ answers }: Lookout): number {
    return answers.isMeasured ? answers.waitMs : this.#checks.waitMs
  }

  #isStream({ streamSince, heardAt }: Lookout): boolean {
    return elapsed(streamSince, heardAt) >= this.#streamMs
  }
}
