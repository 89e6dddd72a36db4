/**
 * Every pair of networks in one table: how the two come to talk, how soon, and what it costs. One machine pings the other
 * every 50 ms, from before there is a path until it is the best that there can be, and a little longer.
 */

import { isStun } from '../../src/wire/stun/message.js'
import { Fleet, type Machine } from '../lab/fleet.js'
import { ACCESS_KINDS, type Access, Laboratory } from '../lab/laboratory.js'
import { MEETINGS, type Meeting } from '../lab/meetings.js'
import type { CapturedPacket } from '../lab/pcap.js'
import { PingStream } from '../lab/pingStream.js'
import type { Progress, Say } from '../lab/progress.js'
import { until } from '../until.js'
import { untilAtRest } from './processUsage.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

/** A direct path is waited for so long. */
const DIRECT_DEADLINE_MS = 40_000
const FIRST_PING_DEADLINE_MS = 20_000

interface Pair {
  readonly name: string
  readonly from: Machine
  readonly to: Machine
  readonly way: 'direct' | 'relayed'
}

interface Sample {
  readonly pair: string
  readonly firstMs: number | undefined
  /** Undefined where it did not come to a direct path. */
  readonly directMs: number | undefined
  readonly path: string
  /** Echo requests after the first answered one that were not answered. */
  readonly lost: number
  /** The longest time between two answers. */
  readonly silenceMs: number
  /** What the pinging machine sent of STUN. */
  readonly checks: number
  /** The most of it in any second. */
  readonly checksInASecond: number
}

export async function* benchMatrix(progress: Progress): AsyncGenerator<Finding> {
  const samples = [
    ...(await inOneFleet(progress, 'pairs of gateways', gatewayPairs)),
    ...(await inOneFleet(progress, 'pairs of networks', meetingPairs)),
  ]
  const firsts = samples.flatMap(({ firstMs }) => firstMs ?? [])
  yield {
    title: 'Every pair of networks, in a closed network with two relays',
    columns: [
      { key: 'pair', heading: 'networks' },
      { key: 'path', heading: 'path' },
      { key: 'firstMs', heading: 'first ping, ms' },
      { key: 'directS', heading: 'direct after, s', digits: 1 },
      { key: 'lost', heading: 'pings lost' },
      { key: 'silenceMs', heading: 'longest silence, ms' },
      { key: 'checks', heading: 'checks sent' },
      { key: 'checksInASecond', heading: 'most in 1 s' },
    ],
    rows: samples.map(({ firstMs, directMs, ...rest }) => ({
      ...rest,
      firstMs: firstMs ?? null,
      directS: directMs === undefined ? null : directMs / 1_000,
    })),
    notes: [
      `Answered: ${firsts.length} of ${samples.length}; median of the first pings: ${median(firsts).toFixed(0)} ms (wanted: under 100 ms; each under 300 ms).`,
      'Measured once the fleet is at rest: dozens of daemons that have just started share this machine.',
      'A ping every 50 ms from before there is a path; what it loses after its first answer, and the longest silence (wanted: none, 200 ms).',
      'Checks are all STUN requests and answers of the pinging machine, those to reflectors and relays among them (wanted: at most 100 a second to bore holes).',
    ],
  }
}

type Plan = (lab: Laboratory) => Promise<{ readonly fleet: Fleet; readonly pairs: readonly Pair[] }>

async function inOneFleet(progress: Progress, what: string, plan: Plan): Promise<readonly Sample[]> {
  return progress.step(what, async (say) => {
    const lab = await Laboratory.create()
    try {
      say('starting the fleet')
      const { fleet, pairs } = await plan(lab)
      await fleet.start()
      say('waiting until it is at rest')
      await untilAtRest([...fleet.bootstrap, ...fleet.machines.map(({ daemon }) => daemon)])
      const samples: Sample[] = []
      for (const pair of pairs) samples.push(await measure(pair, say))
      return samples
    } finally {
      await lab.close()
    }
  })
}

const HARD: readonly (readonly [Access, Access])[] = [['symmetric', 'symmetric']]

/** Two machines of each kind, so that a pair of one kind can meet as well. */
async function gatewayPairs(
  lab: Laboratory,
): Promise<{ readonly fleet: Fleet; readonly pairs: readonly Pair[] }> {
  const names = ACCESS_KINDS.flatMap((kind) => [1, 2].map((number) => [`${kind}-${number}`, kind] as const))
  const fleet = await Fleet.create(lab, Object.fromEntries(names), { isClosed: true })
  const pairs = ACCESS_KINDS.flatMap((kind, index) =>
    ACCESS_KINDS.slice(index).map((other) => ({
      name: `${kind} – ${other}`,
      from: fleet.machine(`${kind}-1`),
      to: fleet.machine(`${other}-2`),
      way: HARD.some(([one, two]) => one === kind && two === other)
        ? ('relayed' as const)
        : ('direct' as const),
    })),
  )
  return { fleet, pairs }
}

async function meetingPairs(
  lab: Laboratory,
): Promise<{ readonly fleet: Fleet; readonly pairs: readonly Pair[] }> {
  const placed = await Promise.all(
    MEETINGS.map(async (meeting, index) => ({
      meeting,
      hosts: await meeting.place(lab, `m${index}`),
      names: [`m${index}-from`, `m${index}-to`] as const,
    })),
  )
  const meetingOf = (name: string): Meeting | undefined =>
    placed.find(({ names }) => names.some((own) => own === name))?.meeting
  const hosts = placed.flatMap(({ names, hosts }) =>
    names.map((name, side) => [name, hosts[side] ?? hosts[0]] as const),
  )
  const fleet = await Fleet.create(lab, Object.fromEntries(hosts), {
    isClosed: true,
    hasUdp: (name) => meetingOf(name)?.hasUdp ?? true,
    needsIpv6: (name) => meetingOf(name)?.needsIpv6 ?? false,
    peer: (of, peer, usual) => (meetingOf(of) === meetingOf(peer) ? usual : undefined),
  })
  const pairs = placed.map(({ meeting: { name, way }, names: [from, to] }) => ({
    name,
    from: fleet.machine(from),
    to: fleet.machine(to),
    way,
  }))
  return { fleet, pairs }
}

async function measure({ name, from, to, way }: Pair, say: Say): Promise<Sample> {
  say(name)
  const peer = to.wireguard.keys.publicKey
  const capture = await from.host.capture()
  const begun = performance.now()
  const stream = PingStream.start(from.host, to.tunnelAddress)
  const firstMs = await until('a first answer', () => stream.firstAnswerMs, FIRST_PING_DEADLINE_MS).catch(
    () => undefined,
  )
  const directMs =
    way === 'direct' && firstMs !== undefined
      ? await until(
          'a direct path',
          async () => (await from.daemon.peer(peer)).state === 'direct',
          DIRECT_DEADLINE_MS,
        ).then(
          () => performance.now() - begun,
          () => undefined,
        )
      : undefined
  if (firstMs !== undefined) await stream.untilSound(stream.answered.at(-1)).catch(() => undefined)
  const { path, state } = await from.daemon.peer(peer)
  const silenceMs = stream.longestSilenceMs
  const lost = await stream.stop()
  const own = (await capture.stop()).filter((packet) => isCheckFrom(packet, from))
  return {
    pair: name,
    firstMs,
    directMs,
    path: path === null ? state : `${state}, ${path.type}`,
    lost,
    silenceMs,
    checks: own.length,
    checksInASecond: busiestSecond(own),
  }
}

function isCheckFrom({ transport }: CapturedPacket, { host }: Machine): boolean {
  return (
    transport?.protocol === 'udp' &&
    (transport.source.ip === host.address || transport.source.ip === host.address6) &&
    isStun(transport.payload)
  )
}

function busiestSecond(packets: readonly CapturedPacket[]): number {
  let most = 0
  let first = 0
  for (const [index, { timeMs }] of packets.entries()) {
    while ((packets[first]?.timeMs ?? timeMs) <= timeMs - 1_000) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}
