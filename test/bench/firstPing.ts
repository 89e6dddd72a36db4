/**
 * The time to the first ping between each two of the gateways through which a direct path can be bored.
 *
 * Cold: both daemons are up and have published; nothing is known of the peer but its key. Two machines stand behind each
 * kind of gateway, so that a fleet gives two samples of each pair (one for each direction), and one for a pair of a kind.
 *
 * Known: the peer was met before, so its record is there, and nothing else is: UDP between the machines was blocked until
 * both sides gave their paths up, WireGuard has forgotten its sessions, and the gateways their mappings.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet, type Machine } from '../lab/fleet.js'
import type { Gateway } from '../lab/gateway.js'
import type { Host } from '../lab/host.js'
import { type Access, Laboratory } from '../lab/laboratory.js'
import type { Progress, Say } from '../lab/progress.js'
import { until } from '../lab/until.js'
import { type FirstPingPhases, firstPingPhases } from './firstPingTrace.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const KINDS = ['open', 'full-cone', 'address-restricted', 'port-restricted'] as const satisfies Access[]
const NEAR_ROUNDS = 3
const FAR_ROUNDS = 2
/** One way, before each machine: two machines are 100 ms apart, a machine and a bootstrap node 50 ms. */
const FAR_DELAY_MS = 25
const FAR_ROUND_TRIP_MS = 4 * FAR_DELAY_MS

const PING_TIMEOUT_MS = 20_000
/** An attempt to reach a peer ends after 12 s; a second one may be under way by then. */
const GIVE_UP_DEADLINE_MS = 60_000
/** Longer than a daemon waits after a failed attempt or two before it makes the next. */
const BACKOFF_MS = 4_500

interface Sample {
  /** The two kinds of gateway, in the order of {@link KINDS}. */
  readonly pair: string
  /** Undefined where no answer came. */
  readonly totalMs: number | undefined
  readonly phases: FirstPingPhases | undefined
}

interface Meeting {
  readonly pair: string
  readonly from: Machine
  readonly to: Machine
}

export async function benchFirstPing(progress: Progress): Promise<readonly Finding[]> {
  const near = await cold(progress, 'first pings, cold', NEAR_ROUNDS, 0)
  const far = await cold(progress, 'first pings at 100 ms, cold and known', FAR_ROUNDS, FAR_DELAY_MS)
  return [
    finding('First ping, cold', near.cold, undefined, (overall) => [
      `Median of the ten pairs' medians: ${overall.toFixed(0)} ms (wanted: under 500 ms).`,
    ]),
    finding(
      `First ping at ${FAR_ROUND_TRIP_MS} ms round trips, cold`,
      far.cold,
      FAR_ROUND_TRIP_MS,
      (overall) => [
        `Median of the ten pairs' medians: ${roundTrips(overall)} round trips (wanted: within 6).`,
        'Bootstrap nodes are half a round trip away: 50 ms.',
      ],
    ),
    finding(
      `First ping at ${FAR_ROUND_TRIP_MS} ms round trips, the peer's record known`,
      far.known,
      FAR_ROUND_TRIP_MS,
      (overall) => [
        `Median of the ten pairs' medians: ${roundTrips(overall)} round trips (wanted: within 3).`,
        'Second contact: no path, no session and no NAT mapping is left, but each still has the record of the other.',
      ],
    ),
  ]
}

async function cold(
  progress: Progress,
  what: string,
  rounds: number,
  delayMs: number,
): Promise<{ cold: Sample[]; known: Sample[] }> {
  const samples = { cold: [] as Sample[], known: [] as Sample[] }
  for (let round = 1; round <= rounds; round++) {
    await progress.step(`${what}: round ${round} of ${rounds}`, async (say) => {
      const lab = await Laboratory.create()
      try {
        say('starting the fleet')
        const { fleet, gateways } = await startFleet(lab, delayMs)
        const meetings = plan(fleet)
        samples.cold.push(...(await measure(meetings, say)))
        if (delayMs === 0) return
        await part(fleet, gateways, meetings, say)
        samples.known.push(...(await measure(meetings, say)))
      } finally {
        await lab.close()
      }
    })
  }
  return samples
}

async function startFleet(
  lab: Laboratory,
  delayMs: number,
): Promise<{ fleet: Fleet; gateways: readonly Gateway[] }> {
  const gateways: Gateway[] = []
  const hosts: Record<string, Host> = {}
  for (const kind of KINDS) {
    for (const name of machineNames(kind)) {
      if (kind === 'open') {
        hosts[name] = await lab.host({ name, delayMs })
        continue
      }
      const gateway = await lab.gateway(kind, { name: `${name}-gateway`, delayMs })
      gateways.push(gateway)
      hosts[name] = await lab.host({ name, behind: gateway })
    }
  }
  const fleet = await Fleet.create(lab, hosts)
  await fleet.start()
  return { fleet, gateways }
}

function machineNames(kind: Access): readonly [string, string] {
  return [`${kind}-1`, `${kind}-2`]
}

/** Who pings whom: no two machines twice. */
function plan(fleet: Fleet): readonly Meeting[] {
  return KINDS.flatMap((kind, index) =>
    KINDS.slice(index).flatMap((other) => {
      const [first, second] = machineNames(kind).map((name) => fleet.machine(name))
      const [otherFirst, otherSecond] = machineNames(other).map((name) => fleet.machine(name))
      if (!first || !second || !otherFirst || !otherSecond) return []
      const pair = `${kind} – ${other}`
      const there = { pair, from: first, to: otherSecond }
      return kind === other ? [there] : [there, { pair, from: otherFirst, to: second }]
    }),
  )
}

async function measure(meetings: readonly Meeting[], say: Say): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  for (const { pair, from, to } of meetings) {
    say(`${from.name} to ${to.name}`)
    const log = from.daemon.process
    const before = log.stderr.length
    const { rttsMs } = await from.host.ping(to.tunnelAddress, { timeoutMs: PING_TIMEOUT_MS })
    const [totalMs] = rttsMs
    const { publicKey } = to.wireguard.keys
    const phases =
      totalMs === undefined ? undefined : firstPingPhases(log.stderr.slice(before), publicKey, totalMs)
    samples.push({ pair, totalMs, phases })
  }
  return samples
}

/** Has those who met lose everything but each other's records. */
async function part(
  fleet: Fleet,
  gateways: readonly Gateway[],
  meetings: readonly Meeting[],
  say: Say,
): Promise<void> {
  const sides = meetings.flatMap(({ from, to }) => [
    { of: from, peer: to },
    { of: to, peer: from },
  ])
  say('waiting until the paths are given up')
  const reflectors = fleet.bootstrap.map(({ host }) => host.address).join(', ')
  for (const { host } of fleet.machines) {
    await host.namespace.nft(`table inet bench { chain input { type filter hook input priority filter
      iifname eth0 meta nfproto ipv6 meta l4proto udp drop
      iifname eth0 ip saddr != { ${reflectors} } meta l4proto udp drop
    } }`)
  }
  await Promise.all(sides.map(({ of, peer }) => of.host.ping(peer.tunnelAddress, { timeoutMs: 1_000 })))
  for (const { of, peer } of sides) {
    await until(
      `${of.name} to give up its path to ${peer.name}`,
      async () => (await of.daemon.peer(peer.wireguard.keys.publicKey)).path === null,
      GIVE_UP_DEADLINE_MS,
    )
  }
  for (const { of, peer } of sides) await forgetSession(of, peer)
  for (const gateway of gateways) await gateway.forgetMappings()
  for (const { host } of fleet.machines) await host.namespace.nft('delete table inet bench')
  await sleep(BACKOFF_MS)
}

/** A peer that is removed and added again in one call is a new one to WireGuard, and the same to the daemon. */
async function forgetSession({ wireguard, daemon }: Machine, peer: Machine): Promise<void> {
  const { publicKey } = peer.wireguard.keys
  const { loopback } = await daemon.peer(publicKey)
  const endpoint = loopback === null ? [] : ['endpoint', loopback]
  await wireguard.host.run('wg', [
    ...['set', wireguard.name, 'peer', publicKey, 'remove'],
    ...['peer', publicKey, 'allowed-ips', `${peer.tunnelAddress}/32`, ...endpoint],
  ])
}

/** A table with a line for each pair; `roundTripMs` adds the medians in round trips. */
function finding(
  title: string,
  samples: readonly Sample[],
  roundTripMs: number | undefined,
  conclude: (overallMs: number) => readonly string[],
): Finding {
  const pairs = [...new Set(samples.map(({ pair }) => pair))]
  const rows = pairs.map((pair) => {
    const those = samples.filter((sample) => sample.pair === pair)
    const totals = those.flatMap(({ totalMs }) => totalMs ?? [])
    const phases = those.flatMap((sample) => sample.phases ?? [])
    const medianMs = median(totals)
    return {
      pair,
      answered: `${totals.length} of ${those.length}`,
      medianMs,
      ...(roundTripMs === undefined ? {} : { roundTrips: medianMs / roundTripMs }),
      maxMs: Math.max(...totals),
      lookUpMs: median(phases.map(({ lookUpMs }) => lookUpMs)),
      knockAndChecksMs: median(phases.map(({ knockAndChecksMs }) => knockAndChecksMs)),
      handshakeAndEchoMs: median(phases.map(({ handshakeAndEchoMs }) => handshakeAndEchoMs)),
    }
  })
  return {
    title,
    columns: [
      { key: 'pair', heading: 'gateways' },
      { key: 'answered', heading: 'answered' },
      { key: 'medianMs', heading: 'median ms' },
      ...(roundTripMs === undefined ? [] : [{ key: 'roundTrips', heading: 'round trips', digits: 1 }]),
      { key: 'maxMs', heading: 'max ms' },
      { key: 'lookUpMs', heading: 'look-up' },
      { key: 'knockAndChecksMs', heading: 'knock, checks' },
      { key: 'handshakeAndEchoMs', heading: 'handshake, echo' },
    ],
    rows,
    notes: [
      ...conclude(median(rows.map(({ medianMs }) => medianMs))),
      "The last three columns say what the time was spent on, in ms (medians, from the pinging daemon's log).",
    ],
  }
}

function roundTrips(ms: number): string {
  return (ms / FAR_ROUND_TRIP_MS).toFixed(1)
}
