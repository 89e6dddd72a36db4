/**
 * The efforts of birthday punching of a node: each sends in its turn, as the budget allows, and the sockets for punching are
 * shared among those that need them.
 *
 *   begin (hard) ─► open-sockets ─► sockets-changed: its own ─► ended: those that are a path's stay, the others are closed
 */

import { forked, type Random } from '../../base/random.js'
import { earliest, type Instant, later, type Now } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, SocketId } from '../inputs.js'
import type { PathAgent, PathContext } from './agent.js'
import { EasyEffort, type Effort, HardEffort, UNPROVED_CHECKS } from './birthdayEffort.js'
import type { BirthdayPlan } from './birthdayPlan.js'
import { FailedMeetings } from './failedMeetings.js'
import type { PunchLimits } from './punchLimits.js'

/** An effort with fewer sockets has little to hope for; others then have to be without any. */
const MIN_SOCKETS = 32

interface Running {
  readonly effort: Effort
  readonly agent: PathAgent
  /** How many sockets it waits for, and which there were when it asked. */
  opening: { readonly count: number; readonly before: ReadonlySet<SocketId> } | undefined
}

export class Birthdays {
  readonly failed = new FailedMeetings()
  /** Where both gateways map by destination, or nobody says that the peer is there, and ordinary checks failed. */
  readonly hopeless = new FailedMeetings()
  readonly #limits: PunchLimits
  readonly #paths: PathContext
  readonly #emit: Emit
  readonly #random: Random
  /** Of its own, so that who never needs it draws nothing. */
  #portRandom: Random | undefined = undefined
  /** In the order in which they may send next. */
  #running: Running[] = []
  /** Sockets that are left of an effort because they are a path's, or may become one. */
  readonly #kept = new Map<SocketId, PathAgent>()
  #pausedUntil = Number.NEGATIVE_INFINITY as Instant

  constructor(limits: PunchLimits, paths: PathContext, random: Random) {
    this.#limits = limits
    this.#paths = paths
    this.#emit = paths.emit
    this.#random = random
  }

  /** Begins an effort for a peer that has none; undefined where there are no sockets for it. */
  begin(plan: BirthdayPlan, agent: PathAgent, now: Instant): Effort | undefined {
    if (plan.role === 'hard') return this.#beginHard(plan, agent, now)
    this.#portRandom ??= forked(this.#random)
    const effort = new EasyEffort(plan, this.#portRandom, now)
    this.#running.push({ effort, agent, opening: undefined })
    return effort
  }

  /** It has led to a path, or is given up. */
  end(effort: Effort): void {
    const ended = this.#running.find((running) => running.effort === effort)
    if (ended === undefined) return
    this.#running = this.#running.filter((running) => running !== ended)
    if (!(effort instanceof HardEffort)) return
    for (const socket of effort.sockets) this.#kept.set(socket, ended.agent)
    this.tidy(ended.agent)
    this.#shareAmongTheRest()
  }

  /** Whether a socket is open for the sake of this peer. */
  isFor(agent: PathAgent, socket: SocketId): boolean {
    if (this.#kept.get(socket) === agent) return true
    return this.#running.some(
      ({ effort, agent: of }) => of === agent && effort instanceof HardEffort && effort.has(socket),
    )
  }

  /** The punching sockets that are open now. */
  socketsChanged(punching: readonly LocalSocket[], now: Instant): void {
    this.#paths.punchingSockets = punching
    const open = new Set(punching.map(({ id }) => id))
    for (const id of this.#kept.keys()) if (!open.has(id)) this.#kept.delete(id)
    for (const { effort } of this.#running) {
      if (!(effort instanceof HardEffort)) continue
      for (const id of effort.sockets) if (!open.has(id)) effort.remove(id)
    }
    for (const running of this.#running) this.#assign(running, now)
    this.#close(punching.filter(({ id }) => !this.#isOwned(id)).map(({ id }) => id))
  }

  /** Closes what was kept for a peer and is no path of it any more. */
  tidy(agent: PathAgent): void {
    if (this.#kept.size === 0) return
    const useless = [...this.#kept].flatMap(([id, of]) => (of === agent && !agent.uses(id) ? [id] : []))
    for (const id of useless) this.#kept.delete(id)
    this.#close(useless)
  }

  /** Closes all sockets of a peer that is no peer any more. */
  forget(agent: PathAgent): void {
    const sockets = [...this.#kept].flatMap(([id, of]) => (of === agent ? [id] : []))
    for (const { effort, agent: of } of this.#running) {
      if (of === agent && effort instanceof HardEffort) sockets.push(...effort.sockets)
    }
    this.#running = this.#running.filter((running) => running.agent !== agent)
    for (const id of sockets) this.#kept.delete(id)
    this.#close(sockets)
    if (sockets.length > 0) this.#shareAmongTheRest()
  }

  /** Sends the checks that are due, as far as the budget allows. */
  wake(now: Now): void {
    for (;;) {
      const turn = this.#running.findIndex(
        ({ effort: { dueAt } }) => dueAt !== undefined && dueAt <= now.instant,
      )
      const running = this.#running[turn]
      if (running === undefined) return
      if (!this.#paths.punching.takeSpare(now.instant)) {
        this.#pausedUntil = this.#paths.punching.spareAvailableAt(now.instant)
        return
      }
      this.#running.splice(turn, 1)
      this.#running.push(running)
      const route = running.effort.next(now.instant)
      if (route !== undefined && running.agent.mayUse(route)) running.agent.check(route, now)
    }
  }

  get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const { effort } of this.#running) next = earliest(next, effort.dueAt)
    return next === undefined ? undefined : later(next, this.#pausedUntil)
  }

  #beginHard(
    plan: Extract<BirthdayPlan, { role: 'hard' }>,
    agent: PathAgent,
    now: Instant,
  ): Effort | undefined {
    const others = this.#running.filter(({ effort }) => effort instanceof HardEffort)
    const share = Math.floor(this.#limits.sockets / (others.length + 1))
    if (share < Math.min(MIN_SOCKETS, this.#limits.sockets) || share === 0) return undefined
    for (const { effort } of others) if (effort instanceof HardEffort) this.#trim(effort, share)
    const effort = new HardEffort(plan, now)
    const running: Running = { effort, agent, opening: undefined }
    this.#running.push(running)
    this.#open(running, plan.ip, mostSockets(plan, share))
    return effort
  }

  #open(running: Running, ip: string, count: number): void {
    const before = new Set(this.#paths.punchingSockets.map(({ id }) => id))
    running.opening = { count, before }
    this.#emit({ type: 'open-sockets', ip, count })
  }

  /** One less needs sockets. */
  #shareAmongTheRest(): void {
    const rest = this.#running.filter(({ effort }) => effort instanceof HardEffort)
    const share = Math.floor(this.#limits.sockets / rest.length)
    for (const running of rest) {
      const { effort, opening } = running
      if (!(effort instanceof HardEffort) || opening !== undefined) continue
      const missing = mostSockets(effort.plan, share) - effort.sockets.length
      if (missing > 0) this.#open(running, effort.plan.ip, missing)
    }
  }

  /** Another one needs sockets as well. Those that are a path's already stay. */
  #trim(effort: HardEffort, to: number): void {
    const { agent } = this.#running.find((running) => running.effort === effort) ?? {}
    const surplus = effort.sockets.filter((id) => agent?.uses(id) !== true).slice(to)
    for (const id of surplus) effort.remove(id)
    this.#close(surplus)
  }

  #assign(running: Running, now: Instant): void {
    const { effort, opening } = running
    if (!(effort instanceof HardEffort) || opening === undefined) return
    const fresh = this.#paths.punchingSockets.filter(
      ({ id, address }) => address.ip === effort.plan.ip && !opening.before.has(id) && !this.#isOwned(id),
    )
    if (fresh.length > 0) running.opening = undefined
    for (const socket of fresh.slice(0, opening.count)) effort.add(socket, now)
  }

  #isOwned(id: SocketId): boolean {
    return (
      this.#kept.has(id) || this.#running.some(({ effort }) => effort instanceof HardEffort && effort.has(id))
    )
  }

  #close(sockets: readonly SocketId[]): void {
    if (sockets.length === 0) return
    const closed = new Set(sockets)
    this.#paths.punchingSockets = this.#paths.punchingSockets.filter(({ id }) => !closed.has(id))
    for (const id of sockets) this.#emit({ type: 'close-socket', id })
  }
}

/** A socket has one check to send to an address that is not proved. */
function mostSockets({ isProved }: BirthdayPlan, share: number): number {
  return isProved ? share : Math.min(share, UNPROVED_CHECKS)
}
