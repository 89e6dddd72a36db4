/** A world with its fleet, and what scenarios want to know of it and do to it. */

import { forked, type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { SECOND } from '../../src/base/time.js'
import type { Cryptography } from '../crypto/cryptography.js'
import type { Machine } from '../hosts/machine.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Site } from '../network/site.js'
import type { Observer } from '../observer.js'
import { canBeRelayed } from '../oracle/relayable.js'
import type { Terrain } from '../oracle/terrain.js'
import { type WayKind, Ways } from '../oracle/ways.js'
import type { TracedHost } from '../report/connectionTrace.js'
import type { Expectation, FindingTable, Measurement } from '../report/findings.js'
import type { SiteSpec, Topology } from '../topology.js'
import { type DiscoveryOptions, World } from '../world.js'
import { Conversation, type Tally } from './conversation.js'
import { Traffic } from './traffic.js'
import type { Wait } from './waits.js'

export interface StageOptions {
  readonly topology: Topology
  readonly seed: number
  readonly observers: readonly Observer[]
  /** By default the stand-in. */
  readonly cryptography?: Cryptography
  readonly discovery?: DiscoveryOptions
  /** What the wall clock shows at first, in ms since 1970; by default midnight (UTC). */
  readonly unixStart?: number
  /** Hosts that are ever behind one gateway, at most; by default all. */
  readonly hostsBehindGateway?: number
}

/** Two peers, of whom one pings the other. */
export interface Talk {
  readonly from: Machine
  readonly to: Machine
  readonly conversation: Conversation
}

export class Stage {
  readonly world: World
  readonly topology: Topology
  readonly traffic: Traffic
  readonly #random: Random
  readonly #terrain: Terrain
  readonly #ways: Ways

  constructor({ topology, seed, observers, hostsBehindGateway, ...others }: StageOptions) {
    this.topology = topology
    this.#random = seededRandom(seed)
    this.traffic = new Traffic(() => this.world.queue.elapsed)
    this.world = new World(topology, {
      seed: randomBelow(this.#random, 2 ** 32),
      observers: [this.traffic, ...observers],
      ...others,
    })
    this.#terrain = openTerrain(topology)
    this.#ways = new Ways(this.#terrain, hostsBehindGateway ?? topology.hosts.length)
  }

  /** Randomness of its own for one part of what a scenario leaves to chance. */
  fork(): Random {
    return forked(this.#random)
  }

  get queue(): EventQueue {
    return this.world.queue
  }

  get machines(): readonly Machine[] {
    return this.world.machines
  }

  machine(index: number): Machine {
    const machine = this.world.machines[index]
    if (machine === undefined) throw new Error(`there is no host ${index}`)
    return machine
  }

  /** What is expected of every scenario. */
  get expectations(): readonly Expectation[] {
    return [this.traffic.calm(this.machines.map(({ name }) => name))]
  }

  /** What the daemons that run have dropped, by reason, the most frequent first. */
  get drops(): FindingTable {
    const counts = new Map<string, number>()
    for (const { daemon } of this.machines) {
      for (const [reason, count] of Object.entries(daemon?.node.drops.toJSON() ?? {}))
        counts.set(reason, (counts.get(reason) ?? 0) + count)
    }
    const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => ({ reason, count }))
    return {
      name: 'drops',
      title: 'What the hosts dropped',
      columns: [
        { key: 'reason', heading: 'reason' },
        { key: 'count', heading: 'times' },
      ],
      rows,
    }
  }

  /** All hosts, for a trace. */
  traced(): readonly TracedHost[] {
    return this.machines.map((machine) => {
      const { name, publicKey } = machine
      return {
        name,
        publicKey,
        gateway: this.#gatewayOf(this.#sitesOf(machine)[0]),
        unseal: (sealedRecord) => this.world.unseal(sealedRecord, publicKey),
      }
    })
  }

  /** True where today's engine must find a direct path between the two, as they stand now. */
  canMeet(a: Machine, b: Machine): boolean {
    return this.directWay(a, b) === 'certain'
  }

  /** What direct path there can be between the two. */
  directWay(a: Machine, b: Machine): WayKind {
    return this.#ways.directWay(this.#sitesOf(a), this.#sitesOf(b)).kind
  }

  /** True where both get UDP to a member relay on the internet. */
  canBeRelayed(a: Machine, b: Machine): boolean {
    return canBeRelayed(this.#terrain, this.#sitesOf(a), this.#sitesOf(b))
  }

  /** How two who have talked talk now. */
  wayOf(a: Machine, b: Machine): 'direct' | 'relayed' | 'none' {
    const state = a.daemon?.status(b.publicKey).state
    return state === 'direct' || state === 'relayed' ? state : 'none'
  }

  /** A wait of `from` for an answer of `to`, because of `why`. */
  wait(why: string, { from, to }: Talk): Wait {
    const at = (this.queue.elapsed / SECOND).toFixed(1)
    return { what: `${why} at ${at} s: ${from.name} to ${to.name}`, isPromised: this.canMeet(from, to) }
  }

  /** Every pair, as one in which the first pings the second. */
  talks(tally: Tally): readonly Talk[] {
    return this.topology.pairs.map(([a, b]) => {
      const from = this.machine(a)
      const to = this.machine(b)
      return { from, to, conversation: new Conversation(this.queue, () => from.ping(to.publicKey), tally) }
    })
  }

  /** What went over the network, and what was asked of the mesh. */
  get measurements(): readonly Measurement[] {
    const { lookUps, knocks, publications } = this.world.mesh.counts
    return [
      ...this.traffic.measurements,
      { name: 'look-ups', what: 'look-ups', unit: 'times', value: lookUps },
      { name: 'knocks', what: 'knocks', unit: 'times', value: knocks },
      { name: 'publications', what: 'publications of records', unit: 'times', value: publications },
    ]
  }

  site(index: number): Site {
    const site = this.world.internet.sites[index]
    if (site === undefined) throw new Error(`there is no site ${index}`)
    return site
  }

  /** The machine is at another site from now on. */
  move(machine: Machine, site: number): void {
    machine.moveTo([this.site(site).place()])
  }

  /** Everything starts, at once. */
  start(): void {
    for (const machine of this.machines) machine.start()
  }

  #sitesOf(machine: Machine): readonly number[] {
    return machine.places.flatMap(({ site }) => (site === undefined ? [] : [site.index]))
  }

  #gatewayOf(site: number | undefined): string | undefined {
    const kinds: string[] = []
    for (let at = site; at !== undefined; at = this.topology.sites[at]?.behind) {
      const kind = gatewayName(this.topology.sites[at])
      if (kind !== undefined) kinds.push(kind)
    }
    return kinds.length === 0 ? undefined : kinds.join(' behind ')
  }
}

/** Nothing is cut and nobody is apart. */
function openTerrain({ sites }: Topology): Terrain {
  return {
    sites,
    isUp: () => true,
    passesUdp: (site) => sites[site]?.udp ?? false,
    sideOf: () => 0,
  }
}

function gatewayName(site: SiteSpec | undefined): string | undefined {
  if (site?.nat === undefined) return undefined
  const { mapping, filtering } = site.nat
  if (mapping !== 'endpoint-independent') return 'a symmetric gateway'
  switch (filtering) {
    case 'endpoint-independent':
      return 'a full cone'
    case 'address-dependent':
      return 'an address-restricted gateway'
    case 'address-and-port-dependent':
      return 'a port-restricted gateway'
  }
}
