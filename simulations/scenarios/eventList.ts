/** What may befall two hosts that talk, one by one, and how soon they are to be answered again. */

import { sameSocketAddress } from '../../src/base/address.js'
import { SECOND } from '../../src/base/time.js'
import type { Machine } from '../hosts/machine.js'
import type { Site } from '../network/site.js'
import type { World } from '../world.js'
import { type MeetingSite, type Network, ROUND_TRIP_MS } from './networks.js'

/** Until a machine has read its new addresses, and until the next ping. */
const NOTICED_MS = 100
const MOVER_PINGS_MS = 3 * ROUND_TRIP_MS + NOTICED_MS
const MOVED_IS_PINGED_MS = 8 * ROUND_TRIP_MS + NOTICED_MS
const LONGEST_MS = 2 * SECOND

/** Without an address in between. */
const AWAY_MS = 3 * SECOND

type Pair = readonly [Network, Network]

/** Whom an event befalls: who pings and who is pinged, and their sites, those that they may move to among them. */
export interface Struck {
  readonly from: Machine
  readonly to: Machine
  readonly site: (which: MeetingSite) => Site
}

export interface PathEvent {
  readonly name: string
  readonly what: string
  /** In which networks the two are, by turns. */
  readonly networks: readonly Pair[]
  /** How long nothing may be answered, with a member relay at hand, and without. */
  readonly withinMs: number
  readonly withoutRelayMs: number
  /** Lets it happen. Returns after how many milliseconds there is a way again. */
  readonly strike: (pair: Struck, world: World) => number
}

const HOMES: readonly Pair[] = [
  ['port-restricted', 'port-restricted'],
  ['address-restricted', 'port-restricted'],
  ['port-restricted', 'full-cone'],
  ['dual-stack', 'dual-stack'],
]
const ALL: readonly Pair[] = [...HOMES, ['port-restricted', 'open'], ['open', 'port-restricted']]
/** These have another way than the one that dies, with or without a relay. */
const TWO_FAMILIES: readonly Pair[] = [['dual-stack', 'dual-stack']]

export const EVENTS: readonly PathEvent[] = [
  {
    name: 'mover-pings',
    what: 'who pings moves',
    networks: ALL,
    withinMs: MOVER_PINGS_MS,
    withoutRelayMs: 1_500,
    strike: ({ from, site }) => move(from, site('spareFrom')),
  },
  {
    name: 'moved-is-pinged',
    what: 'who is pinged moves',
    networks: ALL,
    withinMs: MOVED_IS_PINGED_MS,
    withoutRelayMs: 1_500,
    strike: ({ to, site }) => move(to, site('spareTo')),
  },
  {
    name: 'both-move',
    what: 'both move at once',
    networks: ALL,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ from, to, site }) => move(from, site('spareFrom')) + move(to, site('spareTo')),
  },
  {
    name: 'cable-pinger',
    what: 'who pings is nowhere for 3 s, then elsewhere',
    networks: ALL,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ from, site }, world) => pullAndPlug(from, site('spareFrom'), world),
  },
  {
    name: 'cable-pinged',
    what: 'who is pinged is nowhere for 3 s, then elsewhere',
    networks: ALL,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ to, site }, world) => pullAndPlug(to, site('spareTo'), world),
  },
  {
    name: 'gateway-pinger',
    what: 'the gateway of who pings reboots',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ site }) => instantly(() => site('from').rebootGateway()),
  },
  {
    name: 'gateway-pinged',
    what: 'the gateway of who is pinged reboots',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ site }) => instantly(() => site('to').rebootGateway()),
  },
  {
    name: 'address-pinger',
    what: 'the public address of who pings changes',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ site }) => instantly(() => site('from').renumberGateway()),
  },
  {
    name: 'address-pinged',
    what: 'the public address of who is pinged changes',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ site }) => instantly(() => site('to').renumberGateway()),
  },
  {
    name: 'gateways',
    what: 'both gateways reboot with other addresses',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ site }) =>
      instantly(() => {
        for (const which of ['from', 'to'] as const) {
          site(which).rebootGateway()
          site(which).renumberGateway()
        }
      }),
  },
  {
    name: 'black-hole-there',
    what: 'the path swallows what goes there',
    networks: TWO_FAMILIES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: (pair, world) => blackHole(pair, world, true, false),
  },
  {
    name: 'black-hole-back',
    what: 'the path swallows what comes back',
    networks: TWO_FAMILIES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: (pair, world) => blackHole(pair, world, false, true),
  },
  {
    name: 'black-hole',
    what: 'the path swallows everything',
    networks: TWO_FAMILIES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: (pair, world) => blackHole(pair, world, true, true),
  },
  {
    // Who is pinged and has slept is reached when the other's WireGuard gives its session up, after 15 s: it forgot its keys.
    name: 'sleep',
    what: 'who pings sleeps for 3 s, and its gateway forgets',
    networks: HOMES,
    withinMs: LONGEST_MS,
    withoutRelayMs: LONGEST_MS,
    strike: ({ from, site }, world) => {
      from.sleep()
      site('from').rebootGateway()
      world.queue.in(AWAY_MS, () => from.wake())
      return AWAY_MS
    },
  },
]

function instantly(act: () => void): number {
  act()
  return 0
}

function move(machine: Machine, to: Site): number {
  machine.moveTo([to.place()])
  return 0
}

function pullAndPlug(machine: Machine, to: Site, { queue }: World): number {
  machine.moveTo([])
  queue.in(AWAY_MS, () => move(machine, to))
  return AWAY_MS
}

/** What goes over the path in use is lost from now on, one way or both ways. Nobody is told, and all else passes. */
function blackHole({ from, to }: Struck, { internet }: World, there: boolean, back: boolean): number {
  const remote = from.daemon?.status(to.publicKey).path?.remote
  const local = to.daemon?.status(from.publicKey).path?.remote
  if (remote === undefined || local === undefined) return 0
  internet.watchers.push((datagram) => {
    const isThere = sameSocketAddress(datagram.from, local) && sameSocketAddress(datagram.to, remote)
    const isBack = sameSocketAddress(datagram.from, remote) && sameSocketAddress(datagram.to, local)
    return !((there && isThere) || (back && isBack))
  })
  return 0
}
