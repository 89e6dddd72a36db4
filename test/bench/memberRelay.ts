/**
 * What a member relay carries, against the direct path between the same two hosts: first the direct path is measured,
 * then nothing passes between the two any more but through the relay, which is a third host.
 */

import { Fleet, type Machine } from '../lab/fleet.js'
import { Laboratory } from '../lab/laboratory.js'
import type { Progress } from '../lab/progress.js'
import { iperf } from './iperf.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const ROUNDS = 3
const PINGS = 200
const DEADLINE_MS = 60_000

interface Carried {
  readonly tcp: number
  readonly udp: number
  readonly rttMs: number
}

export async function* benchMemberRelay(progress: Progress): AsyncGenerator<Finding> {
  const { direct, relayed } = await progress.step('a member relay, against the direct path', async (say) => {
    const lab = await Laboratory.create()
    try {
      const fleet = await Fleet.create(lab, { left: 'open', right: 'open' }, { isClosed: true })
      await fleet.start()
      const [left, right] = [fleet.machine('left'), fleet.machine('right')]
      await left.host.ping(right.tunnelAddress, { count: 3, timeoutMs: DEADLINE_MS })
      await left.daemon.untilDirect(right.wireguard.keys.publicKey)
      await right.host.spawn('iperf3', ['-s', '--forceflush']).waitForOutput(/Server listening/)
      const direct = await measure(left, right, (what) => say(`direct: ${what}`))
      await part(left, right)
      await left.host.ping(right.tunnelAddress, { count: 20, intervalMs: 100, timeoutMs: DEADLINE_MS })
      for (const [one, other] of [
        [left, right],
        [right, left],
      ] as const)
        await one.daemon.untilPeer(
          other.wireguard.keys.publicKey,
          'relayed',
          ({ state }) => state === 'relayed',
          DEADLINE_MS,
        )
      return { direct, relayed: await measure(left, right, (what) => say(`relayed: ${what}`)) }
    } finally {
      await lab.close()
    }
  })
  const row = (measurement: string, unit: string, pick: (carried: Carried) => number, digits: number) => ({
    measurement,
    unit,
    direct: pick(direct).toFixed(digits),
    relayed: pick(relayed).toFixed(digits),
    ratio: pick(relayed) / pick(direct),
  })
  yield {
    title: 'Through a member relay, against the direct path',
    columns: [
      { key: 'measurement', heading: 'measurement' },
      { key: 'unit', heading: 'unit' },
      { key: 'direct', heading: 'direct' },
      { key: 'relayed', heading: 'relayed' },
      { key: 'ratio', heading: 'ratio', digits: 2 },
    ],
    rows: [
      row('TCP', 'Mbit/s', ({ tcp }) => tcp, 0),
      row('UDP, 1392 bytes, as much as TCP', 'Mbit/s', ({ udp }) => udp, 0),
      row('round trip', 'ms', ({ rttMs }) => rttMs, 3),
    ],
    notes: [
      `Medians of ${ROUNDS} rounds (wanted: at least 0.5 of the direct path's throughput).`,
      'All three hosts share this machine: the relay takes its processor time from the two that it serves.',
    ],
  }
}

async function measure(from: Machine, to: Machine, say: (what: string) => void): Promise<Carried> {
  const [tcp, udp]: [number[], number[]] = [[], []]
  for (let round = 1; round <= ROUNDS; round++) {
    say(`round ${round} of ${ROUNDS}`)
    const mbits = (await iperf(from.host, to.tunnelAddress, [])) / 1e6
    tcp.push(mbits)
    const rate = String(Math.round(mbits * 1e6))
    udp.push((await iperf(from.host, to.tunnelAddress, ['-u', '-b', rate, '-l', '1392'])) / 1e6)
  }
  const { rttsMs } = await from.host.ping(to.tunnelAddress, { count: PINGS, intervalMs: 10 })
  return { tcp: median(tcp), udp: median(udp), rttMs: median(rttsMs) }
}

/** From now on no UDP passes between the two. */
async function part(one: Machine, other: Machine): Promise<void> {
  for (const [own, far] of [
    [one, other],
    [other, one],
  ] as const)
    await own.host.namespace.nft(`
      table inet parted {
        chain in {
          type filter hook input priority filter
          ip saddr ${far.host.address} udp dport > 0 drop
          ip6 saddr ${far.host.address6} udp dport > 0 drop
        }
      }
    `)
}
