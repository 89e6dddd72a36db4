/**
 * What the per-packet way notes of a flow with traffic: enough to see that the path in use went silent, and to send again
 * over another, or the next, what was lost meanwhile (engine/roam/hedge.ts decides). Nothing here allocates for a packet.
 *
 * Unlike the flow's own `unheardSince`, a message counts as an answer whichever way it comes: the two sides may use
 * different paths, and then the peer's answers show that our questions arrive.
 */

import { after, asInstant, elapsed, type Instant } from '../../base/time.js'
import { MIN_TRANSPORT_LENGTH } from '../../wire/wireguard.js'
import { Expectation } from './expectation.js'

/** What is sent again is one of so many messages, sent this long ago at most. */
export const MAX_RECENT = 32
export const RECENT_MS = 1_000

/** What comes with longer pauses than this is no stream. */
const LONGEST_PAUSE_MS = 150

/** As in forwarding.ts: what is sent this soon after something was heard answers it, and need not be answered itself. */
const ANSWER_MS = 50

const NEVER = asInstant(Number.NEGATIVE_INFINITY)
/** No moment at all, later than any. */
const NONE = asInstant(Number.POSITIVE_INFINITY)

const NOTHING = new Uint8Array(0)

export class Lookout {
  /** How long the answer to a question takes, from the first message that was not answered yet. */
  readonly answers = new Expectation()
  /** The pauses in what comes. */
  readonly pauses = new Expectation()
  /** When a question was sent that nothing has answered; infinite where there is none. */
  waitsSince: Instant = NONE
  /** When a message last came, and since when they come with short pauses only. */
  heardAt: Instant = NEVER
  streamSince: Instant = NEVER
  /** True where the engine wants to see the next question. */
  tellsOfQuestions = true
  /** True where it wants to see the next message of a stream that has lasted for `streamMs`. */
  tellsOfStreams = true
  streamMs = 0
  /** From when on it wants to see a message that comes over another path, after one over the path in use. */
  tellsOfDetoursFrom: Instant = NEVER
  /** True where the last message came over the path in use. */
  cameOverPath = false
  #isAsked = false
  #ip = ''
  #port = 0
  /** Copies, in memory that is used again: what is sent is overwritten once it has left. */
  readonly #messages: Uint8Array[] = new Array<Uint8Array>(MAX_RECENT).fill(NOTHING)
  readonly #lengths = new Uint32Array(MAX_RECENT)
  readonly #sentAt = new Float64Array(MAX_RECENT)
  #next = 0

  /** Another path is in use: what was measured says nothing of it. What was sent over the former one is kept. */
  pathChanged(now: Instant): void {
    this.answers.forget()
    this.pauses.forget()
    this.streamSince = now
    this.cameOverPath = false
    if (this.waitsSince !== NONE) this.waitsSince = now
  }

  /** A check over the path in use was answered: so was what was sent before, as far as the path goes. */
  answered(): void {
    this.waitsSince = NONE
  }

  /** True where a message of so many bytes that is sent now is a question of which the engine wants to know. */
  tells(bytes: number, now: Instant): boolean {
    return this.tellsOfQuestions && this.#asks(bytes, now)
  }

  sent(datagram: Uint8Array, now: Instant): void {
    const slot = this.#next
    this.#keep(slot, datagram)
    this.#sentAt[slot] = now
    this.#next = (slot + 1) % MAX_RECENT
    if (datagram.length <= MIN_TRANSPORT_LENGTH) return
    if (this.#asks(datagram.length, now)) this.waitsSince = now
    this.#isAsked = false
  }

  #asks(bytes: number, now: Instant): boolean {
    if (bytes <= MIN_TRANSPORT_LENGTH || this.waitsSince !== NONE) return false
    return !this.#isAsked || elapsed(this.heardAt, now) >= ANSWER_MS
  }

  /** When a message was last sent. */
  get sentAt(): Instant {
    const last = (this.#next + MAX_RECENT - 1) % MAX_RECENT
    return this.#lengths[last] === 0 ? NEVER : asInstant(this.#sentAt[last] ?? 0)
  }

  /** What was sent since `since`, the oldest first; nothing that is older than {@link RECENT_MS}. */
  *recent(since: Instant, now: Instant): Generator<Uint8Array> {
    const from = Math.max(since, after(now, -RECENT_MS))
    for (let step = 0; step < MAX_RECENT; step++) {
      const slot = (this.#next + step) % MAX_RECENT
      const length = this.#lengths[slot] ?? 0
      if (length > 0 && (this.#sentAt[slot] ?? 0) >= from)
        yield (this.#messages[slot] ?? NOTHING).slice(0, length)
    }
  }

  #keep(slot: number, datagram: Uint8Array): void {
    const { length } = datagram
    this.#lengths[slot] = length
    const space = this.#messages[slot]
    if (space !== undefined && space.length >= length) space.set(datagram)
    else this.#messages[slot] = datagram.slice()
  }

  /** True where the engine wants to see a message that comes now. */
  wants(isOverPath: boolean, now: Instant): boolean {
    if (!isOverPath && this.cameOverPath && now >= this.tellsOfDetoursFrom) return true
    return this.tellsOfStreams && elapsed(this.streamSince, now) >= this.streamMs && !this.#isPause(now)
  }

  /** A message came from an address of the peer's. */
  heard(ip: string, port: number, isOverPath: boolean, now: Instant): void {
    this.#ip = ip
    this.#port = port
    this.cameOverPath = isOverPath
    const isAnswer = this.waitsSince !== NONE
    if (isAnswer) this.answers.note(elapsed(this.waitsSince, now), now)
    this.#isAsked = !isAnswer
    this.waitsSince = NONE
    if (this.#isPause(now)) this.streamSince = now
    else this.pauses.note(elapsed(this.heardAt, now), now)
    this.heardAt = now
  }

  /** True where the last message came from there. */
  cameFrom(ip: string, port: number): boolean {
    return this.#port === port && this.#ip === ip
  }

  #isPause(now: Instant): boolean {
    return elapsed(this.heardAt, now) > LONGEST_PAUSE_MS
  }
}
