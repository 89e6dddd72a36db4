/**
 * What is done about signs (signs.ts), for one peer.
 *
 *   sign ─► decision ─► nothing: no traffic, or somebody else sees to it
 *                   ├─► ask:   the path in use, quickly; its answer ends the matter, and its silence is a sign
 *                   └─► look:  reflectors, relays, a knock, a look-up and all checks at once, from where we are now
 *
 * The path in use stays so until a better one is proved, or its socket is gone. Peers without traffic cost nothing.
 */

import type { Instant } from '../../base/time.js'
import { Caution } from './caution.js'
import { type Decision, type Sign, SignLog } from './signs.js'

/** What a decision depends on. */
export interface RoamSituation {
  /** True where there was traffic lately. */
  readonly isActive: boolean
  readonly hasPath: boolean
}

export interface RoamMeans {
  readonly situation: (now: Instant) => RoamSituation
  /** Asks the path in use whether it carries, several times in short order. */
  readonly ask: (now: Instant) => void
  /** Has our own mappings at relays made again, should it be these that are gone. */
  readonly bindRelays: (now: Instant) => void
  /** Looks for the peer, and asks where we are. */
  readonly look: (now: Instant) => void
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
}

export class Roaming {
  readonly #means: RoamMeans
  readonly #log = new SignLog()
  /** Of what ICMP says. */
  readonly #doubt = new Caution()

  constructor(means: RoamMeans) {
    this.#means = means
  }

  /** The last few signs, the oldest first. */
  get signs(): SignLog['noted'] {
    return this.#log.noted
  }

  /** There is a sign: decides, and does it. */
  noticed(sign: Sign, now: Instant): void {
    const decision = decide(sign, this.#means.situation(now))
    this.note(sign, decision, now)
    if (sign === 'checks-unanswered') this.#doubt.wasTrue()
    if (decision === 'look') this.#means.look(now)
    if (decision !== 'ask') return
    this.#means.ask(now)
    // That a router does not know where the peer is, says nothing of us; and anybody can say it.
    if (sign !== 'unreachable') this.#means.bindRelays(now)
  }

  /**
   * ICMP says that nobody is where the path in use leads. Anybody can say so, as often as he likes: it counts as false
   * until the path fails its checks, and is heeded once a second at first, and then ever more rarely. False where it is
   * not heeded.
   */
  unreachable(now: Instant): boolean {
    if (this.#doubt.holds(now) || decide('unreachable', this.#means.situation(now)) === 'nothing')
      return false
    this.#doubt.wasFalse(now)
    this.noticed('unreachable', now)
    return true
  }

  /** There was a sign that is seen to elsewhere. */
  note(sign: Sign, decision: Decision, now: Instant): void {
    if (this.#log.note(sign, decision, now)) this.#means.log('a sign', { sign, decision })
  }
}

/** What is to be done about a sign. */
export function decide(sign: Sign, { isActive, hasPath }: RoamSituation): Decision {
  switch (sign) {
    case 'first-message-unanswered':
    case 'checks-unanswered':
      return 'look'
    case 'answer-late':
    case 'stream-stopped':
    case 'check-late':
    case 'peer-detours':
    case 'unreachable':
    case 'woke-up':
      return isActive && hasPath ? 'ask' : 'nothing'
    case 'machine-changed':
    case 'address-changed':
      if (!isActive) return 'nothing'
      return hasPath ? 'ask' : 'look'
    case 'new-record':
      return hasPath ? 'nothing' : 'check'
    case 'knocked':
    case 'unknown-address':
      return 'check'
  }
}
