/**
 * One effort of birthday punching: which check is next, and when. What it may spend, others decide.
 *
 *   hard   from each of many sockets one check to the peer, and again before its mapping dies
 *   easy   from one socket a check to each of many ports of the peer's NAT
 *
 * Where nobody but the peer itself says that it is at the address, that may be anybody's: it gets a few checks, slowly.
 *
 * With 256 sockets and one probe each of n of the 64,512 ports, the two meet with probability 1 - (1 - 256 / 64,512)^n:
 * 0.64 after 256 probes, 0.98 after 1,024, 0.9997 after 2,048.
 */

import type { Random } from '../../base/random.js'
import { after, earliest, type Instant, later, SECOND } from '../../base/time.js'
import type { LocalSocket, SocketId } from '../inputs.js'
import type { BirthdayPlan } from './birthdayPlan.js'
import type { Route } from './path.js'
import { ProbePorts } from './probePorts.js'

/** From its beginning; both sides begin at the same time, so they end at the same time. */
export const EFFORT_MS = 40 * SECOND

/** After so many probes those that come next are hardly worth their packets. */
const MAX_PROBES = 2_048

/** To an address that is not proved: so few, so far apart. */
export const UNPROVED_CHECKS = 8
const UNPROVED_PACE_MS = 500

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
  /** When each socket was opened that has not sent yet. */
  readonly #fresh = new Map<SocketId, Instant>()
  /** When each of the others is due again: the first of them first. */
  readonly #again = new Map<SocketId, Instant>()
  /** When the next may be sent. */
  #notBefore: Instant

  constructor(plan: Extract<BirthdayPlan, { role: 'hard' }>, now: Instant) {
    this.plan = plan
    this.endsAt = after(now, EFFORT_MS)
    this.#notBefore = now
  }

  /** Those that hold mappings first. */
  get sockets(): readonly SocketId[] {
    return [...this.#again.keys(), ...this.#fresh.keys()]
  }

  has(socket: SocketId): boolean {
    return this.#again.has(socket) || this.#fresh.has(socket)
  }

  /** A socket was opened for it. */
  add({ id }: LocalSocket, now: Instant): void {
    this.#fresh.set(id, now)
  }

  /** A socket is another's now, or gone. */
  remove(socket: SocketId): void {
    this.#fresh.delete(socket)
    this.#again.delete(socket)
  }

  get dueAt(): Instant | undefined {
    const [fresh] = this.#fresh.values()
    const [again] = this.#again.values()
    const due = earliest(fresh, again)
    return due && later(due, this.#notBefore)
  }

  next(now: Instant): Route | undefined {
    if (now < this.#notBefore) return undefined
    // What holds a mapping must not lose it.
    const socket = firstDue(this.#again, now) ?? firstDue(this.#fresh, now)
    if (socket === undefined) return undefined
    this.remove(socket)
    const { isProved } = this.plan
    if (!isProved) this.#notBefore = after(now, UNPROVED_PACE_MS)
    this.#again.set(socket, isProved ? after(now, REFRESH_MS) : this.endsAt)
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
    const { count } = this.#ports
    if (this.plan.isProved) return count < MAX_PROBES ? this.#begunAt : undefined
    return count < UNPROVED_CHECKS ? after(this.#begunAt, count * UNPROVED_PACE_MS) : undefined
  }

  next(): Route | undefined {
    const { socket, ip } = this.plan
    const port = this.dueAt === undefined ? undefined : this.#ports.next()
    return port === undefined ? undefined : { socket, remote: { ip, port } }
  }
}

/** The first, if it is due. */
function firstDue(due: ReadonlyMap<SocketId, Instant>, now: Instant): SocketId | undefined {
  const [entry] = due
  return entry !== undefined && entry[1] <= now ? entry[0] : undefined
}
