/** How fast a changed record reaches all of a hundred nodes by gossip. */

import { setTimeout as sleep } from 'node:timers/promises'
import { gossipedRecord, newAuthor } from '../io/mesh/gossiping.js'
import type { FleetNode } from '../io/mesh/meshFleet.js'
import type { Progress } from '../lab/progress.js'
import { until } from '../until.js'
import { BenchFleet, FLEET_KINDS, pick } from './meshFleets.js'
import type { Finding } from './report.js'
import { median, percentile95 } from './statistics.js'

const RECORDS = 60
const DEADLINE_MS = 5_000
/** Nobody is asked before it may have been heard everywhere: to ask a hundred nodes again and again slows them all. */
const QUIET_MS = 400

export async function* benchMeshGossip(progress: Progress): AsyncGenerator<Finding> {
  const rows: Finding['rows'][number][] = []
  for (const kind of FLEET_KINDS) {
    await progress.step(`gossip among ${kind.name}`, async (say) => {
      const bench = await BenchFleet.start(kind, say)
      try {
        const { nodes } = bench.fleet
        const eachMs: number[] = []
        const lastMs: number[] = []
        let missed = 0
        for (let record = 0; record < RECORDS; record++) {
          say(`record ${record + 1} of ${RECORDS}`)
          const heardMs = await gossipOnce(nodes)
          eachMs.push(...heardMs)
          lastMs.push(Math.max(...heardMs))
          missed += nodes.length - 1 - heardMs.length
        }
        rows.push({
          fleet: kind.name,
          eachMs: median(eachMs),
          each95Ms: percentile95(eachMs),
          lastMs: median(lastMs),
          last95Ms: percentile95(lastMs),
          missed,
        })
      } finally {
        await bench.end()
      }
    })
  }
  yield {
    title: 'A changed record by gossip among 100 nodes, in ms',
    columns: [
      { key: 'fleet', heading: 'fleet' },
      { key: 'eachMs', heading: 'each node' },
      { key: 'each95Ms', heading: '95 %' },
      { key: 'lastMs', heading: 'the last node' },
      { key: 'last95Ms', heading: '95 %' },
      { key: 'missed', heading: 'never heard' },
    ],
    rows,
    notes: [`Wanted: at all nodes within 300 ms in 95 % of ${RECORDS} publications.`],
  }
}

/** One node gossips a record: when each of the others heard it, in ms. */
async function gossipOnce(nodes: readonly FleetNode[]): Promise<readonly number[]> {
  const author = pick(nodes)
  const record = gossipedRecord(newAuthor(), 1)
  const begun = await author.ask('gossip', record)
  await sleep(QUIET_MS)
  const others = nodes.filter((node) => node !== author)
  const hearings = await Promise.all(
    others.map((node) =>
      until('a record by gossip', () => node.ask('heardAt', record), DEADLINE_MS).catch(() => undefined),
    ),
  )
  return hearings.filter((at) => at !== undefined).map((at) => at - begun)
}
