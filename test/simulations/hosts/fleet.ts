/** Machines on a small internet: each 25 ms from the middle, where a mesh with one server and two reflectors is. */

import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { Machine, type MachineOptions } from '../../../simulations/hosts/machine.js'
import type { Ping } from '../../../simulations/hosts/pinger.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Internet } from '../../../simulations/network/internet.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS, type NatKind } from '../../../simulations/network/natKinds.js'
import type { Place } from '../../../simulations/network/place.js'
import { attachReflector } from '../../../simulations/network/reflector.js'
import type { Site } from '../../../simulations/network/site.js'
import type { Observer } from '../../../simulations/observer.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { forked, type Random, seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import { OneServerMesh } from '../../engine/oneServerMesh.js'

export const ROUND_TRIP_MS = 100
const TO_THE_MIDDLE_MS = ROUND_TRIP_MS / 4

/** 2026-01-01T00:00:00Z, in milliseconds. */
const UNIX_START = 1_767_225_600_000

export class Fleet {
  readonly queue = new EventQueue(1_000, UNIX_START)
  readonly internet: Internet
  readonly mesh: OneServerMesh
  readonly observers: readonly Observer[]
  readonly machines: Machine[] = []
  readonly #random: Random

  constructor(seed: number, observers: readonly Observer[] = []) {
    this.#random = seededRandom(seed)
    this.observers = observers
    this.internet = new Internet(this.queue, this.#fork(), [], { delayBetween: () => 0 })
    const reflectors = ['reflector 1', 'reflector 2'].flatMap((name) => {
      const place = this.internet.publicPlace('europe', perfectLink(0))
      attachReflector(place, name, SHARED_PORT)
      return place.ips.map((ip) => ({ ip, port: SHARED_PORT }))
    })
    this.mesh = new OneServerMesh({ queue: this.queue, delayMs: TO_THE_MIDDLE_MS, reflectors })
  }

  /** A network of its own, in the open or behind a gateway. */
  site(access: 'open' | NatKind, ipv6: 'none' | 'open' = 'none'): Site {
    return this.internet.addSite({
      region: 'europe',
      behind: undefined,
      link: perfectLink(TO_THE_MIDDLE_MS),
      ipv4: true,
      nat: access === 'open' ? undefined : NAT_KINDS[access],
      ipv6,
      firewall: false,
      udp: true,
      broken: 'none',
      isolated: false,
      portMapping: 'none',
    })
  }

  /** A machine that runs nothing yet, and is the peer of all that were there before. */
  machine(name: string, places: readonly Place[], options: Partial<MachineOptions> = {}): Machine {
    const machine = new Machine({
      name,
      queue: this.queue,
      random: this.#fork(),
      cryptography: realCryptography,
      mesh: this.mesh,
      places,
      observers: this.observers,
      ...options,
    })
    for (const other of this.machines) {
      other.addPeer(machine.publicKey)
      machine.addPeer(other.publicKey)
    }
    this.machines.push(machine)
    return machine
  }

  start(): void {
    for (const machine of this.machines) machine.start()
    this.queue.run(2 * SECOND)
  }

  /** Pings ten times a second until one is answered; returns how long that took, in milliseconds. */
  untilAnswered(from: Machine, to: { readonly publicKey: PublicKey }, ms = 30 * SECOND): number | undefined {
    const began = this.queue.elapsed
    let answered = false
    const note = (): void => {
      answered = true
    }
    while (this.queue.elapsed < began + ms) {
      from.ping(to.publicKey, note)
      if (this.queue.runUntil(() => answered, 100)) return this.queue.elapsed - began
    }
    return undefined
  }

  /** How long one ping takes, in milliseconds. */
  pingMs(from: Machine, to: { readonly publicKey: PublicKey }, ms = 30 * SECOND): number | undefined {
    const ping: Ping = from.ping(to.publicKey)
    this.queue.runUntil(() => ping.answeredAt !== undefined, ms)
    return ping.answeredAt === undefined ? undefined : ping.answeredAt - ping.sentAt
  }

  #fork(): Random {
    return forked(this.#random)
  }
}
