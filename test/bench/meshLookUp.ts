/** How fast a record is found in a mesh of a hundred nodes, and how fast one that is published can be found. */

import type { Progress } from '../lab/progress.js'
import { BenchFleet, FLEET_KINDS, measureLookUps, measurePublishing, publishRecords } from './meshFleets.js'
import type { Finding } from './report.js'
import { median, percentile95 } from './statistics.js'

const RECORDS = 60
const NEWCOMERS = { count: 60, each: 10 } as const
const PUBLICATIONS = 60

export async function* benchMeshLookUp(progress: Progress): AsyncGenerator<Finding> {
  const rows: Finding['rows'][number][] = []
  for (const kind of FLEET_KINDS) {
    await progress.step(`look-ups among ${kind.name}`, async (say) => {
      const bench = await BenchFleet.start(kind, say)
      try {
        const { fleet } = bench
        say('publishing')
        const keys = await publishRecords(fleet.nodes, RECORDS)
        const { bootstrap } = fleet
        const newcomers = fleet.addProcess()
        const lookUps = await measureLookUps(newcomers, bootstrap, bootstrap.length, keys, NEWCOMERS, say)
        say('publishing, and looking until it is found')
        const publishing = await measurePublishing(fleet.nodes, PUBLICATIONS)
        rows.push({
          fleet: kind.name,
          coldMs: median(lookUps.coldMs),
          cold95Ms: percentile95(lookUps.coldMs),
          nextMs: median(lookUps.allMs),
          next95Ms: percentile95(lookUps.allMs),
          failures: lookUps.failures,
          foundMs: median(publishing.foundMs),
          found95Ms: percentile95(publishing.foundMs),
          publishMs: median(publishing.publishMs),
          publish95Ms: percentile95(publishing.publishMs),
        })
      } finally {
        await bench.end()
      }
    })
  }
  yield {
    title: 'Look-ups and publications among 100 nodes, in ms',
    columns: [
      { key: 'fleet', heading: 'fleet' },
      { key: 'coldMs', heading: 'cold' },
      { key: 'cold95Ms', heading: '95 %' },
      { key: 'nextMs', heading: 'all' },
      { key: 'next95Ms', heading: '95 %' },
      { key: 'failures', heading: 'not found' },
      { key: 'foundMs', heading: 'published to found' },
      { key: 'found95Ms', heading: '95 %' },
      { key: 'publishMs', heading: 'publish returns' },
      { key: 'publish95Ms', heading: '95 %' },
    ],
    rows,
    notes: [
      'Wanted: 95 % of cold look-ups under 300 ms; published to found under 1 s.',
      `Cold: the first look-up of each of ${NEWCOMERS.count} clients that were connected to three nodes of the mesh just before.`,
      `All: these, and ${NEWCOMERS.each - 1} look-ups of other records by each. To the first valid record.`,
    ],
  }
}
