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
import type { PeerStatus } from '../../src/daemon/status.js'
import { Fleet, type Machine } from '../lab/fleet.js'
import type { Gateway } from '../lab/gateway.js'
import type { Host } from '../lab/host.js'
import { type Access, Laboratory } from '../lab/laboratory.js'
import type { Progress, Say } from '../lab/progress.js'
import { until } from '../until.js'
import { type FirstPingPhases, firstPingPhases } from './firstPingTrace.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const KINDS = ['open', 'full-cone', 'address-restricted', 'port-restricted'] as const satisfies Access[]
const NEAR_ROUNDS = 3
const FAR_ROUNDS = 2
/** One way, before each machine: a round trip is 100 ms between two machines, 50 ms between a machine and a bootstrap node. */
const FAR_DELAY_MS = 25

const PING_TIMEOUT_MS = 10_000
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

/** What a number of rounds gave. */
interface Samples {
  readonly cold: Sample[]
  readonly known: Sample[]
  /** What the network itself takes between two machines, in ms. */
  readonly roundTripsMs: number[]
}

export async function* benchFirstPing(progress: Progress): AsyncGenerator<Finding> {
  const near = await meet(progress, 'first pings', NEAR_ROUNDS, 0)
  yield finding('First ping, cold', near.cold, undefined, (overallMs) => [
    `Median of the ten pairs' medians: ${overallMs.toFixed(0)} ms (wanted: under 500 ms).`,
  ])
  const far = await meet(progress, 'first pings at 100 ms round trips', FAR_ROUNDS, FAR_DELAY_MS)
  const roundTripMs = median(far.roundTripsMs)
  const inRoundTrips = (ms: number): string => (ms / roundTripMs).toFixed(1)
  yield finding('First ping at 100 ms round trips, cold', far.cold, roundTripMs, (overallMs) => [
    `Median of the ten pairs' medians: ${inRoundTrips(overallMs)} round trips (wanted: within 6).`,
    `A round trip, measured without a tunnel: ${roundTripMs.toFixed(1)} ms, and half of it to a bootstrap node.`,
  ])
  yield finding(
    "First ping at 100 ms round trips, the peer's record known",
    far.known,
    roundTripMs,
    (overallMs) => [
      `Median of the ten pairs' medians: ${inRoundTrips(overallMs)} round trips (wanted: within 3).`,
      'Second contact: no path, no session and no NAT mapping is left, but each still has the record of the other.',
    ],
  )
}

/** Cold meetings; where there is a delay, second meetings as well. */
async function meet(progress: Progress, what: string, rounds: number, delayMs: number): Promise<Samples> {
  const samples: Samples = { cold: [], known: [], roundTripsMs: [] }
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
        samples.roundTripsMs.push(...(await networkRoundTrips(fleet)))
      } finally {
        await lab.close()
      }
    })
  }
  return samples
}

async function networkRoundTrips(fleet: Fleet): Promise<readonly number[]> {
  const [one, other] = machineNames('open').map((name) => fleet.machine(name).host)
  return (await one?.ping(other?.address ?? '', { count: 10, intervalMs: 50 }))?.rttsMs ?? []
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
  const sides: readonly Side[] = meetings.flatMap(({ from, to }) => [
    { of: from, peer: to },
    { of: to, peer: from },
  ])
  say('waiting until the paths are given up')
  const reflectors = fleet.bootstrap.map(({ host }) => host.address).join(', ')
  for (const { host } of fleet.machines) {
    await host.namespace.nft(`table inet bench {
    chain input {
      type filter hook input priority filter
      iifname eth0 meta nfproto ipv6 meta l4proto udp drop
      iifname eth0 ip saddr != { ${reflectors} } meta l4proto udp drop
    }
    }`)
  }
  await Promise.all(sides.map(({ of, peer }) => of.host.ping(peer.tunnelAddress, { timeoutMs: 1_000 })))
  await untilGivenUp(sides, ({ path }) => path === null)
  // WireGuard wants nothing any more; so the attempts that are under way are the last ones.
  for (const { of, peer } of sides) await forgetSession(of, peer)
  await untilGivenUp(
    sides,
    ({ path, state }) => path === null && (state === 'unreachable' || state === 'idle'),
  )
  for (const gateway of gateways) await gateway.forgetMappings()
  for (const { host } of fleet.machines) await host.namespace.nft('delete table inet bench')
  await sleep(BACKOFF_MS)
}

interface Side {
  readonly of: Machine
  readonly peer: Machine
}

async function untilGivenUp(sides: readonly Side[], isGivenUp: (peer: PeerStatus) => boolean): Promise<void> {
  for (const { of, peer } of sides) {
    await until(
      `${of.name} to give up its path to ${peer.name}`,
      async () => isGivenUp(await of.daemon.peer(peer.wireguard.keys.publicKey)),
      GIVE_UP_DEADLINE_MS,
    )
  }
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
