/** A few machines on a few sites, peers of each other, with a mesh of one server: what invariants watch, small and quick. */

import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import { unsealing, unsealingKnocks } from '../../../simulations/crypto/unsealing.js'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { Machine, NETWORK } from '../../../simulations/hosts/machine.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Internet } from '../../../simulations/network/internet.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { attachReflector } from '../../../simulations/network/reflector.js'
import type { Observer } from '../../../simulations/observer.js'
import type { WatchedServer, WatchedWorld } from '../../../simulations/oracle/watched.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { forked, type Random, seededRandom } from '../../../src/base/random.js'
import { OneServerMesh } from '../../engine/oneServerMesh.js'

const NAMES = ['ana', 'ben', 'cleo', 'dora', 'emil', 'finn']

export interface SmallFleetOptions {
  readonly sites: readonly SiteSpec[]
  /** The sites of each machine. */
  readonly hosts: readonly (readonly number[])[]
  readonly seed?: number
}

export class SmallFleet implements WatchedWorld {
  readonly unseal = unsealing(realCryptography, NETWORK)
  readonly unsealKnock = unsealingKnocks(
    (key) => this.machines.find(({ publicKey }) => publicKey === key)?.keys,
  )
  readonly queue = new EventQueue(1_000, 1_767_225_600_000)
  readonly internet: Internet
  readonly mesh: OneServerMesh
  readonly machines: readonly Machine[]
  readonly servers: readonly WatchedServer[]
  readonly observers: Observer[] = []
  readonly #random: Random

  constructor({ sites, hosts, seed = 1 }: SmallFleetOptions) {
    this.#random = seededRandom(seed)
    this.internet = new Internet(this.queue, this.#fork(), sites)
    const places = [1, 2].map((number) => {
      const place = this.internet.publicPlace('europe', perfectLink(5), false)
      attachReflector(place, `reflector${number}`, SHARED_PORT)
      return place
    })
    const reflectors = places.map(({ ips }) => ({ ip: ips[0] ?? '', port: SHARED_PORT }))
    this.mesh = new OneServerMesh({ queue: this.queue, delayMs: 20, reflectors })
    this.servers = places.slice(0, 1).map((place) => ({
      place,
      serves: true,
      relays: false,
      mesh: { record: (key: PublicKey) => this.mesh.record(key) },
    }))
    this.machines = hosts.map(
      (at, host) =>
        new Machine({
          name: NAMES[host] ?? `host${host}`,
          queue: this.queue,
          random: this.#fork(),
          cryptography: realCryptography,
          mesh: this.mesh,
          places: at.flatMap((index) => this.internet.sites[index]?.place() ?? []),
          observers: this.observers,
        }),
    )
    for (const machine of this.machines) {
      for (const peer of this.machines) if (peer !== machine) machine.addPeer(peer.publicKey)
    }
  }

  machine(index: number): Machine {
    const machine = this.machines[index]
    if (machine === undefined) throw new Error(`there is no machine ${index}`)
    return machine
  }

  start(): void {
    for (const machine of this.machines) machine.start()
  }

  /** Pings from one machine to another, at an interval, for a time. */
  ping(from: number, to: number, everyMs: number, forMs: number): void {
    const machine = this.machine(from)
    const peer = this.machine(to).publicKey
    for (let atMs = 0; atMs < forMs; atMs += everyMs) this.queue.in(atMs, () => machine.ping(peer))
  }

  #fork(): Random {
    return forked(this.#random)
  }
}
