/**
 * Real mesh nodes that come and go beside the model of simulations/fleet with the same setting: what the model says of
 * fleets that no machine can hold is worth what it says of one that this machine can.
 */

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet } from '../../simulations/fleet/fleet.js'
import type { Role } from '../../simulations/fleet/loads.js'
import type { Machine } from '../../simulations/fleet/machine.js'
import { populate } from '../../simulations/fleet/population.js'
import { type Churn, churnOfMedian } from '../../simulations/fleet/sessions.js'
import { Draws } from '../../simulations/network/draws.js'
import { EventQueue } from '../../simulations/network/eventQueue.js'
import type { Samples } from '../../simulations/report/distribution.js'
import { seededRandom } from '../../src/base/random.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Progress, Say } from '../lab/progress.js'
import { ChurningFleet } from './churningFleet.js'
import type { Finding } from './report.js'

/** Sessions are so short that a fleet turns over several times while it is watched. */
const MEDIAN_MS = 2 * MINUTE
const WARMING_MS = 4 * MINUTE
const COUNTED_MS = 6 * MINUTE
/** After half of the servers have gone. */
const STRUCK_MS = 3 * MINUTE
const POPULATION = {
  nodes: 100,
  availability: 0.5,
  bootstrap: 3,
  serving: 0.2,
  symmetric: 0,
  withoutUdp: 0,
  peers: 5,
} as const
const SEED = 1

/** What either fleet shows. Shares in percent, times in ms, traffic in bytes a second of TCP, both ways. */
export interface Observed {
  readonly lookUps: number
  readonly found: number
  readonly firstMs: number
  readonly lateMs: number
  readonly foundAfter: number
  readonly bytes: Readonly<Record<Role, number>>
  readonly connections: Readonly<Record<'bootstrap' | 'serving', number>>
  readonly reservations: number
  readonly table: number
}

export async function* benchMeshChurn(progress: Progress): AsyncGenerator<Finding> {
  const churn = churnOfMedian(MEDIAN_MS, POPULATION.availability)
  const real = await progress.step('a fleet that churns', (say) => observe(churn, say))
  const modelled = model(churn)
  const row = (quantity: string, of: (observed: Observed) => number, isShare = false) => ({
    quantity,
    real: of(real),
    model: of(modelled),
    error: isShare ? of(modelled) - of(real) : 100 * (of(modelled) / of(real) - 1),
    unit: isShare ? 'points' : '%',
  })
  yield {
    title: `${POPULATION.nodes} real nodes that come and go, and the model of them`,
    columns: [
      { key: 'quantity', heading: 'quantity' },
      { key: 'real', heading: 'real nodes', digits: 1 },
      { key: 'model', heading: 'model', digits: 1 },
      { key: 'error', heading: 'error', digits: 1 },
      { key: 'unit', heading: 'of it' },
    ],
    rows: [
      row('look-ups of peers that are there', ({ lookUps }) => lookUps),
      row('of them found, %', ({ found }) => found, true),
      row('of them found after half of the servers vanished, %', ({ foundAfter }) => foundAfter, true),
      row('to the first record, median, ms', ({ firstMs }) => firstMs),
      row('to the first record, 95 %, ms', ({ lateMs }) => lateMs),
      row('a client, bytes/s', ({ bytes }) => bytes.other),
      row('a server, bytes/s', ({ bytes }) => bytes.serving),
      row('a bootstrap node, bytes/s', ({ bytes }) => bytes.bootstrap),
      row('connections of a server', ({ connections }) => connections.serving),
      row('connections of a bootstrap node', ({ connections }) => connections.bootstrap),
      row('reservations at a bootstrap node', ({ reservations }) => reservations),
      row('servers that a node knows', ({ table }) => table),
    ],
    notes: [
      `Sessions have a median of ${MEDIAN_MS / MINUTE} min, ${100 * POPULATION.serving} % serve, ${POPULATION.bootstrap} bootstrap nodes; the mesh of the daemon over TCP on loopback, without gossip.`,
      'Times of the real nodes are those of the processor that they share.',
    ],
  }
}

/** The same fleet in the model. */
function model(churn: Churn): Observed {
  const draws = new Draws(seededRandom(SEED))
  const machines = populate(POPULATION, draws)
  const queue = new EventQueue(0, 0)
  const setting = { machines, churn, rttMs: 1, silentLeaves: 0, talksAnHour: 0, gossipLimit: 0 }
  const fleet = new Fleet({ ...setting, forgetsRecords: true }, queue, draws)
  const pass = (ms: number): boolean => queue.runUntil(() => false, ms)
  fleet.start()
  pass(WARMING_MS)
  fleet.beginCounting()
  pass(COUNTED_MS)
  fleet.readLoads()
  const { tally } = fleet
  const { lookUps, found } = tally
  const firstMs = tally.firstMs.distribution
  const bytesOf = (role: Role): number => tally.traffic[role].bytes / (tally.traffic[role].ms / SECOND)
  const mean = (samples: Samples): number => samples.sum / samples.count
  const observed = {
    lookUps,
    found: (100 * found) / lookUps,
    firstMs: firstMs.median ?? Number.NaN,
    lateMs: firstMs.p95 ?? Number.NaN,
    bytes: { bootstrap: bytesOf('bootstrap'), serving: bytesOf('serving'), other: bytesOf('other') },
    connections: { bootstrap: mean(tally.connections.bootstrap), serving: mean(tally.connections.serving) },
    reservations: mean(tally.reservations.bootstrap),
    table: mean(tally.tableSizes),
  }
  fleet.kill(machines.filter((machine) => isDoomed(machine)))
  pass(STRUCK_MS)
  return { ...observed, foundAfter: (100 * (tally.found - found)) / (tally.lookUps - lookUps) }
}

/** Half of the servers. */
function isDoomed({ serves, isBootstrap, index }: Machine): boolean {
  return serves && !isBootstrap && index % 2 === 0
}

async function observe(churn: Churn, say: Say): Promise<Observed> {
  const draws = new Draws(seededRandom(SEED))
  const machines = populate(POPULATION, draws)
  const fleet = await ChurningFleet.start(machines, churn, draws, randomBytes(32))
  const wait = async (what: string, ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= SECOND) {
      say(`${what}, ${Math.round(left / SECOND)} s to go, ${fleet.online} nodes`)
      await sleep(Math.min(left, SECOND))
    }
  }
  try {
    await wait('it comes up', WARMING_MS)
    await fleet.beginCounting()
    await wait('it is watched', COUNTED_MS)
    const observed = await fleet.read()
    const { lookUps, found } = fleet.counts
    fleet.kill(isDoomed)
    await wait('half of its servers have gone', STRUCK_MS)
    const after = fleet.counts
    return { ...observed, foundAfter: (100 * (after.found - found)) / (after.lookUps - lookUps) }
  } finally {
    await fleet.end()
  }
}
