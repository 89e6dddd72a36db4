/**
 * A member's way to one server that it knows: dialled, greeted, lost and dialled again as src/io/mesh/knownNodes.ts and
 * servers.ts do it, and reserved at as circuit-relay-v2's client does. In round trips to the server:
 *
 *     0       1       2            3                   4
 *     │ TCP   │ noise │ services   │ the member counts it as connected
 *     │       │       │ identify   │ reservation       │ the member can be reached through it
 *
 * A dial that gets no answer ends after 1.5 s, one that is refused after a round trip. The next follows after 250 ms,
 * 1.7 times as long each time, up to 15 s; after a connection was lost or the network changed, 50 ms; all up to 30 %
 * longer at random.
 */

import { randomBelow } from '../../src/base/random.js'
import { SECOND } from '../../src/base/time.js'
import { ask } from './channel.js'
import { Connection } from './connection.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import { dialTcp } from './tcpDial.js'

/** `FIRST_PAUSE_MS` and its siblings in knownNodes.ts. */
const PAUSE_MS = { first: 250, longest: 15 * SECOND, afterLoss: 50 } as const
const GROWTH = 1.7
const JITTER = 0.3
/** Of servers.ts. */
const SERVICES_DEADLINE_MS = 4 * SECOND
/** What identify, and a question for services or for a reservation, take in bytes, about. */
const IDENTIFY_BYTES = 500
const SMALL_BYTES = 100
const RESERVATION_BYTES = 400

export class Link {
  readonly server: Server
  readonly #seat: Seat
  readonly #setting: Setting
  #connection: Connection | undefined = undefined
  #isServing = false
  #isIdentified = false
  #reservation: 'none' | 'asked' | 'held' | 'refused' = 'none'
  #failures = 0
  /** Counts the pauses: only the last one ends in a dial. */
  #pauses = 0
  #dialling: ((connection: Connection | undefined) => void)[] | undefined = undefined
  /** Counts the dials: only the last one leads to a connection. */
  #dials = 0

  constructor(seat: Seat, server: Server, setting: Setting) {
    this.#seat = seat
    this.server = server
    this.#setting = setting
  }

  /** Open at the member's end, whatever has become of the other. */
  get connection(): Connection | undefined {
    return this.#connection
  }

  /** True once the server has said that it serves. */
  get isServing(): boolean {
    return this.#isServing
  }

  get holdsReservation(): boolean {
    return this.#reservation === 'held'
  }

  get isReserving(): boolean {
    return this.#reservation === 'asked' || this.#reservation === 'held'
  }

  /** True where a reservation can be asked for. */
  get mayReserve(): boolean {
    return this.#isIdentified && this.#reservation === 'none'
  }

  /** Dials, as after the start of the daemon. */
  begin(): void {
    this.#pauses += 1
    if (this.#connection === undefined) this.open((connection) => connection ?? this.#failed())
  }

  /** The machine's addresses changed, and the daemon knows: a dial under way is called off, and no pause is waited out. */
  beginAnew(): void {
    this.#failures = 0
    if (this.#connection !== undefined) return
    if (this.#dialling === undefined) {
      this.#pause(PAUSE_MS.afterLoss)
      return
    }
    this.#dials += 1
    const dial = this.#dials
    this.#seat.in(this.#jittered(PAUSE_MS.afterLoss), () => {
      if (dial === this.#dials) this.#dial()
    })
  }

  /** Calls back with the connection that there is, or the one that is opened; undefined where it cannot be. */
  open(done: (connection: Connection | undefined) => void): void {
    if (this.#connection !== undefined) {
      done(this.#connection)
      return
    }
    if (this.#dialling !== undefined) {
      this.#dialling.push(done)
      return
    }
    this.#dialling = [done]
    this.#dial()
  }

  #dial(): void {
    const { server } = this
    this.#dials += 1
    const dial = this.#dials
    dialTcp(this.#seat, { listener: server, ips: server.ips }, this.#setting, (dialled) => {
      if (dial !== this.#dials) return
      const waiting = this.#dialling ?? []
      this.#dialling = undefined
      const connection = dialled && this.#opened(dialled.ip, dialled.source)
      for (const callback of waiting) callback(connection)
    })
  }

  /** The connection closed at the member's end. */
  closed(connection: Connection): void {
    if (connection !== this.#connection) return
    const wasServing = this.#isServing
    this.#connection = undefined
    this.#isServing = false
    this.#isIdentified = false
    this.#reservation = 'none'
    if (!this.#seat.isHere) return
    if (wasServing) this.#pause(PAUSE_MS.afterLoss)
    else this.#failed()
    this.#seat.linkChanged(this)
  }

  reserve(): void {
    const connection = this.#connection
    if (connection === undefined) return
    this.#reservation = 'asked'
    const question = {
      length: SMALL_BYTES,
      deadlineMs: undefined,
      put: (answer: (granted: boolean, length: number) => void) =>
        answer(this.server.reserve(this.#seat), RESERVATION_BYTES),
    }
    ask(connection, this.#seat, question, this.#setting.counts, (outcome) => {
      if (connection !== this.#connection) return
      this.#reservation = outcome.type === 'answered' && outcome.answer ? 'held' : 'refused'
      this.#seat.linkChanged(this)
    })
  }

  #opened(ip: string, source: string | undefined): Connection {
    const { server } = this
    const setting = this.#setting
    const connection = new Connection({ setting, dialler: this.#seat, acceptor: server, ip, source })
    this.#connection = connection
    this.#pauses += 1
    server.accept(connection)
    this.#greet(connection)
    this.#identify(connection)
    return connection
  }

  #greet(connection: Connection): void {
    const question = {
      length: SMALL_BYTES,
      deadlineMs: SERVICES_DEADLINE_MS,
      put: (answer: (services: Uint8Array, length: number) => void) =>
        answer(this.server.services, this.server.services.length),
    }
    ask(connection, this.#seat, question, this.#setting.counts, ({ type }) => {
      if (connection !== this.#connection) return
      if (type !== 'answered') {
        connection.close(this.#seat)
        return
      }
      this.#isServing = true
      this.#failures = 0
      this.#seat.linkChanged(this)
    })
  }

  #identify(connection: Connection): void {
    const question = {
      length: IDENTIFY_BYTES,
      deadlineMs: undefined,
      put: (answer: (known: true, length: number) => void) => answer(true, IDENTIFY_BYTES),
    }
    ask(connection, this.#seat, question, this.#setting.counts, ({ type }) => {
      if (connection !== this.#connection || type !== 'answered') return
      this.#isIdentified = true
      this.#seat.linkChanged(this)
    })
  }

  #failed(): void {
    this.#failures += 1
    let pause: number = PAUSE_MS.first
    for (let failure = 1; failure < this.#failures && pause < PAUSE_MS.longest; failure++) pause *= GROWTH
    this.#pause(Math.min(PAUSE_MS.longest, pause))
  }

  #pause(ms: number): void {
    this.#pauses += 1
    const pause = this.#pauses
    this.#seat.in(this.#jittered(ms), () => {
      if (pause === this.#pauses) this.begin()
    })
  }

  #jittered(ms: number): number {
    return ms * (1 + (JITTER * randomBelow(this.#seat.random, 1024)) / 1024)
  }
}
