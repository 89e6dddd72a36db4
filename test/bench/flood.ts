/** What an established tunnel notices of a flood of rubbish on the public port, from many sources. */

import { fileURLToPath } from 'node:url'
import { parseSocketAddress } from '../../src/base/address.js'
import { Fleet, type Machine } from '../lab/fleet.js'
import type { Host } from '../lab/host.js'
import { Laboratory } from '../lab/laboratory.js'
import { PingStream } from '../lab/pingStream.js'
import type { Progress } from '../lab/progress.js'
import { memoryOf, processorSeconds } from './processUsage.js'
import type { Finding } from './report.js'

const FLOOD = fileURLToPath(new URL('../lab/programs/flood.js', import.meta.url))
const RATES = [20_000, 50_000] as const
const SECONDS = 10
const SOURCES = 64
const DEADLINE_MS = 60_000

export async function* benchFlood(progress: Progress): AsyncGenerator<Finding> {
  const rows = await progress.step('floods of rubbish', async (say) => {
    const lab = await Laboratory.create()
    try {
      const fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'open' })
      await fleet.start()
      const [alice, bob] = [fleet.machine('alice'), fleet.machine('bob')]
      const stranger = await lab.host({ name: 'stranger' })
      const sources = await addSources(stranger, bob.host)
      await alice.host.ping(bob.tunnelAddress, { count: 3, timeoutMs: DEADLINE_MS })
      await bob.daemon.untilDirect(alice.wireguard.keys.publicKey)
      const rows = []
      for (const rate of [1_000, ...RATES]) {
        say(`${rate} datagrams a second`)
        rows.push(await flood(rate, alice, bob, stranger, sources))
      }
      // The first one has the code compiled and the buffers grown.
      return rows.slice(1)
    } finally {
      await lab.close()
    }
  })
  yield {
    title: `A flood of ${SECONDS} s on the public port, from ${SOURCES} addresses`,
    columns: [
      { key: 'rate', heading: 'datagrams/s' },
      { key: 'lost', heading: 'pings lost' },
      { key: 'lostPercent', heading: '%', digits: 2 },
      { key: 'silenceMs', heading: 'longest silence, ms' },
      { key: 'grownMiB', heading: 'memory grown, MiB', digits: 1 },
      { key: 'processorPercent', heading: '% of a core' },
      { key: 'counted', heading: 'dropped and counted' },
    ],
    rows,
    notes: [
      `A ping every ${PingStream.INTERVAL_MS} ms meanwhile (wanted at 20,000: under 1 % lost, less than 10 MB grown).`,
      'By turns rubbish, data of no session, checks of nobody, and first messages with the right mac1.',
      'Both peers, their WireGuard and the flooder share this machine.',
    ],
  }
}

async function flood(rate: number, alice: Machine, bob: Machine, stranger: Host, sources: readonly string[]) {
  const { path } = await bob.daemon.peer(alice.wireguard.keys.publicKey)
  const { ip = '', port = 0 } = parseSocketAddress(path?.local ?? '') ?? {}
  const { pid = 0 } = bob.daemon.process
  const before = {
    ...(await memoryOf(pid)),
    processorS: await processorSeconds(pid),
    drops: await drops(bob),
  }
  const pings = PingStream.start(alice.host, bob.tunnelAddress)
  await pings.untilSound()
  const args = [FLOOD, ip, port, rate, SECONDS, bob.wireguard.keys.publicKey, ...sources].map(String)
  const begun = performance.now()
  await stranger.run(process.execPath, args)
  const ms = performance.now() - begun
  const processorS = (await processorSeconds(pid)) - before.processorS
  await pings.untilSound(pings.answered.at(-1))
  const lost = await pings.stop()
  return {
    rate,
    lost,
    lostPercent: (100 * lost) / Math.max(1, pings.answered.length + lost),
    silenceMs: Math.round(pings.longestSilenceMs),
    grownMiB: ((await memoryOf(pid)).rssBytes - before.rssBytes) / 2 ** 20,
    processorPercent: Math.round((100_000 * processorS) / ms),
    counted: (await drops(bob)) - before.drops,
  }
}

async function addSources(stranger: Host, target: Host): Promise<readonly string[]> {
  const ips = Array.from({ length: SOURCES }, (_, index) => `198.18.0.${index + 1}`)
  await stranger.namespace.configure(
    {},
    ips.map((ip) => `address add ${ip}/32 dev eth0`),
  )
  await target.run('ip', ['route', 'add', '198.18.0.0/24', 'via', stranger.address])
  return ips
}

async function drops({ daemon }: Machine): Promise<number> {
  return Object.values((await daemon.status()).drops).reduce((sum, count) => sum + count, 0)
}
