/** What is counted while a fleet lives: in all, and over time. */

import { MINUTE } from '../../src/base/time.js'
import { Samples } from '../report/distribution.js'
import type { Role } from './loads.js'

/** What happened in one stretch of time. */
export interface Stretch {
  lookUps: number
  found: number
  stale: number
  /** Servers that were there when it ended. */
  servers: number
  /** Machines that were there when it ended. */
  online: number
  publications: number
  /** Of them, those that nobody stored. */
  unstored: number
  requests: number
}

export const STRETCH_MS = MINUTE

function byServingRole<Value>(make: () => Value): { readonly [Each in 'bootstrap' | 'serving']: Value } {
  return { bootstrap: make(), serving: make() }
}

function byRole<Value>(make: () => Value): { readonly [Each in Role]: Value } {
  return { ...byServingRole(make), other: make() }
}

export class Tally {
  /** First look-ups of a session, and all others, to the first record, in ms. */
  readonly coldMs = new Samples()
  readonly warmMs = new Samples()
  /** Both together. */
  readonly firstMs = new Samples()
  /** From a first packet to a peer that is there to the first answer, in ms. */
  readonly connectMs = new Samples()
  /** Requests of a look-up, of a publication. */
  readonly asked = new Samples()
  readonly published = new Samples()
  /** How old what was found was, in ms. */
  readonly ageMs = new Samples()
  /** Bytes a second and requests an hour of each machine that was there all the time. */
  readonly bytesASecond = byRole(() => new Samples())
  readonly requestsAnHour = byRole(() => new Samples())
  /** What all of a role sent and received, but for gossip, in all the time that they were there. */
  readonly traffic = byRole(() => ({ bytes: 0, ms: 0 }))
  readonly connections = byServingRole(() => new Samples())
  readonly reservations = byServingRole(() => new Samples())
  readonly records = byServingRole(() => new Samples())
  readonly tableSizes = new Samples()
  readonly stretches: Stretch[] = []
  readonly ways = { direct: 0, 'direct-by-guessing': 0, relayed: 0, streamed: 0, failed: 0 }

  /** Look-ups of a record that its author had published, and is there to stand by. */
  lookUps = 0
  found = 0
  /** Of those found: not what the author says now; and of no use to reach it. */
  stale = 0
  useless = 0
  /** Not found though a server that is there holds it; and those that no server held. */
  missed = 0
  lost = 0
  joins = 0
  gossiped = 0
  bootstrapRefusals = 0

  begin(servers: number, online: number): void {
    this.stretches.push({
      lookUps: 0,
      found: 0,
      stale: 0,
      servers,
      online,
      publications: 0,
      unstored: 0,
      requests: 0,
    })
  }

  /** The present stretch. */
  get now(): Stretch {
    const stretch = this.stretches.at(-1)
    if (stretch === undefined) throw new Error('the tally has not begun')
    return stretch
  }
}
