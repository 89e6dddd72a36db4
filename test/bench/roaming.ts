/**
 * What a tunnel's ping notices of it when something moves or dies: the longest time between two answers, with a relay at
 * hand and without one, whoever pings.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PublicKey } from '../../src/base/publicKey.js'
import { causeOf } from '../../src/base/userError.js'
import type { BootstrapNode } from '../lab/daemons.js'
import { Fleet, type Machine } from '../lab/fleet.js'
import type { Gateway } from '../lab/gateway.js'
import { Laboratory } from '../lab/laboratory.js'
import { PingStream } from '../lab/pingStream.js'
import type { Progress } from '../lab/progress.js'
import { until } from '../until.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const { BENCH_ROAMING_EVENT = '', BENCH_ROAMING_RELAY = '', BENCH_ROAMING_TRIES = '3' } = process.env
/** Where the daemons' logs of the tries are left that took long; nowhere by default. */
const { BENCH_ROAMING_LOGS } = process.env
const TRIES = Number(BENCH_ROAMING_TRIES)
const LONG_MS = 1_000

/** Answers that come before anything happens: what is expected of a path is learned from some seconds of traffic. */
const CALM_PINGS = 80
/** A direct path is looked for ever more rarely while a relay carries the traffic. */
const CALM_DEADLINE_MS = 150_000
/** A ping that is silent for so long will be silent for longer. */
const SILENT_MS = 30_000
/** For how long a gateway that reboots passes nothing on. */
const REBOOT_MS = 2_000

/** Where the fleet of one part lives. */
interface Place {
  readonly lab: Laboratory
  readonly fleet: Fleet
  readonly mover: Machine
  readonly other: Machine
  /** The gateway in use and the one to move to; `move` changes them. */
  readonly movers: Gateway[]
  readonly others: Gateway[]
  /** The carrier's, where the mover has a device for it. */
  readonly mobile: Gateway
}

interface Event {
  readonly name: string
  /** Who pings; both in turn by default. */
  readonly pingers?: readonly ('mover' | 'other')[]
  /** Makes all ready for it, while the ping goes on. */
  readonly before?: (place: Place) => Promise<void>
  /** Makes it happen. Resolves to what of the silence is not the tunnel's, in ms: nobody had a network, or a daemon. */
  readonly happen: (place: Place) => Promise<number>
  /** Undoes what is to be undone. */
  readonly after?: (place: Place) => Promise<void>
}

interface Try {
  readonly silenceMs: number
  readonly lost: number
  /** What was not the tunnel's is taken off. */
  readonly ownMs: number
  readonly signs: readonly string[]
}

/** Which of the events is wanted is said by `BENCH_ROAMING_EVENT`, and with which relays by `BENCH_ROAMING_RELAY`. */
export async function* benchRoaming(progress: Progress): AsyncGenerator<Finding> {
  const parts = [
    ['at hand', [...MOVES, ...HOLES, RESTART], makePair],
    // Where the only way between the two is a black hole, nothing helps.
    ['none', [...MOVES, RESTART], makePair],
    ['in use', [RELAY_DEATH], makeHardPair],
  ] as const
  for (const [relay, events, make] of parts) {
    const wanted = events.filter(({ name }) => name.includes(BENCH_ROAMING_EVENT))
    if (wanted.length > 0 && relay.includes(BENCH_ROAMING_RELAY))
      yield finding(await inPlace(progress, relay, wanted, make))
  }
}

function finding(rows: Finding['rows']): Finding {
  return {
    title: 'What moves or dies, and how long the ping is silent',
    columns: [
      { key: 'event', heading: 'event' },
      { key: 'relay', heading: 'relay' },
      { key: 'pinger', heading: 'who pings' },
      { key: 'silenceMs', heading: 'silence, ms' },
      { key: 'ownMs', heading: 'of it ours, ms' },
      { key: 'worstMs', heading: 'ours at worst, ms' },
      { key: 'lost', heading: 'pings lost' },
      { key: 'signs', heading: 'what noticed it' },
    ],
    rows,
    notes: [
      `Medians of ${TRIES} tries; a dash: parted for good. Silence: the longest time between two answers to pings that are 50 ms apart; ours: without the time`,
      'for which the cable was out, or the daemon gone. Wanted: under 300 ms with a relay at hand and under 1,500 ms without one',
      'where a machine moves; under 2,000 ms for the rest; for the restart under 1,000 ms.',
      'Noticed: the first signs of the pinging machine, | those of the other.',
    ],
  }
}

// What happens

const both = ['mover', 'other'] as const
const MOBILE_METRIC = 600

/** Pulled, and plugged in at the other gateway. */
async function move({ lab }: Place, machine: Machine, gateways: Gateway[]): Promise<number> {
  gateways.reverse()
  const [behind] = gateways
  return lab.move(machine.host, behind === undefined ? {} : { behind })
}

const MOVES: readonly Event[] = [
  { name: 'moves to another network', happen: (place) => move(place, place.mover, place.movers) },
  {
    name: 'both move at once',
    pingers: ['mover'],
    happen: async (place) =>
      Math.max(
        ...(await Promise.all([
          move(place, place.mover, place.movers),
          move(place, place.other, place.others),
        ])),
      ),
  },
  {
    name: 'the gateway forgets all mappings',
    happen: async ({ movers }) => void0(movers[0]?.forgetMappings()),
  },
  { name: 'the public address changes', happen: async ({ movers }) => void0(movers[0]?.renumber()) },
  {
    name: 'the gateway reboots',
    happen: async ({ movers }) => {
      await movers[0]?.reboot(REBOOT_MS)
      return REBOOT_MS
    },
  },
  {
    name: 'Wi-Fi to mobile',
    before: ({ lab, mover, mobile }) =>
      lab.addDevice(mover.host, 'wwan0', { behind: mobile, metric: MOBILE_METRIC }),
    happen: async ({ mover }) => {
      await mover.host.unplug()
      return 0
    },
    after: async ({ lab, mover, movers: [behind] }) => {
      if (behind !== undefined) await lab.addDevice(mover.host, 'eth0', { behind })
      await mover.host.unplug('wwan0')
    },
  },
]

const HOLES: readonly Event[] = (
  [
    ['black hole, both ways', 'both'],
    ['black hole, from the mover', 'outward'],
    ['black hole, to the mover', 'inward'],
  ] as const
).map(([name, ways]) => ({
  name,
  happen: async ({ movers, others }) => void0(movers[0]?.blockUdpWith(others[0]?.address, ways)),
  after: async ({ movers }) => movers[0]?.blockUdpWith(undefined),
}))

const RESTART: Event = {
  name: 'the daemon is killed and started again',
  happen: async ({ fleet, mover }) => {
    await mover.daemon.process.stop('SIGKILL')
    const gone = performance.now()
    await fleet.startMachine(mover)
    return performance.now() - gone
  },
}

/** Killed while it carries the traffic; which one that was. */
let killed: BootstrapNode | undefined

const RELAY_DEATH: Event = {
  name: 'the relay in use is killed',
  pingers: ['mover'],
  happen: async ({ fleet, mover, other }) => {
    const { path } = await mover.daemon.peer(keyOf(other))
    killed = fleet.bootstrap.find(({ host }) => path?.remote.startsWith(`${host.address}:`))
    if (killed === undefined) throw new Error(`no relay is in use: ${path?.remote}`)
    await killed.process.stop('SIGKILL')
    return 0
  },
  after: async ({ fleet }) => {
    if (killed !== undefined) await fleet.restartBootstrap(killed)
  },
}

async function void0(done: Promise<void> | undefined): Promise<number> {
  await done
  return 0
}

// Where it happens

async function makePair(lab: Laboratory, hasRelay: boolean): Promise<Place> {
  const gateway = (name: string) => lab.gateway('port-restricted', { name })
  const movers = [await gateway('home'), await gateway('cafe')]
  const others = [await gateway('office'), await gateway('hotel')]
  const mobile = await lab.gateway('port-restricted', { name: 'carrier', isCarrierGrade: true })
  const [home, office] = [movers[0], others[0]]
  if (home === undefined || office === undefined) throw new Error('there are no gateways')
  const fleet = await Fleet.create(
    lab,
    {
      mover: await lab.host({ name: 'mover', behind: home }),
      other: await lab.host({ name: 'other', behind: office }),
    },
    { isClosed: true, relays: hasRelay },
  )
  return { lab, fleet, mover: fleet.machine('mover'), other: fleet.machine('other'), movers, others, mobile }
}

/** Two that meet at relays only. */
async function makeHardPair(lab: Laboratory): Promise<Place> {
  const mobile = await lab.gateway('symmetric', { name: 'carrier' })
  const fleet = await Fleet.create(lab, { mover: 'symmetric', other: 'symmetric' }, { isClosed: true })
  const [mover, other] = [fleet.machine('mover'), fleet.machine('other')]
  return { lab, fleet, mover, other, movers: [], others: [], mobile }
}

async function inPlace(
  progress: Progress,
  relay: string,
  events: readonly Event[],
  make: (lab: Laboratory, hasRelay: boolean) => Promise<Place>,
): Promise<readonly Finding['rows'][number][]> {
  return progress.step(`moving about, relays ${relay}`, async (say) => {
    const rows: Finding['rows'][number][] = []
    let place: Place | undefined
    try {
      for (const event of events)
        for (const pinger of event.pingers ?? both) {
          const tries: Try[] = []
          for (let number = 1; number <= TRIES; number++) {
            const what = `${event.name}, the ${pinger} pings, ${number} of ${TRIES}`
            say(what)
            try {
              place ??= await startPlace(relay, make)
              const found = await measure(place, relay, event, pinger)
              tries.push(found)
              const { silenceMs, ownMs, signs } = found
              progress.note(
                `${what}: ${silenceMs.toFixed()} ms, ${ownMs.toFixed()} ours; ${signs.join(' | ')}`,
              )
            } catch (error) {
              progress.note(`${what}: ${causeOf(error)}`)
              tries.push({
                silenceMs: Number.POSITIVE_INFINITY,
                ownMs: Number.POSITIVE_INFINITY,
                lost: 0,
                signs: [],
              })
              // What is parted for good is of no use to those that follow.
              await place?.lab.close()
              place = undefined
            }
          }
          rows.push(rowOf(event, relay, pinger, tries))
        }
      return rows
    } finally {
      await place?.lab.close()
    }
  })
}

async function startPlace(
  relay: string,
  make: (lab: Laboratory, hasRelay: boolean) => Promise<Place>,
): Promise<Place> {
  const lab = await Laboratory.create()
  try {
    const place = await make(lab, relay !== 'none')
    await place.fleet.start()
    return place
  } catch (error) {
    await lab.close()
    throw error
  }
}

function rowOf(event: Event, relay: string, pinger: 'mover' | 'other', tries: readonly Try[]) {
  const own = tries.map(({ ownMs }) => ownMs)
  const middle = tries.toSorted((a, b) => a.ownMs - b.ownMs)[Math.floor(tries.length / 2)]
  return {
    event: event.name,
    relay,
    pinger: pinger === 'mover' ? 'the one concerned' : 'the other one',
    silenceMs: median(tries.map(({ silenceMs }) => silenceMs)),
    ownMs: median(own),
    worstMs: Math.max(...own),
    lost: median(tries.map(({ lost }) => lost)),
    signs: middle?.signs.join(' | ') ?? '–',
  }
}

async function measure(place: Place, relay: string, event: Event, pinger: 'mover' | 'other'): Promise<Try> {
  const [from, to] = pinger === 'mover' ? [place.mover, place.other] : [place.other, place.mover]
  const stream = PingStream.start(from.host, to.tunnelAddress)
  const state = relay === 'in use' ? 'relayed' : 'direct'
  try {
    await untilBoth(from, to, state)
    await event.before?.(place)
    const begun = stream.answered.length
    await until('some calm', () => stream.answered.length >= begun + CALM_PINGS, CALM_DEADLINE_MS)
    await stream.untilSound(stream.answered.at(-1))
    await untilBoth(from, to, state)
    const since = performance.now()
    const sinceUnixMs = Date.now()
    const before = stream.answered.at(-1) ?? 0
    const foreignMs = await event.happen(place)
    const isBack = await untilAgain(stream, before)
    const signs = await Promise.all(
      [from, to].map((machine) => signsSince(machine, from === machine ? to : from, since)),
    )
    const silenceMs = isBack ? stream.longestSilenceMs : performance.now() - since
    if (silenceMs - foreignMs >= LONG_MS) await keepLogs(place, event, pinger, sinceUnixMs)
    await event.after?.(place)
    // Once that is undone it must be heard again.
    if (!isBack) await stream.untilSound(stream.answered.at(-1), CALM_DEADLINE_MS)
    const lost = await stream.stop()
    return { silenceMs, lost, ownMs: Math.max(0, silenceMs - foreignMs), signs }
  } finally {
    await stream.stop()
  }
}

async function untilBoth(from: Machine, to: Machine, state: 'relayed' | 'direct'): Promise<void> {
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const)
    await one.daemon.untilPeer(keyOf(other), state, (peer) => peer.state === state, CALM_DEADLINE_MS)
}

/** False where no ping is answered again in good time. */
async function untilAgain(stream: PingStream, before: number): Promise<boolean> {
  try {
    await stream.untilSound(before, SILENT_MS)
    await stream.untilSound(stream.answered.at(-1), SILENT_MS)
    return true
  } catch {
    return false
  }
}

async function signsSince({ daemon }: Machine, other: Machine, since: number): Promise<string> {
  const { signs } = await daemon.peer(keyOf(other))
  const agoS = (performance.now() - since) / 1_000
  const names = signs.filter((noted) => noted.agoS <= agoS).map(({ sign }) => sign)
  return [...new Set(names)].slice(0, 3).join(', ') || '–'
}

/** What each daemon logged since then, as a file. */
async function keepLogs(
  { fleet, mover, other }: Place,
  { name }: Event,
  pinger: string,
  sinceUnixMs: number,
): Promise<void> {
  if (BENCH_ROAMING_LOGS === undefined) return
  const directory = join(
    BENCH_ROAMING_LOGS,
    `${name}-${pinger}-${sinceUnixMs}`.replaceAll(/[^a-z0-9-]+/gi, '-'),
  )
  await mkdir(directory, { recursive: true })
  const processes = [
    ['mover', mover.daemon.process],
    ['other', other.daemon.process],
    ...fleet.bootstrap.map(({ host, process }) => [host.name, process] as const),
  ] as const
  for (const [of, process] of processes) await writeFile(join(directory, `${of}.log`), process.stderr)
}

function keyOf({ wireguard }: Machine): PublicKey {
  return wireguard.keys.publicKey
}
