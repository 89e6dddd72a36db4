/**
 * The same with 30 % of the nodes dead without notice, the bootstrap node of one process among them:
 *
 *   killed       the processes are gone; their kernel closes what was open and refuses what is dialled
 *   standing     the processes stand still; the kernel accepts what is dialled, and nobody answers
 *   black-holed  the machines are gone; nothing answers, and nothing says that it does not
 *
 * A fleet of a hundred that serve takes minutes to start, so it dies once only, a third in each way.
 */

import type { Progress, Say } from '../lab/progress.js'
import {
  BenchFleet,
  FLEET_KINDS,
  type FleetKind,
  measureLookUps,
  measurePublishing,
  PROCESSES,
  publishRecords,
} from './meshFleets.js'
import type { Finding } from './report.js'
import { median, percentile95 } from './statistics.js'

const DEATHS = ['killed', 'standing', 'black-holed'] as const
type Death = (typeof DEATHS)[number]

const DEAD_PROCESSES = 0.3 * PROCESSES

/** How each of the processes that die does. */
interface Mortality {
  readonly name: string
  readonly deaths: readonly Death[]
}

const MORTALITIES: readonly Mortality[] = DEATHS.map((death) => ({
  name: death,
  deaths: Array.from({ length: DEAD_PROCESSES }, () => death),
}))
const EACH_WAY: Mortality = { name: 'in each way', deaths: DEATHS }
/** With the newcomers' look-ups a thousand: what is wanted is at most one in a thousand that finds nothing. */
const NEWCOMERS = { count: 100, each: 10 } as const
const RECORDS = 60
const PUBLICATIONS = 40

export async function* benchMeshDead(progress: Progress): AsyncGenerator<Finding> {
  const rows: Finding['rows'][number][] = []
  for (const kind of FLEET_KINDS)
    for (const mortality of kind.clients > 0 ? MORTALITIES : [EACH_WAY])
      rows.push(
        await progress.step(`look-ups among ${kind.name}, 30 % dead: ${mortality.name}`, (say) =>
          measure(kind, mortality, say),
        ),
      )
  yield {
    title: 'Look-ups and publications with 30 % of 100 nodes dead without notice, in ms',
    columns: [
      { key: 'fleet', heading: 'fleet' },
      { key: 'death', heading: 'dead' },
      { key: 'found', heading: 'found %', digits: 1 },
      { key: 'coldMs', heading: 'cold' },
      { key: 'cold95Ms', heading: '95 %' },
      { key: 'nextMs', heading: 'all' },
      { key: 'next95Ms', heading: '95 %' },
      { key: 'worstMs', heading: 'worst' },
      { key: 'foundMs', heading: 'published to found' },
      { key: 'found95Ms', heading: '95 %' },
      { key: 'publish95Ms', heading: 'publish returns, 95 %' },
    ],
    rows,
    notes: [
      'Wanted: found at least 99.9 %, 95 % of look-ups under 1.5 s; published to found under 1 s.',
      `The records were published before; ${NEWCOMERS.count} clients that join afterwards look ${NEWCOMERS.each} up each.`,
    ],
  }
}

async function measure(
  kind: FleetKind,
  { name, deaths }: Mortality,
  say: Say,
): Promise<Finding['rows'][number]> {
  const bench = await BenchFleet.start(kind, say)
  try {
    const { fleet } = bench
    say('publishing')
    const keys = await publishRecords(fleet.nodes, RECORDS)
    const newcomers = fleet.addProcess()
    // Process 0 to 2 have a bootstrap node each.
    const dying = fleet.processes.slice(2, 2 + DEAD_PROCESSES)
    const dead = new Set(fleet.nodesOf(dying))
    const holed = dying.filter((_, index) => deaths[index] === 'black-holed')
    if (holed.length > 0) await bench.blackHole(fleet.nodesOf(holed))
    for (const [index, process] of dying.entries())
      process.signal(deaths[index] === 'killed' ? 'SIGKILL' : 'SIGSTOP')
    const alive = fleet.nodes.filter((node) => !dead.has(node))
    const living = fleet.bootstrapNodes.filter((node) => !dead.has(node)).length

    const lookUps = await measureLookUps(newcomers, fleet.bootstrap, living, keys, NEWCOMERS, say)
    say('publishing, and looking until it is found')
    const publishing = await measurePublishing(alive, PUBLICATIONS)
    return {
      fleet: kind.name,
      death: name,
      found: 100 * (1 - lookUps.failures / lookUps.allMs.length),
      coldMs: median(lookUps.coldMs),
      cold95Ms: percentile95(lookUps.coldMs),
      nextMs: median(lookUps.allMs),
      next95Ms: percentile95(lookUps.allMs),
      worstMs: Math.max(...lookUps.allMs),
      foundMs: median(publishing.foundMs),
      found95Ms: percentile95(publishing.foundMs),
      publish95Ms: percentile95(publishing.publishMs),
    }
  } finally {
    await bench.end()
  }
}
