/**
 * A small internet for the engine: hosts at 25 ms from the middle, so 100 ms from each other and back; gateways; in the
 * middle two reflectors and a mesh, 50 ms away and back. Everything from one seed.
 */

import type { SocketAddress } from '../../../src/base/address.js'
import { type Random, randomBelow, seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import { Daemon } from './daemon.js'
import { EventQueue } from './eventQueue.js'
import { Host, type Ping, type Place } from './host.js'
import { Mesh } from './mesh.js'
import { NatBox, type NatKind } from './natBox.js'
import { Segment } from './network.js'
import { addReflector } from './reflector.js'

/** A host's way to the middle of the internet and back to another host. */
export const ROUND_TRIP_MS = 100
const TO_THE_MIDDLE_MS = ROUND_TRIP_MS / 4
const IN_THE_HOUSE_MS = 0.5

/** 2026-01-01T00:00:00Z, in milliseconds. */
const UNIX_START = 1_767_225_600_000

export type Access = 'open' | NatKind

/** A network behind a gateway. */
export interface House {
  readonly segment: Segment
  readonly nat: NatBox
  readonly subnet: string
}

export interface WorldOptions {
  readonly seed: number
  /** What everybody's monotonic clock shows at first. */
  readonly start?: number
  /** True where no two ways take equally long. */
  readonly uneven?: boolean
}

export class World {
  readonly queue: EventQueue
  readonly internet: Segment
  readonly mesh: Mesh
  readonly random: Random
  readonly reflectors: readonly SocketAddress[] = [
    { ip: '198.51.100.1', port: 51_821 },
    { ip: '198.51.100.2', port: 51_821 },
  ]
  readonly #uneven: boolean
  #lastIp = 0
  #lastHouse = 0

  constructor({ seed, start = 1_000, uneven = false }: WorldOptions) {
    this.queue = new EventQueue(start, UNIX_START)
    this.internet = new Segment(this.queue)
    this.mesh = new Mesh(this.queue)
    this.random = seededRandom(seed)
    this.#uneven = uneven
    for (const reflector of this.reflectors) addReflector(this.internet, reflector, 0)
  }

  /** A place of its own on the internet. */
  publicPlace(): Place {
    return { segment: this.internet, ip: `203.0.113.${++this.#lastIp}`, delayMs: this.#delay() }
  }

  /** A gateway with a network behind it. Subnets are unlike each other unless one is named. */
  house(kind: NatKind, options: { readonly subnet?: string; readonly lifetimeMs?: number } = {}): House {
    const segment = new Segment(this.queue)
    const place = this.publicPlace()
    const nat = new NatBox(this.queue, segment, this.internet, {
      kind,
      ip: place.ip,
      delayMs: place.delayMs - IN_THE_HOUSE_MS,
      random: this.fork(),
      lifetimeMs: options.lifetimeMs ?? 120 * SECOND,
    })
    return { segment, nat, subnet: options.subnet ?? `192.168.${++this.#lastHouse}` }
  }

  placeIn(house: House, host: number): Place {
    return { segment: house.segment, ip: `${house.subnet}.${host}`, delayMs: IN_THE_HOUSE_MS }
  }

  /** Where a host with this kind of access is: in a house of its own, or in the open. */
  place(access: Access): Place {
    return access === 'open' ? this.publicPlace() : this.placeIn(this.house(access), 2)
  }

  /** A host with WireGuard and Tunnelbore. It does nothing before `start`. */
  node(name: string, ...places: readonly Place[]): Daemon {
    const privateKey = this.random.bytes(32)
    return new Daemon({
      host: new Host(name, places, privateKey, this.queue, this.fork()),
      privateKey,
      queue: this.queue,
      mesh: this.mesh,
      random: this.fork(),
      delayMs: TO_THE_MIDDLE_MS,
      reflectors: this.reflectors,
    })
  }

  /** A host with WireGuard alone. */
  plainHost(name: string, ...places: readonly Place[]): Host {
    return new Host(name, places, this.random.bytes(32), this.queue, this.fork())
  }

  /** Randomness of its own for one part of the world. */
  fork(): Random {
    return seededRandom(randomBelow(this.random, 2 ** 32))
  }

  /** Starts all, peers of each other, and lets them settle. */
  startFleet(...daemons: readonly Daemon[]): void {
    for (const daemon of daemons) {
      for (const other of daemons) {
        if (other !== daemon) daemon.host.wireguard.addPeer(other.publicKey)
      }
      daemon.start()
    }
    this.queue.run(2 * SECOND)
  }

  /** Lets time pass until the ping is answered; returns how long it took, in milliseconds. */
  awaitPing(ping: Ping, ms = 30 * SECOND): number {
    this.queue.runUntil(() => ping.answeredAt !== undefined, ms)
    if (ping.answeredAt === undefined) throw new Error(`a ping was not answered within ${ms} ms`)
    return ping.answeredAt - ping.sentAt
  }

  #delay(): number {
    return this.#uneven ? TO_THE_MIDDLE_MS + randomBelow(this.random, 10_240) / 1_024 : TO_THE_MIDDLE_MS
  }
}
