/**
 * Whom to wake when: those who sleep say it themselves, and are asked again only after something happened to them. So what
 * happens to one costs about as much as it would if there were no others, and those to whom nothing happens cost nothing.
 *
 *   touch ─► asked again, once, before the next is told or woken ─► its place in a heap, by time
 *
 * It is exact: nobody is woken later than it says, and what is told is what asking everyone would tell. Those who are due
 * together are woken in the order in which they were added, whatever that of the heap is.
 */

import { asInstant, type Instant, type Now } from '../base/time.js'

/** Who wants to be woken at some time, or not at all. Whatever may change that touches its {@link Appointment}. */
export interface Sleeper {
  readonly nextWake: Instant | undefined
  wake(now: Now): void
}

const NEVER = Number.POSITIVE_INFINITY
/** Where those are in the heap who are not in it. */
const NOWHERE = -1

/** What the agenda knows of one sleeper. */
export class Appointment {
  readonly sleeper: Sleeper
  readonly order: number
  /** When it is to be woken, as it said when it was last asked; infinite where it is not to be woken. */
  time = NEVER
  at = NOWHERE
  #isTouched = false
  #isOver = false
  readonly #touched: Appointment[]

  constructor(sleeper: Sleeper, order: number, touched: Appointment[]) {
    this.sleeper = sleeper
    this.order = order
    this.#touched = touched
  }

  /** Something happened to the sleeper. Called for every packet: nothing is allocated. */
  touch(): void {
    if (this.#isTouched) return
    this.#isTouched = true
    this.#touched.push(this)
  }

  /** Asks the sleeper; from then on it may be touched again. */
  ask(): number {
    this.#isTouched = false
    return this.#isOver ? NEVER : (this.sleeper.nextWake ?? NEVER)
  }

  /** It is to be woken no more. */
  end(): void {
    this.#isOver = true
    this.touch()
  }
}

export class Agenda {
  /** Neither child of a place, at 2n + 1 and 2n + 2, is earlier. */
  readonly #heap: Appointment[] = []
  /** Who is to be asked again, each once. */
  readonly #touched: Appointment[] = []
  #added = 0

  /** The sleeper is asked when that first matters, not before. */
  add(sleeper: Sleeper): Appointment {
    const appointment = new Appointment(sleeper, this.#added++, this.#touched)
    appointment.touch()
    return appointment
  }

  /** When the first is to be woken; undefined where nobody is. */
  get nextWake(): Instant | undefined {
    this.#askTouched()
    const first = this.#heap[0]
    return first === undefined ? undefined : asInstant(first.time)
  }

  /** Wakes those who are due, unless they are due no more when it is their turn. */
  wake(now: Now): void {
    this.#askTouched()
    for (const { sleeper } of this.#due(now.instant)) {
      const { nextWake } = sleeper
      if (nextWake !== undefined && nextWake <= now.instant) sleeper.wake(now)
    }
  }

  /** In the order in which they were added. */
  #due(now: Instant): readonly Appointment[] {
    const due: Appointment[] = []
    const places = [0]
    for (let at = places.pop(); at !== undefined; at = places.pop()) {
      const appointment = this.#heap[at]
      if (appointment === undefined || appointment.time > now) continue
      due.push(appointment)
      places.push(2 * at + 1, 2 * at + 2)
    }
    return due.sort((a, b) => a.order - b.order)
  }

  #askTouched(): void {
    for (const appointment of this.#touched) this.#place(appointment, appointment.ask())
    this.#touched.length = 0
  }

  #place(appointment: Appointment, time: number): void {
    if (time === appointment.time) return
    appointment.time = time
    if (time === NEVER) this.#takeOut(appointment)
    else if (appointment.at === NOWHERE) this.#rise(appointment, this.#heap.length)
    else this.#settle(appointment, appointment.at)
  }

  #takeOut(appointment: Appointment): void {
    const { at } = appointment
    const last = this.#heap.pop()
    appointment.at = NOWHERE
    if (last !== undefined && last !== appointment) this.#settle(last, at)
  }

  /** Puts it at a place, or above or below, as its time wants. */
  #settle(appointment: Appointment, at: number): void {
    const above = this.#heap[(at - 1) >> 1]
    if (at > 0 && above !== undefined && above.time > appointment.time) this.#rise(appointment, at)
    else this.#sink(appointment, at)
  }

  #rise(appointment: Appointment, from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = this.#heap[parent]
      if (above === undefined || above.time <= appointment.time) break
      this.#put(above, at)
      at = parent
    }
    this.#put(appointment, at)
  }

  #sink(appointment: Appointment, from: number): void {
    let at = from
    for (;;) {
      let child = 2 * at + 1
      let below = this.#heap[child]
      const right = this.#heap[child + 1]
      if (below !== undefined && right !== undefined && right.time < below.time) {
        child += 1
        below = right
      }
      if (below === undefined || below.time >= appointment.time) break
      this.#put(below, at)
      at = child
    }
    this.#put(appointment, at)
  }

  #put(appointment: Appointment, at: number): void {
    this.#heap[at] = appointment
    appointment.at = at
  }
}
