/** Brings a case to life, lets everything happen, and watches the invariants until the end or the first violation. */

import { seededRandom } from '../../src/base/random.js'
import { realCryptography } from '../crypto/cryptography.js'
import { StandIn } from '../crypto/standIn.js'
import { Invariants } from '../oracle/invariants.js'
import { Trace } from '../trace.js'
import { World } from '../world.js'
import { placeAttacker } from './attackerPlace.js'
import type { Case } from './case.js'
import { describeFault } from './caseText.js'
import { Eavesdropper } from './eavesdropper.js'
import { HOSTILE_FAULTS } from './fault.js'
import { Occasions } from './occasions.js'
import type { CaseOutcome, CryptographyName, Violation } from './outcome.js'
import { Strikes } from './strikes.js'
import { startTraffic } from './traffic.js'

/** What an attacker draws is its own: an attack changes nothing of what else is drawn. */
const ATTACKER_DRAWS = 0x5eed

/** 2026-01-02T00:00:00Z, in milliseconds. */
const MIDNIGHT = 1_767_312_000_000

export interface RunOptions {
  readonly cryptography?: CryptographyName
  /** Is told of each thing that happens to the world, with the time in ms. */
  readonly onHappened?: (atMs: number, what: string) => void
  /** True for a digest of everything that is observed. */
  readonly digest?: boolean
}

export interface RunOutcome extends CaseOutcome {
  readonly digest: string | undefined
}

export function runCase(whole: Case, cryptography: CryptographyName): CaseOutcome {
  return observeCase(whole, { cryptography })
}

export function observeCase(whole: Case, options: RunOptions = {}): RunOutcome {
  const { topology, schedule, seed, lengthMs, judged, beforeMidnightMs, gossips } = whole
  const world = new World(topology, {
    seed,
    cryptography: options.cryptography === 'real' ? realCryptography : new StandIn(),
    discovery: { unjudged: !judged, ...(gossips ? {} : { gossip: 'off' }) },
    unixStart: MIDNIGHT - beforeMidnightMs,
  })
  const { queue, machines, observers } = world
  const trace = options.digest === true ? new Trace(() => queue.elapsed) : undefined
  if (trace !== undefined) observers.push(trace)
  const invariants = new Invariants(world)
  observers.push(invariants)
  const { onHappened } = options
  if (onHappened !== undefined) observers.push({ happened: (what) => onHappened(queue.elapsed, what) })
  const counts = { datagrams: 0, struck: {} as Record<string, number> }
  observers.push({ sent: () => void counts.datagrams++ })

  let breach: Violation | undefined
  const isAttacked = schedule.some(({ fault }) => HOSTILE_FAULTS.has(fault.type))
  const heard = new Eavesdropper(world)
  if (isAttacked) observers.push(heard)
  const onAnswered = (): void => {
    breach ??= {
      invariant: 'answers-authors',
      what: "an attacker's knock was answered",
      atMs: queue.elapsed,
    }
  }
  const random = seededRandom(seed ^ ATTACKER_DRAWS)
  const attacker = isAttacked
    ? placeAttacker(world, { name: 'attacker', random, heard, onAnswered })
    : undefined
  const strikes = new Strikes(world, whole, attacker)
  const occasions = new Occasions(schedule.map(({ when }) => when))
  observers.push(occasions.observer)
  const names = machines.map(({ name }) => name)
  for (const { when, fault } of schedule) {
    occasions.await(when, names, queue, () => {
      counts.struck[fault.type] = (counts.struck[fault.type] ?? 0) + 1
      const what = describeFault(fault, whole)
      strikes.strike(fault, what)
    })
  }
  startTraffic(whole, machines, queue)
  for (const [index, machine] of machines.entries()) {
    // By its own clock: one that sleeps starts when it wakes.
    machine.clock.in(whole.starts[index] ?? 0, () => machine.start())
  }

  try {
    if (!queue.runUntil(() => invariants.violation !== undefined || breach !== undefined, lengthMs))
      invariants.finish()
  } catch (error) {
    breach = { invariant: 'throws', what: described(error), atMs: queue.elapsed }
  }
  const broken = invariants.violation
  const { connected } = invariants.statistics
  return {
    violation:
      breach ??
      (broken && {
        invariant: broken.invariant,
        what: `${broken.host}: ${broken.message}`,
        atMs: broken.atMs,
      }),
    statistics: {
      simulatedMs: queue.elapsed,
      datagrams: counts.datagrams,
      pings: connected.pings,
      answeredPings: connected.answered,
      contacts: connected.contacts.length,
      lateContacts: connected.late,
      struck: counts.struck,
    },
    digest: trace?.digest,
  }
}

/** The message, and the first place in the sources. */
function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const [, place = ''] = /\n\s+at (.*)/.exec(error.stack ?? '') ?? []
  return `${error.message} (${place.replace(/file:\S*\/(?=(?:src|simulations)\/)/, '')})`
}
