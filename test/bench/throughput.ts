/**
 * What our relay costs: two hosts with two WireGuard tunnels between them, one through our daemons, one with fixed
 * endpoints and nothing in between. Both are measured in turn, so that whatever else the machine does hits both.
 */

import { BootstrapNode, UpNode } from '../lab/daemons.js'
import type { Host } from '../lab/host.js'
import { Laboratory } from '../lab/laboratory.js'
import type { Progress } from '../lab/progress.js'
import { WireGuard } from '../lab/wireguard.js'
import { iperf } from './iperf.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const ROUNDS = 3
/** What fits an MTU of 1420 in the tunnel, and about what a voice call sends. */
const LARGE_BYTES = 1_392
const SMALL_BYTES = 64
const PINGS = 200
const PLAIN_PORT = 51_900

/** Kinds of tunnel, with the address of the far end in each. */
const TUNNELS = { plain: '10.8.0.2', relay: '10.9.0.2' } as const
type Tunnel = keyof typeof TUNNELS

interface Measurement {
  readonly name: string
  readonly unit: string
  readonly digits: number
  /** Measures one tunnel; `plain` is what this measured of the plain one just before, undefined for that one itself. */
  readonly take: (from: Host, address: string, plain: number | undefined) => Promise<number>
}

const MEASUREMENTS: readonly Measurement[] = [
  {
    name: 'TCP',
    unit: 'Mbit/s',
    digits: 0,
    take: async (from, address) => (await iperf(from, address, [])) / 1e6,
  },
  udp(LARGE_BYTES, 'Mbit/s', 1e6, 'as much'),
  udp(LARGE_BYTES, 'Mbit/s', 1e6, 'flooded'),
  udp(SMALL_BYTES, 'packets/s', 8 * SMALL_BYTES, 'as much'),
  udp(SMALL_BYTES, 'packets/s', 8 * SMALL_BYTES, 'flooded'),
  {
    name: 'round trip',
    unit: 'ms',
    digits: 3,
    take: async (from, address) =>
      median((await from.ping(address, { count: PINGS, intervalMs: 10 })).rttsMs),
  },
]

/**
 * Plain WireGuard is sent as much as the sender can, and what arrives counts. The relay is sent no more than that, or is
 * flooded like the other: then the sender and both WireGuards take the processor from it for packets that are lost anyway.
 */
function udp(bytes: number, unit: string, bitsPerUnit: number, load: 'as much' | 'flooded'): Measurement {
  return {
    name: `UDP, ${bytes} bytes${load === 'flooded' ? ', flooded' : ''}`,
    unit,
    digits: 0,
    take: async (from, address, plain) => {
      const rate = plain === undefined || load === 'flooded' ? 0 : Math.round(plain * bitsPerUnit)
      return (await iperf(from, address, ['-u', '-b', String(rate), '-l', String(bytes)])) / bitsPerUnit
    },
  }
}

export async function* benchThroughput(progress: Progress): AsyncGenerator<Finding> {
  const lab = await Laboratory.create()
  try {
    const { from, implementation } = await progress.step('two tunnels between two hosts', () =>
      makeTunnels(lab),
    )
    const taken = new Map<string, number[]>()
    for (let round = 1; round <= ROUNDS; round++) {
      await progress.step(`throughput: round ${round} of ${ROUNDS}`, async (say) => {
        for (const { name, take } of MEASUREMENTS) {
          let plain: number | undefined
          for (const tunnel of ['plain', 'relay'] as const) {
            say(`${name}, ${tunnel}`)
            const value = await take(from, TUNNELS[tunnel], plain)
            plain ??= value
            const key = `${tunnel} ${name}`
            taken.set(key, [...(taken.get(key) ?? []), value])
          }
        }
      })
    }
    yield finding(implementation, (tunnel, name) => taken.get(`${tunnel} ${name}`) ?? [])
  } finally {
    await lab.close()
  }
}

async function makeTunnels(lab: Laboratory): Promise<{ from: Host; implementation: string }> {
  const [left, right, open] = [await lab.host(), await lab.host(), await lab.host()]
  const bootstrap = [(await BootstrapNode.start(open)).multiaddr]
  const relayed = {
    left: await WireGuard.create(left, { addresses: ['10.9.0.1'] }),
    right: await WireGuard.create(right, { addresses: [TUNNELS.relay] }),
  }
  const plain = {
    left: await WireGuard.create(left, { addresses: ['10.8.0.1'] }),
    right: await WireGuard.create(right, { addresses: [TUNNELS.plain], listenPort: PLAIN_PORT }),
  }
  await introduce(relayed.left, relayed.right)
  await introduce(relayed.right, relayed.left)
  await introduce(plain.left, plain.right, { ip: right.address, port: PLAIN_PORT })
  await introduce(plain.right, plain.left)
  const args = ['--log-level', 'info']
  const nodes = await Promise.all(
    [relayed.left, relayed.right].map((wireguard) => UpNode.start(wireguard, { bootstrap, args })),
  )
  for (const address of Object.values(TUNNELS)) {
    const { received } = await left.ping(address, { count: 3, timeoutMs: 20_000 })
    if (received === 0) throw new Error(`no answer from ${address} through its tunnel`)
  }
  const [peer] = (await nodes[0]?.status())?.peers ?? []
  if (peer?.state !== 'direct') throw new Error('the two hosts did not find a direct path')
  await right.spawn('iperf3', ['-s', '--forceflush']).waitForOutput(/Server listening/)
  return { from: left, implementation: plain.left.implementation }
}

async function introduce(to: WireGuard, peer: WireGuard, endpoint?: { ip: string; port: number }) {
  await to.setPeer({
    publicKey: peer.keys.publicKey,
    allowedIps: peer.addresses.map((address) => `${address}/32`),
    ...(endpoint === undefined ? {} : { endpoint }),
  })
}

function finding(
  implementation: string,
  valuesOf: (tunnel: Tunnel, name: string) => readonly number[],
): Finding {
  const ratios: number[] = []
  let addedMs = 0
  const rows = MEASUREMENTS.map(({ name, unit, digits }) => {
    const plain = median(valuesOf('plain', name))
    const relay = median(valuesOf('relay', name))
    if (unit === 'ms') addedMs = relay - plain
    else ratios.push(relay / plain)
    return {
      measurement: name,
      unit,
      plain: Number(plain.toFixed(digits)),
      relay: Number(relay.toFixed(digits)),
      ratio: relay / plain,
    }
  })
  return {
    title: 'Through the relay, against plain WireGuard',
    columns: [
      { key: 'measurement', heading: 'measurement' },
      { key: 'unit', heading: 'unit' },
      { key: 'plain', heading: `plain ${implementation}` },
      { key: 'relay', heading: 'through the relay' },
      { key: 'ratio', heading: 'ratio', digits: 2 },
    ],
    rows: rows.map((row) =>
      row.unit === 'ms' ? { ...row, plain: row.plain.toFixed(3), relay: row.relay.toFixed(3) } : row,
    ),
    notes: [
      `Lowest ratio of the throughputs: ${Math.min(...ratios).toFixed(2)} (wanted: at least 0.5).`,
      `Added round-trip time: ${addedMs.toFixed(3)} ms (wanted: under 0.5 ms).`,
      `Medians of ${ROUNDS} rounds, the two in turn. UDP: what arrives, plain of all that can be sent, then relayed of as much as that, or flooded too.`,
    ],
  }
}
