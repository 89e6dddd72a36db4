/**
 * A fleet of real mesh nodes that come and go as machines of the model do: each publishes, and looks its peers up when it
 * comes. Bootstrap nodes, servers and clients have processes of their own, so that their traffic is told apart; the servers
 * of even and of odd index as well, so that half of them can go at once.
 */

import { createHash } from 'node:crypto'
import { type Role, roleOf } from '../../simulations/fleet/loads.js'
import type { Machine } from '../../simulations/fleet/machine.js'
import type { Churn } from '../../simulations/fleet/sessions.js'
import type { Draws } from '../../simulations/network/draws.js'
import { Samples } from '../../simulations/report/distribution.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import { newKey, testRecord } from '../io/mesh/meshes.js'
import { FleetNode, MeshProcess } from '../io/mesh/meshFleet.js'
import { Namespace } from '../lab/namespace.js'
import { Scope } from '../lab/scope.js'

/** Of each role; servers by the parity of their index. */
const PROCESSES = { bootstrap: 1, serving: 4, other: 4 } as const
const PORT = 4_001
/** The size of a sealed record, but for the head that records of tests have. */
const RECORD_LENGTH = 1_531
const DEADLINE_MS = 5 * SECOND
const PUBLICATION_MS = 15 * SECOND
/** As the engine has them: src/engine/directory/publication.ts and freshness.ts. */
const PUBLISHED_AGAIN_MS = { from: 8 * MINUTE, to: 12 * MINUTE } as const
const UNSTORED_AGAIN_MS = { from: SECOND, to: 5 * SECOND } as const
const LOOK_UP_SPACING_MS = 250
const FIRST_PAUSE_MS = MINUTE
/** Whether the reservations changed is looked at this often; the daemon is told. */
const WATCHED_EVERY_MS = 2 * SECOND
const COMING_UP_MS = 2 * MINUTE

/** A machine, and what runs on it while it is there. */
interface Seat {
  readonly machine: Machine
  readonly process: MeshProcess
  readonly identitySeed: Uint8Array
  readonly key: Uint8Array
  /** Of its newest record. */
  sequence: number
  /** What it runs now. */
  session: Session | undefined
  isGone: boolean
}

class Session {
  readonly node: FleetNode
  readonly since = performance.now()
  readonly timers = new Set<NodeJS.Timeout>()
  isPublished = false
  isOver = false

  constructor(node: FleetNode) {
    this.node = node
  }

  later(ms: number, action: () => Promise<void>): void {
    if (this.isOver) return
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      // A node that has stopped, or whose process was killed, answers nothing more.
      if (!this.isOver) action().catch(() => {})
    }, ms)
    this.timers.add(timer)
  }

  end(): void {
    this.isOver = true
    for (const timer of this.timers) clearTimeout(timer)
  }
}

export class ChurningFleet {
  readonly #scope: Scope
  readonly #seats: readonly Seat[]
  readonly #processes: Readonly<Record<Role, readonly MeshProcess[]>>
  readonly #churn: Churn
  readonly #draws: Draws
  readonly #comings = new Set<NodeJS.Timeout>()
  #bootstrap: readonly string[] = []
  #isEnding = false
  #countsSince = 0
  #firstMs = new Samples()
  #lookUps = 0
  #found = 0
  #bytesBefore: Record<Role, number> = { bootstrap: 0, serving: 0, other: 0 }
  #presence: Record<Role, number> = { bootstrap: 0, serving: 0, other: 0 }

  private constructor(
    scope: Scope,
    seats: readonly Seat[],
    processes: Readonly<Record<Role, readonly MeshProcess[]>>,
    churn: Churn,
    draws: Draws,
  ) {
    this.#scope = scope
    this.#seats = seats
    this.#processes = processes
    this.#churn = churn
    this.#draws = draws
  }

  /** `secret` is what all identities are made from. */
  static async start(
    machines: readonly Machine[],
    churn: Churn,
    draws: Draws,
    secret: Uint8Array,
  ): Promise<ChurningFleet> {
    const scope = new Scope()
    try {
      const namespace = await Namespace.create(scope, 'churn')
      const enter = ['nsenter', `--net=/run/netns/${namespace.name}`, '--']
      const some = (count: number): MeshProcess[] =>
        Array.from({ length: count }, () => new MeshProcess(enter))
      const processes = {
        bootstrap: some(PROCESSES.bootstrap),
        serving: some(PROCESSES.serving),
        other: some(PROCESSES.other),
      }
      const seats = machines.map((machine): Seat => {
        const own = processes[roleOf(machine)]
        const process = own[machine.index % own.length]
        if (process === undefined) throw new RangeError('a role without a process')
        const identitySeed = createHash('sha256').update(secret).update(`${machine.index}`).digest()
        return {
          machine,
          process,
          identitySeed,
          key: newKey(),
          sequence: 0,
          session: undefined,
          isGone: false,
        }
      })
      const fleet = new ChurningFleet(scope, seats, processes, churn, draws)
      try {
        await fleet.#begin()
        return fleet
      } catch (error) {
        await fleet.end()
        throw error
      }
    } catch (error) {
      await scope.close()
      throw error
    }
  }

  /** How many are there. */
  get online(): number {
    return this.#seats.filter(({ session }) => session !== undefined).length
  }

  /** Look-ups of peers that were there all the while, and those that found them. */
  get counts(): { readonly lookUps: number; readonly found: number } {
    return { lookUps: this.#lookUps, found: this.#found }
  }

  async beginCounting(): Promise<void> {
    this.#countsSince = performance.now()
    this.#firstMs = new Samples()
    this.#lookUps = 0
    this.#found = 0
    this.#bytesBefore = await this.#bytes()
    this.#presence = { bootstrap: 0, serving: 0, other: 0 }
  }

  async read() {
    const bytes = await this.#bytes()
    for (const { machine, session } of this.#seats)
      if (session !== undefined) this.#addPresence(machine, session)
    const bytesOf = (role: Role): number =>
      (bytes[role] - this.#bytesBefore[role]) / (this.#presence[role] / SECOND)
    const states = await Promise.all(
      this.#seats.flatMap(({ machine, session }) =>
        session === undefined ? [] : session.node.ask('state').then((state) => ({ machine, state })),
      ),
    )
    const clients = states.filter(({ machine }) => !machine.serves)
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length
    const connections = (role: Role): number =>
      mean(states.filter(({ machine }) => roleOf(machine) === role).map(({ state }) => state.connections))
    const atBootstrap = this.#bootstrap.map((address) => {
      const [, id = ''] = address.split('/p2p/')
      return clients.filter(({ state }) =>
        state.addresses.some((each) => each.includes(`/p2p/${id}/p2p-circuit`)),
      ).length
    })
    const { median, p95 } = this.#firstMs.distribution
    return {
      ...this.counts,
      found: (100 * this.#found) / this.#lookUps,
      firstMs: median ?? Number.NaN,
      lateMs: p95 ?? Number.NaN,
      bytes: { bootstrap: bytesOf('bootstrap'), serving: bytesOf('serving'), other: bytesOf('other') },
      connections: { bootstrap: connections('bootstrap'), serving: connections('serving') },
      reservations: mean(atBootstrap),
      table: mean(states.map(({ state }) => state.routingTable)),
    }
  }

  /** These go for good, without a word from them; their kernel closes their connections. */
  kill(isDoomed: (machine: Machine) => boolean): void {
    const doomed = this.#seats.filter(({ machine }) => isDoomed(machine))
    for (const seat of doomed) {
      seat.isGone = true
      seat.session?.end()
      seat.session = undefined
    }
    for (const process of new Set(doomed.map((seat) => seat.process))) process.signal('SIGKILL')
  }

  async end(): Promise<void> {
    this.#isEnding = true
    for (const timer of this.#comings) clearTimeout(timer)
    for (const { session } of this.#seats) session?.end()
    await Promise.all(Object.values(this.#processes).flatMap((all) => all.map((process) => process.end())))
    await this.#scope.close()
  }

  async #begin(): Promise<void> {
    const bootstrap = this.#seats.filter(({ machine }) => machine.isBootstrap)
    for (const seat of bootstrap) {
      await this.#come(seat, Number.POSITIVE_INFINITY)
      const address = seat.session?.node.address
      if (address !== undefined) this.#bootstrap = [...this.#bootstrap, address]
    }
    const { online, offline } = this.#churn
    for (const seat of this.#seats) {
      if (seat.machine.isBootstrap) continue
      const isThere = this.#draws.share() < online.meanMs / (online.meanMs + offline.meanMs)
      const startsIn = this.#draws.share() * COMING_UP_MS
      if (isThere) this.#comeIn(seat, startsIn, online.drawRest(this.#draws) + COMING_UP_MS - startsIn)
      else this.#comeIn(seat, offline.drawRest(this.#draws), online.draw(this.#draws))
    }
  }

  #comeIn(seat: Seat, ms: number, staysMs: number): void {
    if (this.#isEnding || seat.isGone) return
    const timer = setTimeout(() => {
      this.#comings.delete(timer)
      this.#come(seat, staysMs).catch(() => this.#comeIn(seat, SECOND, staysMs))
    }, ms)
    this.#comings.add(timer)
  }

  async #come(seat: Seat, staysMs: number): Promise<void> {
    if (seat.isGone || this.#isEnding) return
    const { machine, identitySeed, process } = seat
    const node = await FleetNode.start(process, {
      serves: machine.serves,
      listenIp: machine.serves ? `127.1.${machine.index >> 8}.${(machine.index & 255) + 1}` : undefined,
      port: PORT,
      bootstrap: this.#bootstrap,
      identitySeed,
      remembers: true,
    })
    const session = new Session(node)
    if (seat.isGone || this.#isEnding) return
    seat.session = session
    if (Number.isFinite(staysMs)) session.later(staysMs, () => this.#leave(seat, session))
    session.later(SECOND, () => this.#publishAgain(seat, session))
    for (const [index, peer] of machine.peers.entries()) {
      const other = this.#seats[peer.index]
      if (other === undefined) continue
      session.later(SECOND + index * LOOK_UP_SPACING_MS, () =>
        this.#lookUpAgain(session, other, FIRST_PAUSE_MS),
      )
    }
    this.#watch(seat, session, '')
  }

  async #leave(seat: Seat, session: Session): Promise<void> {
    this.#addPresence(seat.machine, session)
    session.end()
    seat.session = undefined
    this.#comeIn(seat, this.#churn.offline.draw(this.#draws), this.#churn.online.draw(this.#draws))
    await session.node.ask('stop')
  }

  async #publishAgain(seat: Seat, session: Session): Promise<void> {
    const isStored = await this.#publish(seat, session)
    const { from, to } = isStored ? PUBLISHED_AGAIN_MS : UNSTORED_AGAIN_MS
    session.later(from + this.#draws.share() * (to - from), () => this.#publishAgain(seat, session))
  }

  async #publish(seat: Seat, session: Session): Promise<boolean> {
    seat.sequence += 1
    const record = testRecord(seat.sequence, 'x'.repeat(RECORD_LENGTH))
    const { acknowledged } = await session.node.ask('publish', seat.key, record, PUBLICATION_MS)
    if (acknowledged > 0) session.isPublished = true
    return acknowledged > 0
  }

  /** A record names the reservations of its author, and is published again when they change. */
  #watch(seat: Seat, session: Session, before: string): void {
    session.later(WATCHED_EVERY_MS, async () => {
      const { addresses } = await session.node.ask('state')
      const now = [...addresses].sort().join()
      this.#watch(seat, session, now)
      if (now !== before && session.isPublished) await this.#publish(seat, session)
    })
  }

  async #lookUpAgain(session: Session, peer: Seat, pauseMs: number): Promise<void> {
    const sought = peer.session
    const isThere = sought?.isPublished === true
    const { firstMs } = await session.node.ask('lookUp', peer.key, DEADLINE_MS)
    if (firstMs === undefined) session.later(pauseMs, () => this.#lookUpAgain(session, peer, 2 * pauseMs))
    if (!isThere || sought.isOver || session.isOver || this.#countsSince === 0) return
    this.#lookUps += 1
    if (firstMs === undefined) return
    this.#found += 1
    this.#firstMs.add(firstMs)
  }

  #addPresence(machine: Machine, { since }: Session): void {
    if (this.#countsSince === 0) return
    this.#presence[roleOf(machine)] += performance.now() - Math.max(since, this.#countsSince)
  }

  async #bytes(): Promise<Record<Role, number>> {
    const sum = async (role: Role): Promise<number> => {
      const all = await Promise.all(this.#processes[role].map((process) => process.ask('traffic')))
      return all.reduce((bytes, each) => bytes + each.bytesRead + each.bytesWritten, 0)
    }
    return { bootstrap: await sum('bootstrap'), serving: await sum('serving'), other: await sum('other') }
  }
}
