/**
 * A simulated internet with its hosts: a topology brought to life, from one seed.
 *
 *   queue      virtual time             machines   WireGuard, Tunnelbore, an application each
 *   internet   sites, gateways, links   servers    `tunnelbore bootstrap`, each with a reflector
 *   mesh       what libp2p does         observers  who watches; they change nothing
 *
 * Servers run from the beginning. Machines know their peers, and run Tunnelbore once they are started.
 */

import { forked, type Random, seededRandom } from '../src/base/random.js'
import type { Cryptography } from './crypto/cryptography.js'
import { StandIn } from './crypto/standIn.js'
import { type Unseal, type UnsealKnock, unsealing, unsealingKnocks } from './crypto/unsealing.js'
import type { GossipOptions } from './discovery/gossip.js'
import { Mesh } from './discovery/mesh.js'
import type { Practice } from './discovery/setting.js'
import { Machine, NETWORK } from './hosts/machine.js'
import { Server } from './hosts/server.js'
import { EventQueue } from './network/eventQueue.js'
import { Internet } from './network/internet.js'
import { perfectLink } from './network/link.js'
import type { Observer } from './observer.js'
import type { Topology } from './topology.js'

/** 2026-01-01T00:00:00Z, in milliseconds. */
const UNIX_START = 1_767_225_600_000

/** What monotonic clocks show at first: a second, because a zero hides mistakes. */
const START = 1_000

/** A server stands in a data centre. */
const SERVER_LINK = perfectLink(1)

export interface DiscoveryOptions {
  readonly gossip?: GossipOptions | 'off'
  readonly practice?: Partial<Practice>
  /** See {@link MeshOptions.unjudged}. */
  readonly unjudged?: boolean
}

export interface WorldOptions {
  readonly seed: number
  /** By default the stand-in. */
  readonly cryptography?: Cryptography
  readonly discovery?: DiscoveryOptions
  readonly observers?: readonly Observer[]
  /** What the wall clock shows at first, in milliseconds since 1970. */
  readonly unixStart?: number
}

export class World {
  readonly topology: Topology
  readonly queue: EventQueue
  readonly cryptography: Cryptography
  readonly internet: Internet
  readonly mesh: Mesh
  readonly servers: readonly Server[]
  readonly machines: readonly Machine[]
  /** In the order in which they are told. */
  readonly observers: Observer[]
  readonly unseal: Unseal
  readonly unsealKnock: UnsealKnock
  readonly #random: Random

  constructor(topology: Topology, options: WorldOptions) {
    const { seed, cryptography = new StandIn(), discovery = {}, observers = [] } = options
    this.topology = topology
    this.queue = new EventQueue(START, options.unixStart ?? UNIX_START)
    this.cryptography = cryptography
    this.unseal = unsealing(cryptography, NETWORK)
    this.unsealKnock = unsealingKnocks(
      (key) => this.machines.find(({ publicKey }) => publicKey === key)?.keys,
    )
    this.observers = [...observers]
    this.#random = seededRandom(seed)
    this.internet = new Internet(this.queue, this.fork(), topology.sites)
    this.mesh = new Mesh({ queue: this.queue, random: this.fork(), cryptography, ...discovery })
    this.servers = topology.servers.map((_, index) => this.#makeServer(index))
    this.machines = topology.hosts.map((_, index) => this.#makeMachine(index))
    for (const [a, b] of topology.pairs) {
      const [one, other] = [this.#machine(a), this.#machine(b)]
      one.addPeer(other.publicKey)
      other.addPeer(one.publicKey)
    }
    this.internet.onChange = (what) => {
      if (what === 'ways') this.mesh.waysChanged()
      else this.#gatewayForgot(what.forgotBy.index)
    }
  }

  /** Randomness of its own for one part of the world. */
  fork(): Random {
    return forked(this.#random)
  }

  /** Starts Tunnelbore on all machines. */
  start(): void {
    for (const machine of this.machines) machine.start()
  }

  /** Lets `ms` milliseconds pass. */
  run(ms: number): void {
    this.queue.run(ms)
  }

  #makeServer(index: number): Server {
    const spec = this.topology.servers[index]
    if (spec === undefined) throw new RangeError(`there is no server ${index}`)
    const { region, relays } = spec
    const name = `server${index + 1}`
    const place = this.internet.publicPlace(region, SERVER_LINK)
    const random = this.fork()
    const keys = this.cryptography.nodeKeys(random.bytes(32))
    const server: Server = new Server({
      name,
      queue: this.queue,
      random,
      keys,
      place,
      mesh: this.mesh.addServer({
        name,
        ips: place.ips,
        streamDelay: (to) => place.streamDelay(to),
        relayOffer: () => server.relayOffer,
      }),
      observers: this.observers,
      relays,
    })
    return server
  }

  #makeMachine(index: number): Machine {
    const spec = this.topology.hosts[index]
    if (spec === undefined) throw new RangeError(`there is no host ${index}`)
    const { queue, cryptography, mesh, observers } = this
    return new Machine({
      name: `host${index + 1}`,
      queue,
      random: this.fork(),
      cryptography,
      mesh,
      places: spec.sites.map((site) => this.#site(site).place()),
      observers,
      clockAheadMs: spec.clockAheadMs,
    })
  }

  #site(index: number) {
    const site = this.internet.sites[index]
    if (site === undefined) throw new RangeError(`there is no site ${index}`)
    return site
  }

  #machine(index: number): Machine {
    const machine = this.machines[index]
    if (machine === undefined) throw new RangeError(`there is no host ${index}`)
    return machine
  }

  /** TCP connections through a gateway end with its mappings. */
  #gatewayForgot(index: number): void {
    for (const { daemon, places } of this.machines) {
      if (daemon !== undefined && places.some(({ site }) => this.#isBehind(site?.index, index)))
        this.mesh.forgottenByGateways(daemon)
    }
  }

  #isBehind(site: number | undefined, gateway: number): boolean {
    for (let at = site; at !== undefined; at = this.topology.sites[at]?.behind)
      if (at === gateway) return true
    return false
  }
}
