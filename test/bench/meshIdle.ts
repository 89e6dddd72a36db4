/** What the mesh costs a node that has nothing to do, in a mesh of a hundred: traffic and memory. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { FleetNode, type MeshProcess } from '../io/mesh/meshFleet.js'
import type { Progress } from '../lab/progress.js'
import { until } from '../until.js'
import { BenchFleet, FLEET_KINDS } from './meshFleets.js'
import { memoryOf } from './processUsage.js'
import type { Finding } from './report.js'

/** Starting up ends within it, and connections of the start that nobody needs are closed. */
const SETTLE_MS = 180_000
const IDLE_S = 120

export async function* benchMeshIdle(progress: Progress): AsyncGenerator<Finding> {
  const rows: Finding['rows'][number][] = []
  for (const kind of FLEET_KINDS) {
    await progress.step(`nodes at rest among ${kind.name}`, async (say) => {
      const bench = await BenchFleet.start(kind, say)
      try {
        const { fleet } = bench
        const empty = await emptyProcessBytes()
        const client = fleet.addProcess()
        const server = fleet.addProcess()
        const { bootstrap } = fleet
        const hidden = await FleetNode.start(client, {
          serves: false,
          listenIp: undefined,
          bootstrap,
          gossips: true,
        })
        await FleetNode.start(server, { serves: true, listenIp: '127.0.2.1', bootstrap, gossips: true })
        await until('the reservations', async () => (await hidden.ask('state')).reservations === 2)
        say('they settle')
        await sleep(SETTLE_MS)
        say(`they idle for ${IDLE_S} s`)
        const [ofClient, ofServer] = await Promise.all([watch(client), watch(server)])
        for (const [node, seen] of [
          ['client', ofClient],
          ['serves', ofServer],
        ] as const)
          rows.push({ fleet: kind.name, node, ...seen, addedMb: (seen.bytes - empty) / 1e6 })
      } finally {
        await bench.end()
      }
    })
  }
  yield {
    title: `A mesh node that idles for ${IDLE_S} s among 100`,
    columns: [
      { key: 'fleet', heading: 'fleet' },
      { key: 'node', heading: 'the node' },
      { key: 'inBps', heading: 'in, bytes/s' },
      { key: 'outBps', heading: 'out, bytes/s' },
      { key: 'opened', heading: 'connections opened' },
      { key: 'addedMb', heading: 'MB above an empty process', digits: 1 },
    ],
    rows,
    notes: [
      'Wanted: under 1 kB/s of traffic; under 60 MB above the empty process.',
      'Bytes are those of TCP connections without headers; memory is resident.',
    ],
  }
}

/** What Node takes that does nothing. */
async function emptyProcessBytes(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6); console.log("ready")'])
  try {
    await once(child.stdout, 'data')
    return (await memoryOf(child.pid ?? 0)).rssBytes
  } finally {
    child.kill('SIGKILL')
  }
}

async function residentBytes(process: MeshProcess): Promise<number> {
  await process.ask('traffic')
  return (await memoryOf(process.processId)).rssBytes
}

async function watch(process: MeshProcess) {
  const before = await process.ask('traffic')
  await sleep(IDLE_S * 1_000)
  const after = await process.ask('traffic')
  return {
    inBps: (after.bytesRead - before.bytesRead) / IDLE_S,
    outBps: (after.bytesWritten - before.bytesWritten) / IDLE_S,
    opened: after.sockets - before.sockets,
    bytes: await residentBytes(process),
  }
}
