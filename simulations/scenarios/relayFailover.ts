/**
 * The servers die one after another, until one is left, then that one too; at the end they come back. A server dies in
 * one of three ways: its process ends, it hangs while its kernel goes on to take what is sent, its machine loses power.
 * Knocks pass through servers, records are stored there, and reflections come from there.
 *
 * Users expect that those who talk notice nothing, ever; that who begins to talk when a server has been dead for a while
 * is answered as at any time, as long as one lives; and that all is well soon after they have come back.
 */

import { seededRandom } from '../../src/base/random.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Server } from '../hosts/server.js'
import { PROMISE_MS } from '../oracle/connected.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import { Tally } from './conversation.js'
import { populate } from './population.js'
import { Stage, type Talk } from './stage.js'
import { Waits } from './waits.js'

const SETTLING_MS = 1 * MINUTE
const PING_MS = 1 * SECOND
/** Between deaths; talks begin at the beginning and in the middle, and last for so long. */
const PHASE_MS = 4 * MINUTE
const TALK_MS = 100 * SECOND
/** By turns. */
const DEATHS = ['ends', 'hangs', 'loses power'] as const

type Death = (typeof DEATHS)[number]

type Names = 'nodes' | 'servers'

export const relayFailover: Scenario<Names> = {
  name: 'relay-failover',
  summary: 'The servers through which hosts find each other die one after another, each in another way',
  parameters: {
    nodes: { what: 'hosts of the fleet', unit: 'hosts', default: 40, min: 4, max: 2_000 },
    servers: { what: 'servers at first', unit: 'servers', default: 4, min: 2, max: 12 },
  },
  size: ({ nodes }) => ({ hosts: nodes, pairs: 3 * nodes }),
  begin: (setting) => new RelayFailover(setting).run,
}

class RelayFailover {
  readonly #stage: Stage
  readonly #servers: number
  readonly #steady: readonly Talk[]
  /** Talks that begin together, in turn; each is silent for long enough to be begun anew the next time. */
  readonly #groups: readonly (readonly Talk[])[]
  readonly #tally = new Tally()
  readonly #briefTally = new Tally()
  readonly #goOn = new Waits()
  readonly #rightAfter = new Waits()
  readonly #later = new Waits()
  readonly #afterReturn = new Waits(PROMISE_MS)

  constructor({ seed, values: { nodes, servers }, observers }: Setting<Names>) {
    const { topology } = populate(seededRandom(seed), { hosts: nodes, peers: 3, servers, symmetric: 0 })
    this.#stage = new Stage({ topology, seed, observers })
    this.#servers = servers
    const third = (index: number) => (_talk: Talk, at: number) => at % 3 === index
    this.#steady = this.#stage.talks(this.#tally).filter(third(0))
    const brief = this.#stage.talks(this.#briefTally)
    this.#groups = [brief.filter(third(1)), brief.filter(third(2))]
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced(),
      // A phase for each death, and one after the return.
      totalMs: SETTLING_MS + (this.#servers + 1) * PHASE_MS,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue, world } = this.#stage
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const { conversation } of this.#steady) conversation.begin(PING_MS)
    for (const [index, server] of world.servers.entries()) {
      const death = DEATHS[index % DEATHS.length] ?? 'ends'
      kill(server, death)
      const isLast = index === world.servers.length - 1
      for (const talk of this.#steady)
        talk.conversation.expect(this.#goOn, this.#stage.wait(`${server.name} ${death}`, talk))
      if (!isLast) this.#begin(0, this.#rightAfter, `${server.name} has just died`)
      yield* pass(queue, PHASE_MS / 2)
      if (!isLast) this.#begin(1, this.#later, `${server.name} has been dead for a while`)
      yield* pass(queue, PHASE_MS / 2)
    }
    for (const server of world.servers) server.restore()
    this.#begin(0, this.#afterReturn, 'the servers are back')
    this.#begin(1, this.#afterReturn, 'the servers are back')
    yield* pass(queue, PHASE_MS)
    for (const { conversation } of this.#steady) conversation.end()
  }

  #begin(group: number, waits: Waits, why: string): void {
    for (const talk of this.#groups[group] ?? []) {
      const { conversation } = talk
      conversation.expect(waits, this.#stage.wait(why, talk))
      conversation.begin(PING_MS)
      this.#stage.queue.in(TALK_MS, () => conversation.end())
    }
  }
  #findings(): Findings {
    return {
      measurements: [
        ...this.#tally.measurements,
        this.#goOn.measurement('go-on', 'who talks: from a death to the next answer'),
        this.#rightAfter.measurement(
          'begin-right-after',
          'from the begin of a talk right after a death to the first answer',
        ),
        this.#later.measurement('begin-later', 'the same two minutes later'),
        this.#afterReturn.measurement('begin-after-return', 'the same when all servers have just come back'),
        ...this.#stage.measurements,
      ],
      tables: [],
      expectations: [
        this.#goOn.expectation('talks-go-on', 'who talks goes on'),
        this.#later.expectation('talks-begin', 'who begins to talk while a server lives is answered'),
        this.#afterReturn.expectation('return', 'when the servers are back all are answered'),
        ...this.#stage.expectations,
      ],
    }
  }
}

function kill(server: Server, death: Death): void {
  if (death === 'ends') server.crash()
  else if (death === 'hangs') server.hang()
  else server.cut()
}
