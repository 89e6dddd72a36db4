/** What a node uses that has nothing to do, with 1, 10 and 100 peers. */

import { setTimeout as sleep } from 'node:timers/promises'
import { BootstrapNode, UpNode } from '../lab/daemons.js'
import { Laboratory } from '../lab/laboratory.js'
import type { Progress } from '../lab/progress.js'
import { generateWireGuardKeys, WireGuard } from '../lab/wireguard.js'
import { memoryOf, processorSeconds } from './processUsage.js'
import type { Finding } from './report.js'

const PEER_COUNTS = [1, 10, 100] as const
const IDLE_S = 60
/** After it has published, what starting took is collected and settles. */
const SETTLE_MS = 3_000

interface IdleNode {
  readonly peers: number
  readonly processId: number
}

export async function* benchIdle(progress: Progress): AsyncGenerator<Finding> {
  const lab = await Laboratory.create()
  try {
    const nodes = await progress.step(`nodes with ${PEER_COUNTS.join(', ')} peers`, () => startNodes(lab))
    const rows = await progress.step(`they idle for ${IDLE_S} s`, () => Promise.all(nodes.map(watch)))
    const ten = rows.find(({ peers }) => peers === 10)
    yield {
      title: `A node that idles for ${IDLE_S} s`,
      columns: [
        { key: 'peers', heading: 'peers' },
        { key: 'rssMiB', heading: 'RSS MiB' },
        { key: 'pssMiB', heading: 'PSS MiB' },
        { key: 'processorPercent', heading: '% of a core', digits: 2 },
      ],
      rows,
      notes: [
        `With 10 peers: ${ten?.rssMiB.toFixed(0)} MiB resident (wanted: under 150 MB), ${ten?.processorPercent.toFixed(2)} % of a core (wanted: under 2 %).`,
        'The peers are configured and do not exist. Processor time is that of the daemon and its children (wg, ip).',
      ],
    }
  } finally {
    await lab.close()
  }
}

async function startNodes(lab: Laboratory): Promise<readonly IdleNode[]> {
  const bootstrap: string[] = []
  for (let count = 0; count < 2; count++) {
    bootstrap.push((await BootstrapNode.start(await lab.host(), { bootstrap })).multiaddr)
  }
  return Promise.all(
    PEER_COUNTS.map(async (peers) => {
      const host = await lab.hostWith('port-restricted')
      const wireguard = await WireGuard.create(host, {
        addresses: ['10.9.0.1'],
        peers: Array.from({ length: peers }, (_, index) => ({
          publicKey: generateWireGuardKeys().publicKey,
          allowedIps: [`10.9.1.${index}/32`],
        })),
      })
      const node = await UpNode.start(wireguard, { bootstrap })
      await node.untilPublished()
      const { pid } = node.process
      if (pid === undefined) throw new Error('a daemon did not start')
      return { peers, processId: pid }
    }),
  )
}

async function watch({ peers, processId }: IdleNode) {
  await sleep(SETTLE_MS)
  const before = await processorSeconds(processId)
  const begun = performance.now()
  await sleep(IDLE_S * 1_000)
  const used = (await processorSeconds(processId)) - before
  const { rssBytes, pssBytes } = await memoryOf(processId)
  return {
    peers,
    rssMiB: rssBytes / 2 ** 20,
    pssMiB: pssBytes / 2 ** 20,
    processorPercent: (100 * used * 1_000) / (performance.now() - begun),
  }
}
