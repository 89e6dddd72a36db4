/**
 * One effort of birthday punching: which check is next, and when. What it may spend, others decide.
 *
 *   hard   from each of many sockets one check to the peer, and again before its mapping dies
 *   easy   from one socket a check to each of many ports of the peer's NAT
 *
 * With 256 sockets and one probe each of n of the 64,512 ports, the two meet with probability 1 - (1 - 256 / 64,512)^n:
 * 0.64 after 256 probes, 0.98 after 1,024, 0.9997 after 2,048.
 */

import type { Random } from '../../base/random.js'
import { after, type Instant, SECOND } from '../../base/time.js'
import type { LocalSocket, SocketId } from '../inputs.js'
import type { BirthdayPlan } from './birthdayPlan.js'
import type { Route } from './path.js'
import { ProbePorts } from './probePorts.js'

/** From its beginning; both sides begin at the same time, so they end at the same time. */
export const EFFORT_MS = 40 * SECOND

/** After so many probes those that come next are hardly worth their packets. */
const MAX_PROBES = 2_048

/** NATs keep a mapping for 30 s or more, as a rule; the whole round of checks takes a few seconds of it. */
const REFRESH_MS = 20 * SECOND

export interface Effort {
  readonly plan: BirthdayPlan
  /** It ends at the latest. */
  readonly endsAt: Instant
  /** When it wants to send; undefined where it has nothing to send. */
  readonly dueAt: Instant | undefined
  /** What to check now. */
  next(now: Instant): Route | undefined
}

export class HardEffort implements Effort {
  readonly plan: Extract<BirthdayPlan, { role: 'hard' }>
  readonly endsAt: Instant
  /** When each is due: the first of them first. */
  readonly #due = new Map<SocketId, Instant>()

  constructor(plan: Extract<BirthdayPlan, { role: 'hard' }>, now: Instant) {
    this.plan = plan
    this.endsAt = after(now, EFFORT_MS)
  }

  get sockets(): readonly SocketId[] {
    return [...this.#due.keys()]
  }

  has(socket: SocketId): boolean {
    return this.#due.has(socket)
  }

  /** A socket was opened for it. */
  add({ id }: LocalSocket, now: Instant): void {
    this.#due.set(id, now)
  }

  /** A socket is another's now, or gone. */
  remove(socket: SocketId): void {
    this.#due.delete(socket)
  }

  get dueAt(): Instant | undefined {
    const [first] = this.#due.values()
    return first
  }

  next(now: Instant): Route | undefined {
    const [first] = this.#due
    if (first === undefined || first[1] > now) return undefined
    const [socket] = first
    this.#due.delete(socket)
    this.#due.set(socket, after(now, REFRESH_MS))
    return { socket, remote: this.plan.target }
  }
}

export class EasyEffort implements Effort {
  readonly plan: Extract<BirthdayPlan, { role: 'easy' }>
  readonly endsAt: Instant
  readonly #begunAt: Instant
  readonly #ports: ProbePorts

  constructor(plan: Extract<BirthdayPlan, { role: 'easy' }>, random: Random, now: Instant) {
    this.plan = plan
    this.endsAt = after(now, EFFORT_MS)
    this.#begunAt = now
    this.#ports = new ProbePorts(plan.seen, random)
  }

  get dueAt(): Instant | undefined {
    return this.#ports.count < MAX_PROBES ? this.#begunAt : undefined
  }

  next(): Route | undefined {
    const { socket, ip } = this.plan
    const port = this.dueAt === undefined ? undefined : this.#ports.next()
    return port === undefined ? undefined : { socket, remote: { ip, port } }
  }
}
