/** How fast a peer behind a NAT answers a knock through a relay. */

import type { Progress } from '../lab/progress.js'
import { BenchFleet, FLEET_KINDS, pick } from './meshFleets.js'
import type { Finding } from './report.js'
import { median, percentile95 } from './statistics.js'

const PAIRS = 80
const KNOCK_LENGTH = 1448
const DEADLINE_MS = 10_000

export async function* benchMeshKnock(progress: Progress): AsyncGenerator<Finding> {
  const [mixed] = FLEET_KINDS
  if (mixed === undefined) return
  const firstMs: number[] = []
  const nextMs: number[] = []
  await progress.step('knocks through relays', async (say) => {
    const bench = await BenchFleet.start(mixed, say)
    try {
      const clients = bench.fleet.nodes.filter(({ serves }) => !serves)
      for (let pair = 0; pair < PAIRS; pair++) {
        say(`knock ${pair + 1} of ${PAIRS}`)
        const knocker = pick(clients)
        const knocked = pick(clients.filter((node) => node !== knocker))
        const identity = await knocked.ask('identity')
        const { addresses } = await knocked.ask('state')
        const knock = () =>
          knocker.ask('knock', identity, addresses, new Uint8Array(KNOCK_LENGTH), DEADLINE_MS)
        firstMs.push(await knock())
        nextMs.push(await knock())
      }
    } finally {
      await bench.end()
    }
  })
  yield {
    title: 'Knocks at a peer behind a NAT through a relay, to the answer, in ms',
    columns: [
      { key: 'knock', heading: 'knock' },
      { key: 'ms', heading: 'median', digits: 1 },
      { key: 'ms95', heading: '95 %', digits: 1 },
    ],
    rows: [
      { knock: 'first', ms: median(firstMs), ms95: percentile95(firstMs) },
      { knock: 'next', ms: median(nextMs), ms95: percentile95(nextMs) },
    ],
    notes: [
      `Wanted: under 100 ms. ${PAIRS} pairs of clients; the next knock goes over the connection of the first.`,
    ],
  }
}
