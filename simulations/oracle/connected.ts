/**
 * Connected whenever a way has existed for a stated time.
 *
 * Where an application keeps pinging a peer, and all that it takes has been there without a break for {@link PROMISE_MS}
 * (conditions.ts), be it a way of their own or a member relay, then a ping was answered within that time.
 *
 * It also counts how long it takes from wanting to being connected, for pairs that begin in peace: the goal is that
 * 99.9 % of them need no longer than {@link GOAL_MS}.
 */

import { SECOND } from '../../src/base/time.js'
import { PUNCH_MS } from '../../src/engine/path/series.js'
import type { Conditions } from './conditions.js'
import { type Ledger, NEVER, type Side } from './ledger.js'

const NAME = 'connected'

/** What can stand one after the other between the return of a way and the answer to a ping, in ms. */
export const DELAYS = {
  /** The pause after attempts that failed, at its longest (src/engine/directory/contact.ts). */
  pause: 60 * SECOND,
  /** A look-up that nobody answers (src/io/mesh/lookUp.ts). */
  lookUp: 5 * SECOND,
  /** Two knocks that nobody answers: one on a record that is too old (src/io/mesh/knock.ts). */
  knocks: 2 * 4 * SECOND,
  /** A whole series of checks (src/engine/path/series.ts). */
  punching: PUNCH_MS,
  /** WireGuard's next first message, if the one that was held is too old by now (whitepaper, section 6.4). */
  handshake: 5.4 * SECOND,
} as const

/** The sum of {@link DELAYS}, and some seconds for the messages themselves. */
export const PROMISE_MS = 90 * SECOND

/** Wanting to connected, for 99.9 % of those who begin in peace. */
export const GOAL_MS = 10 * SECOND

/** Pings this far apart at most are steady. */
const STEADY_MS = 10 * SECOND

/** A pair that was silent for so long begins anew: its path is not kept (src/engine/roam/watch.ts). */
const IDLE_MS = 120 * SECOND

/** So long nothing was done to the world, and the daemons have found their servers: peace. */
const PEACE_MS = 15 * SECOND

/** The application of hosts/pinger.ts sends echo messages (RFC 792). */
const ECHO_REQUEST = 8
const ECHO_REPLY = 0

/** What the application at one end wants of the other. */
interface Want {
  readonly side: Side
  requestedAt: number
  /** Since when its pings are steady. */
  steadySince: number
  /** When the first ping was sent that is not answered, nor any after it; undefined where none is open. */
  since: number | undefined
  answeredAt: number
  /** Since when there is no obstacle. */
  freeSince: number | undefined
  /** Where both were when that was last looked at, and whether UDP got out there. */
  places: string
  /** True where the wanting counts: it began in peace, after a rest, and nothing has come between. */
  counts: boolean
}

export class Connected {
  readonly statistics = {
    pings: 0,
    answered: 0,
    /** Of pairs that began in peace: how long each took, in ms; those that were given up, the promised time. */
    contacts: [] as number[],
    /** Those of them that took longer than the goal. */
    late: 0,
    /** For how many seconds, of all sides together, the promise was in force; and the longest wait under it. */
    promisedSeconds: 0,
    longestWaitMs: 0,
  }
  readonly #ledger: Ledger
  readonly #conditions: Conditions
  readonly #wants = new Map<Side, Want>()

  constructor(ledger: Ledger, conditions: Conditions) {
    this.#ledger = ledger
    this.#conditions = conditions
  }

  entered(side: Side, packet: Uint8Array): void {
    if (packet[0] !== ECHO_REQUEST) return
    this.statistics.pings += 1
    const { now } = this.#ledger
    let want = this.#wants.get(side)
    if (want === undefined) {
      want = {
        side,
        requestedAt: NEVER,
        steadySince: now,
        since: undefined,
        answeredAt: NEVER,
        freeSince: undefined,
        places: '',
        counts: false,
      }
      this.#wants.set(side, want)
    }
    if (now - want.requestedAt > STEADY_MS) {
      want.steadySince = now
      want.freeSince = undefined
      want.places = this.#circumstances(side)
    }
    want.requestedAt = now
    if (want.since !== undefined) return
    want.since = now
    const { happenedAt } = this.#ledger
    const rested = now - Math.max(side.talkedAt, backOf(side)?.talkedAt ?? NEVER) >= IDLE_MS
    want.counts = rested && now - happenedAt >= PEACE_MS && this.#obstacle(side) === undefined
  }

  emerged(side: Side, packet: Uint8Array): void {
    if (packet[0] !== ECHO_REPLY) return
    const want = this.#wants.get(side)
    if (want === undefined) return
    this.statistics.answered += 1
    const { now } = this.#ledger
    this.#end(want, now)
    want.since = undefined
    want.answeredAt = now
  }

  /** The promise in force for a side, whose way has been free since this time; undefined where there is none. */
  freeSince(side: Side): number | undefined {
    return this.#wants.get(side)?.freeSince
  }

  sweep(): void {
    const { now } = this.#ledger
    for (const want of this.#wants.values()) {
      if (want.counts) this.#follow(want, now)
      if (now - want.requestedAt > STEADY_MS) want.freeSince = undefined
      else this.#look(want, now)
    }
  }

  /** A contact that counts: it does not where something comes between, and is given up after the promised time. */
  #follow(want: Want, now: number): void {
    if (this.#obstacle(want.side) !== undefined || this.#circumstances(want.side) !== want.places)
      want.counts = false
    else if (want.since !== undefined && now - want.since > PROMISE_MS) this.#end(want, now)
  }

  #look(want: Want, now: number): void {
    const { side } = want
    const obstacle = this.#obstacle(side)
    const places = this.#circumstances(side)
    if (obstacle !== undefined || places !== want.places) {
      want.freeSince = obstacle === undefined ? now : undefined
      want.places = places
    }
    if (want.freeSince === undefined) {
      if (obstacle !== undefined) return
      want.freeSince = now
    }
    const since = Math.max(want.freeSince, want.steadySince, want.answeredAt)
    const { statistics } = this
    if (now - want.freeSince > PROMISE_MS) statistics.promisedSeconds += 1
    if (now - since > statistics.longestWaitMs) statistics.longestWaitMs = now - since
    if (now - since <= PROMISE_MS) return
    const seconds = Math.round((now - since) / SECOND)
    const way = this.#conditions.describeWay(side)
    this.#ledger.report(
      NAME,
      side.host.name,
      `no ping to ${side.peer.name} was answered for ${seconds} s, and all that time there was a way: ${way}`,
    )
  }

  /** Where UDP is blocked or comes back, a stream takes its place or it a stream's, which takes as long as a move. */
  #circumstances(side: Side): string {
    return `${placesOf(side)} ${this.#conditions.udpOf(side)}`
  }

  /** Without a server peers stay connected; but once they have lost each other they cannot find each other again. */
  #obstacle(side: Side): string | undefined {
    const obstacle = this.#conditions.obstacle(side)
    if (obstacle !== undefined || this.#conditions.shareServer(side)) return obstacle
    const answeredAt = this.#wants.get(side)?.answeredAt ?? NEVER
    return answeredAt > this.#ledger.happenedAt ? undefined : 'there is no server that both of them reach'
  }

  /**
   * A contact was made, or is given up. What happened meanwhile may have hindered it; and a ping that is lost says nothing
   * of those that were not sent.
   */
  #end(want: Want, now: number): void {
    const { counts, since, steadySince, requestedAt } = want
    want.counts = false
    if (!counts || since === undefined || this.#ledger.happenedAt > since) return
    const took = now - since
    const isSteady = steadySince <= since && now - requestedAt <= STEADY_MS
    if (took > GOAL_MS && !isSteady) return
    this.statistics.contacts.push(took)
    if (took > GOAL_MS) this.statistics.late += 1
  }
}

function backOf({ host, peer }: Side): Side | undefined {
  return peer.sides.get(host.machine.publicKey)
}

function placesOf({ host, peer }: Side): string {
  const ips: string[] = []
  for (const { machine } of [host, peer]) for (const place of machine.places) ips.push(...place.ips)
  return ips.join(' ')
}
