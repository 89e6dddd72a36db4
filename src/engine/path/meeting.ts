/** What the gateways between a peer and us let one hope for, and when that may be tried again. */

import type { Instant, Now } from '../../base/time.js'
import type { Candidate } from '../../wire/candidate.js'
import type { PeerRecord } from '../../wire/record.js'
import { natOf } from '../directory/ownContent.js'
import type { AddressWitnesses } from './addressWitnesses.js'
import { type BirthdayPlan, type BirthdaySituation, hopelessMeeting, planBirthday } from './birthdayPlan.js'
import type { Birthdays } from './birthdays.js'
import type { Machine } from './machine.js'
import type { Reflection } from './reflection.js'

export interface MeetingParts {
  readonly machine: Machine
  readonly reflection: Reflection
  readonly birthdays: Birthdays
  /** Who proves where the peer is. */
  readonly witnesses: AddressWitnesses
  /** Our ports that gateways have opened. */
  readonly mapped: () => readonly Candidate[]
  /** The peer's record, where one is known. */
  readonly record: (now: Now) => PeerRecord | undefined
}

export class Meeting {
  readonly #parts: MeetingParts

  constructor(parts: MeetingParts) {
    this.#parts = parts
  }

  /** What birthday punching can be done as things are now. */
  plan(now: Now): BirthdayPlan | undefined {
    const situation = this.#gateways(now)
    return situation && planBirthday(situation)
  }

  /** Where it failed between these two gateways, when it may be tried again. */
  notBefore(now: Now): Instant {
    const { birthdays } = this.#parts
    const situation = this.#gateways(now)
    const hopeless = situation && hopelessMeeting(situation)
    const plan = situation && planBirthday(situation)
    const isLongOdds = hopeless !== undefined || plan?.isProved === false
    const failed = isLongOdds ? birthdays.hopeless : birthdays.failed
    const between = hopeless ?? plan?.between
    return (between && failed.notBefore(between)) ?? now.instant
  }

  /** Ordinary checks came to nothing; `isRelayed` where a relay carries the traffic meanwhile. */
  failed(isRelayed: boolean, now: Now): void {
    const situation = this.#gateways(now)
    if (situation === undefined || !isRelayed) return
    const plan = planBirthday(situation)
    const hopeless = hopelessMeeting(situation) ?? (plan?.isProved === false ? plan.between : undefined)
    if (hopeless !== undefined) this.#parts.birthdays.hopeless.failed(hopeless, now.instant)
  }

  /** What is known of the gateways between the peer and us. */
  #gateways(now: Now): BirthdaySituation | undefined {
    const { machine, reflection, witnesses, mapped, record } = this.#parts
    const peer = record(now)
    if (peer === undefined) return undefined
    const { findings } = reflection
    const { sockets, routes } = machine
    return {
      own: natOf(findings),
      reflexive: findings.candidates,
      mapped: mapped(),
      sockets,
      routes,
      peer,
      isProved: (ip) => witnesses.prove(peer, ip, now.unix),
    }
  }
}
