import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { earliest, type Instant, type Now } from '../../../src/base/time.js'
import { Agenda, type Appointment, type Sleeper } from '../../../src/engine/agenda.js'
import { busyMinute, life, outcomes } from './lives.js'

const LIVES = {
  'of two nodes to whom much happens': (seed: number, agenda?: Agenda) => life(seed, undefined, agenda),
  'of a node with busy peers': busyMinute,
}

describe('the agenda of a node', () => {
  for (const [name, live] of Object.entries(LIVES)) {
    it(`tells what asking everyone would tell, in the life ${name}`, () => {
      for (const seed of [1, 2]) {
        const suspicious = new Suspicious()
        live(seed, suspicious)
        assert.ok(suspicious.wakes > 100, `${suspicious.wakes} wake-ups of peers`)
      }
    })

    it(`has the same happen as if everyone was asked every time, in the life ${name}`, () => {
      assert.deepEqual(outcomes(live(3)), outcomes(live(3, new AskingEveryone())))
    })
  }
})

/** Asks all, and wakes them in the order in which they were added. */
class AskingEveryone extends Agenda {
  readonly #sleepers = new Set<Sleeper>()

  override add(sleeper: Sleeper): Appointment {
    const appointment = super.add(sleeper)
    this.#sleepers.add(sleeper)
    const end = appointment.end.bind(appointment)
    appointment.end = () => {
      this.#sleepers.delete(sleeper)
      end()
    }
    return appointment
  }

  override get nextWake(): Instant | undefined {
    let next: Instant | undefined
    for (const sleeper of this.#sleepers) next = earliest(next, sleeper.nextWake)
    return next
  }

  override wake(now: Now): void {
    for (const sleeper of this.due(now.instant)) {
      const { nextWake } = sleeper
      if (nextWake !== undefined && nextWake <= now.instant) sleeper.wake(now)
    }
  }

  due(now: Instant): readonly Sleeper[] {
    return [...this.#sleepers].filter(({ nextWake }) => nextWake !== undefined && nextWake <= now)
  }
}

/** An agenda that asks everyone as well, and finds the same. */
class Suspicious extends Agenda {
  wakes = 0
  readonly #everyone = new AskingEveryone()
  #woken: Sleeper[] = []

  override add(sleeper: Sleeper): Appointment {
    const appointment = super.add({
      get nextWake() {
        return sleeper.nextWake
      },
      wake: (now) => {
        this.#woken.push(sleeper)
        sleeper.wake(now)
      },
    })
    const shadow = this.#everyone.add(sleeper)
    const end = appointment.end.bind(appointment)
    appointment.end = () => {
      shadow.end()
      end()
    }
    return appointment
  }

  override get nextWake(): Instant | undefined {
    const next = super.nextWake
    assert.equal(next, this.#everyone.nextWake)
    return next
  }

  override wake(now: Now): void {
    const due = this.#everyone.due(now.instant)
    this.#woken = []
    super.wake(now)
    assert.deepEqual(
      this.#woken.map((sleeper) => due.indexOf(sleeper)),
      [...due.keys()],
    )
    this.wakes += due.length
  }
}
