/**
 * No livelock: an engine never wants to be woken in the past, and not often. It is woken to look after each peer's path
 * four times a second, to see that answers come (every 40 ms, where there is another path), to send (packetBounds.ts), or to see that the budget of checks has nothing left.
 */

import { type Instant, SECOND } from '../../src/base/time.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Host, Ledger } from './ledger.js'
import {
  PROBES_EACH_PEER,
  PUNCHING_EACH_SECOND,
  REFLECTIONS_EACH_SOCKET,
  RELAYING_EACH_PEER,
} from './packetBounds.js'

const NAME = 'no-livelock'

/** src/engine/roam/watch.ts, and MARGIN_MS of src/engine/loopback/expectation.ts. */
const LOOKS_EACH_PEER = 4 + 25
/** Errands, timers of the record and of reflections. */
const BESIDES = 20

interface Wakes {
  begunAt: number
  count: number
  /** When it wanted to be woken, after the last input. */
  next: Instant | undefined
}

export class WakeUps {
  readonly statistics = { wakeUps: 0, mostEachSecond: 0 }
  readonly #ledger: Ledger
  readonly #wakes = new WeakMap<Host, Wakes>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  handled(host: Host, input: Input): void {
    const wakes = this.#wakesOf(host)
    this.#look(host, wakes, input)
    if (input.type === 'woken') this.#woken(host, wakes)
  }

  /** A timer comes up to a millisecond late, so what was due already may still wait when something else comes in. */
  #look(host: Host, wakes: Wakes, input: Input): void {
    const { instant } = host.machine.clock.now
    const next = host.node?.nextWake
    const wasDue =
      input.type !== 'woken' && wakes.next !== undefined && next !== undefined && next >= wakes.next
    wakes.next = next
    if (next === undefined || next >= instant || wasDue) return
    const message = `after ${input.type} it wants to have been woken ${instant - next} ms ago`
    this.#ledger.report(NAME, host.name, message)
  }

  #wakesOf(host: Host): Wakes {
    let wakes = this.#wakes.get(host)
    if (wakes === undefined) {
      wakes = { begunAt: this.#ledger.now, count: 0, next: undefined }
      this.#wakes.set(host, wakes)
    }
    return wakes
  }

  #woken(host: Host, wakes: Wakes): void {
    const { now } = this.#ledger
    this.statistics.wakeUps += 1
    if (now - wakes.begunAt >= SECOND) {
      wakes.begunAt = now
      wakes.count = 0
    }
    wakes.count += 1
    if (wakes.count > this.statistics.mostEachSecond) this.statistics.mostEachSecond = wakes.count
    const allowed =
      BESIDES +
      PUNCHING_EACH_SECOND +
      REFLECTIONS_EACH_SOCKET * host.sockets +
      (LOOKS_EACH_PEER + PROBES_EACH_PEER + RELAYING_EACH_PEER) * host.sides.size
    if (wakes.count > allowed)
      this.#ledger.report(NAME, host.name, `${wakes.count} wake-ups in a second, where ${allowed} are enough`)
  }
}
