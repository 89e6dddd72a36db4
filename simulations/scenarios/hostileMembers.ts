/**
 * Attackers among the members of the mesh. They know all public keys and hear all that travels, but hold no private key
 * but their own; they may send from any address. Meanwhile two of five servers lie about records, by turns with forged
 * and with stale ones, and the engines are shown what their mesh part would refuse, too.
 *
 * Users expect that nothing that nobody has authenticated becomes a path, a record or a packet; that tunnels lose no more
 * than one ping in a hundred; and that who begins to talk is answered as at any time.
 */

import { randomBelow, seededRandom } from '../../src/base/random.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import { realCryptography } from '../crypto/cryptography.js'
import { Invariants } from '../oracle/invariants.js'
import type { Findings } from '../report/findings.js'
import { type Course, pass, type Run, type Scenario, type Setting } from '../scenario.js'
import type { Attacker } from '../search/attacker.js'
import { placeAttacker } from '../search/attackerPlace.js'
import { Eavesdropper } from '../search/eavesdropper.js'
import { Tally } from './conversation.js'
import { populate } from './population.js'
import { Stage, type Talk } from './stage.js'
import { Waits } from './waits.js'

const SETTLING_MS = 1 * MINUTE
const BEFORE_MS = 1 * MINUTE
const PING_MS = 1 * SECOND
/** Between two attacks of one attacker. */
const ATTACK_EVERY_MS = 3 * SECOND
/** Between two behaviours of the servers that lie, and between talks of a group that begin together. */
const TURN_MS = 2 * MINUTE
const TALK_MS = 30 * SECOND
const LOST_PERCENT = 1

type Names = 'nodes' | 'minutes' | 'attackers'

export const hostileMembers: Scenario<Names> = {
  name: 'hostile-members',
  summary: 'Attackers forge, replay, spoof and flood, and servers lie, while a fleet talks',
  parameters: {
    nodes: { what: 'honest hosts', unit: 'hosts', default: 20, min: 2, max: 1_000 },
    minutes: { what: 'how long they attack', unit: 'minutes', default: 10, min: 2, max: 600 },
    attackers: { what: 'attackers', unit: 'attackers', default: 3, min: 1, max: 50 },
  },
  size: ({ nodes }) => ({ hosts: nodes, pairs: 3 * nodes }),
  begin: (setting) => new HostileMembers(setting).run,
}

type Attack = (attacker: Attacker, victim: Talk['from'], peer: Talk['to']) => void

const ATTACKS: readonly Attack[] = [
  (attacker, victim, peer) => attacker.forgeKnocks(victim, peer, 10),
  (attacker, victim, peer) => attacker.replayKnocks(victim, peer, 10),
  (attacker, victim) => attacker.replayDatagrams(victim, 20),
  (attacker, victim, peer) => attacker.spoofChecks(victim, peer, 20),
  (attacker, victim, peer) => attacker.forgeHandshakes(victim, peer, 20),
  (attacker, victim, peer) => attacker.spoofData(victim, peer, 20),
  (attacker, victim) => attacker.flood(victim, 200, 2 * SECOND),
]

class HostileMembers {
  readonly #stage: Stage
  readonly #attackMs: number
  readonly #attackers: readonly Attacker[]
  readonly #invariants: Invariants
  readonly #steadyTally = new Tally()
  readonly #briefTally = new Tally()
  readonly #steady: readonly Talk[]
  /** Talks of which every third begins at each turn. */
  readonly #brief: readonly Talk[]
  readonly #begin = new Waits()
  #attacks = 0
  #answeredKnocks = 0

  constructor({ seed, values: { nodes, minutes, attackers }, observers }: Setting<Names>) {
    const { topology } = populate(seededRandom(seed), {
      hosts: nodes,
      peers: 3,
      servers: 5,
      symmetric: 0,
      lossless: true,
    })
    this.#stage = new Stage({
      topology,
      seed,
      observers,
      cryptography: realCryptography,
      discovery: { unjudged: true },
    })
    const { world } = this.#stage
    this.#invariants = new Invariants(world)
    const heard = new Eavesdropper(world)
    world.observers.push(heard, this.#invariants)
    this.#attackers = Array.from({ length: attackers }, (_, index) =>
      placeAttacker(world, {
        name: `attacker${index + 1}`,
        random: this.#stage.fork(),
        heard,
        onAnswered: () => {
          this.#answeredKnocks += 1
        },
      }),
    )
    this.#attackMs = minutes * MINUTE
    this.#steady = this.#stage.talks(this.#steadyTally).filter((_talk, index) => index % 2 === 0)
    this.#brief = this.#stage.talks(this.#briefTally).filter((_talk, index) => index % 2 === 1)
  }

  get run(): Run {
    const { queue } = this.#stage
    return {
      queue,
      traced: () => this.#stage.traced(),
      totalMs: SETTLING_MS + BEFORE_MS + this.#attackMs,
      course: () => this.#course(),
      findings: () => this.#findings(),
    }
  }

  *#course(): Course {
    const { queue } = this.#stage
    this.#stage.start()
    yield* pass(queue, SETTLING_MS)
    for (const { conversation } of this.#steady) conversation.begin(PING_MS)
    yield* pass(queue, BEFORE_MS)
    for (const attacker of this.#attackers) this.#attack(attacker)
    for (let turn = 0; turn * TURN_MS < this.#attackMs; turn++) {
      this.#lie(turn)
      for (const talk of this.#brief.filter((_talk, index) => index % 3 === turn % 3)) this.#talk(talk)
      yield* pass(queue, Math.min(TURN_MS, this.#attackMs - turn * TURN_MS))
    }
    this.#invariants.finish()
    for (const { conversation } of this.#steady) conversation.end()
  }

  /** One attack after the other, on whomever, to the end. */
  #attack(attacker: Attacker): void {
    const { queue, topology } = this.#stage
    const random = this.#stage.fork()
    const next = (): void => {
      const pair = topology.pairs[randomBelow(random, topology.pairs.length)]
      const attack = ATTACKS[randomBelow(random, ATTACKS.length)]
      if (pair !== undefined && attack !== undefined) {
        this.#attacks += 1
        const [victim, peer] = randomBelow(random, 2) === 0 ? pair : [pair[1], pair[0]]
        attack(attacker, this.#stage.machine(victim), this.#stage.machine(peer))
      }
      queue.in(ATTACK_EVERY_MS, next)
    }
    queue.in(randomBelow(random, ATTACK_EVERY_MS), next)
  }

  /** Two servers lie, in turns about other things. */
  #lie(turn: number): void {
    const [one, other] = this.#stage.world.servers
    one?.behave({ type: turn % 2 === 0 ? 'forged' : 'stale' })
    other?.behave({ type: turn % 2 === 0 ? 'stale' : 'forged' })
  }

  #talk(talk: Talk): void {
    const { conversation } = talk
    conversation.expect(this.#begin, this.#stage.wait('a talk began', talk))
    conversation.begin(PING_MS)
    this.#stage.queue.in(TALK_MS, () => conversation.end())
  }

  get #forgeries(): readonly string[] {
    const { violation } = this.#invariants
    return [
      ...(violation === undefined
        ? []
        : [`${violation.invariant} at ${violation.atMs} ms: ${violation.host}: ${violation.message}`]),
      ...(this.#answeredKnocks === 0 ? [] : [`${this.#answeredKnocks} knocks of attackers were answered`]),
    ]
  }

  #findings(): Findings {
    const { lost, pings } = this.#steadyTally
    return {
      measurements: [
        { name: 'attacks', what: 'attacks', unit: 'times', value: this.#attacks },
        ...this.#steadyTally.measurements,
        this.#begin.measurement('first-answer', 'from the begin of a talk to the first answer'),
        ...this.#stage.measurements,
      ],
      tables: [this.#stage.drops],
      expectations: [
        {
          name: 'nothing-forged',
          what: 'nothing forged, replayed or spoofed is believed, and everything stays within bounds',
          broken: this.#forgeries,
        },
        {
          name: 'tunnels-go-on',
          what: `tunnels lose at most ${LOST_PERCENT} % of their pings`,
          broken: 100 * lost > LOST_PERCENT * pings ? [`${lost} of ${pings} pings were lost`] : [],
        },
        this.#begin.expectation('talks-begin', 'who begins to talk is answered'),
        ...this.#stage.expectations,
      ],
    }
  }
}
