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
  /** Looks for the peer, and asks where we are. */
  readonly look: (now: Instant) => void
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
}

export class Roaming {
  readonly #means: RoamMeans
  readonly #log = new SignLog()

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
    const isNews = this.note(sign, decision, now)
    // Anybody can send those, and as many as he likes.
    if (sign === 'unreachable' && !isNews) return
    if (decision === 'ask') this.#means.ask(now)
    else if (decision === 'look') this.#means.look(now)
  }

  /** There was a sign that is seen to elsewhere. False where it is an echo of one a moment ago. */
  note(sign: Sign, decision: Decision, now: Instant): boolean {
    const isNews = this.#log.note(sign, decision, now)
    if (isNews) this.#means.log('a sign', { sign, decision })
    return isNews
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
