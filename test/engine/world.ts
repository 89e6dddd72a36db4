/**
 * A small internet for the engine: hosts at 25 ms from the middle, so 100 ms from each other and back; gateways; in the
 * middle two reflectors and a mesh, 50 ms away and back. Everything from one seed.
 */

import { realCryptography } from '../../simulations/crypto/cryptography.js'
import { HostClock } from '../../simulations/hosts/clock.js'
import { Daemon, type DaemonOptions } from '../../simulations/hosts/daemon.js'
import { SHARED_PORT } from '../../simulations/hosts/engineLoop.js'
import { NETWORK } from '../../simulations/hosts/machine.js'
import { NameServer } from '../../simulations/hosts/nameServer.js'
import type { Ping } from '../../simulations/hosts/pinger.js'
import { StateFile } from '../../simulations/hosts/stateFile.js'
import { WireGuardHost } from '../../simulations/hosts/wireguardHost.js'
import { EventQueue } from '../../simulations/network/eventQueue.js'
import { Internet } from '../../simulations/network/internet.js'
import { perfectLink } from '../../simulations/network/link.js'
import { NAT_KINDS, type NatKind } from '../../simulations/network/natKinds.js'
import type { Place } from '../../simulations/network/place.js'
import { attachReflector } from '../../simulations/network/reflector.js'
import { LOCAL_MS } from '../../simulations/network/segment.js'
import type { Site } from '../../simulations/network/site.js'
import type { LinkSpec, NatSpec } from '../../simulations/topology.js'
import type { SocketAddress } from '../../src/base/address.js'
import { forked, type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { asUnixTime, SECOND } from '../../src/base/time.js'
import { proveAddress } from '../../src/crypto/addressProof.js'
import { identityKeys } from '../../src/crypto/identity.js'
import type { OpenRecord } from '../../src/engine/directory/admission.js'
import type { Witness } from '../../src/engine/inputs.js'
import { OneServerMesh } from './oneServerMesh.js'

/** A host's way to the middle of the internet and back to another host. */
export const ROUND_TRIP_MS = 100
const TO_THE_MIDDLE_MS = ROUND_TRIP_MS / 4

/** 2026-01-01T00:00:00Z, in milliseconds. */
const UNIX_START = 1_767_225_600_000

export type Access = 'open' | NatKind

/** All is in one place on earth; what is far away is so by its link. */
const REGION = 'europe'
/** The addresses behind a gateway begin with .2. */
const FIRST_HOST = 2

/** A network behind a gateway. */
export interface House {
  readonly site: Site
  readonly nat: { readonly ip: string; reboot(): void }
}

export interface WorldOptions {
  readonly seed: number
  /** What everybody's monotonic clock shows at first. */
  readonly start?: number
  /** True where no two ways take equally long. */
  readonly uneven?: boolean
  /** See {@link OneServerMeshOptions.gossips}. */
  readonly gossips?: boolean
  /** False where reflectors know nothing of address proofs. */
  readonly proofs?: boolean
  /** How everybody opens signed records; by default as they are signed. */
  readonly openRecord?: OpenRecord
}

export class World {
  readonly queue: EventQueue
  readonly internet: Internet
  readonly mesh: OneServerMesh
  readonly random: Random
  readonly reflectors: readonly SocketAddress[]
  readonly names = new NameServer()
  readonly #uneven: boolean
  readonly #openRecord: OpenRecord | undefined

  constructor({
    seed,
    start = 1_000,
    uneven = false,
    gossips = false,
    proofs = true,
    openRecord,
  }: WorldOptions) {
    this.queue = new EventQueue(start, UNIX_START)
    this.internet = new Internet(this.queue, seededRandom(seed), [], { delayBetween: () => 0 })
    this.random = seededRandom(seed)
    this.#uneven = uneven
    this.#openRecord = openRecord
    const witnesses: Witness[] = []
    this.reflectors = ['reflector 1', 'reflector 2'].map((name, index) => {
      const place = this.internet.publicPlace(REGION, perfectLink(0), false)
      const address = { ip: place.ips[0] ?? '', port: SHARED_PORT }
      const keys = identityKeys(new Uint8Array(32).fill(index + 1))
      const prove = (ip: string, by: Uint8Array) =>
        proveAddress(keys, ip, by, asUnixTime(Math.floor(this.queue.now.unix)))
      attachReflector(place, name, SHARED_PORT, proofs ? prove : undefined)
      witnesses.push({ identity: keys.identity, addresses: [address] })
      return address
    })
    this.mesh = new OneServerMesh({
      queue: this.queue,
      delayMs: TO_THE_MIDDLE_MS,
      reflectors: this.reflectors,
      witnesses,
      gossips,
    })
  }

  /** A place of its own on the internet. */
  publicPlace(delayMs = this.#delay(), link: Partial<LinkSpec> = {}, hasIpv6 = false): Place {
    return this.internet.publicPlace(REGION, { ...perfectLink(delayMs), ...link }, hasIpv6)
  }

  /** A gateway with a network behind it. Subnets are unlike each other unless one is named. */
  house(
    kind: NatKind,
    options: {
      readonly subnet?: string
      readonly lifetimeMs?: number
      readonly ports?: NatSpec['ports']
    } = {},
  ): House {
    const site = this.internet.addSite(
      {
        region: REGION,
        behind: undefined,
        link: perfectLink(this.#delay() - LOCAL_MS),
        ipv4: true,
        nat: {
          ...NAT_KINDS[kind],
          ...(options.ports === undefined ? {} : { ports: options.ports }),
          lifetimeMs: options.lifetimeMs ?? 120 * SECOND,
          // The harder way: what comes in keeps nothing open.
          refreshedBy: 'outbound',
        },
        ipv6: 'none',
        firewall: false,
        udp: true,
        broken: 'none',
        isolated: false,
        portMapping: 'none',
      },
      options.subnet === undefined ? undefined : Number(options.subnet.split('.')[2]),
    )
    return {
      site,
      nat: { ip: site.gateway?.addresses[0] ?? '', reboot: () => site.rebootGateway() },
    }
  }

  placeIn(house: House, host: number): Place {
    return house.site.place(host - FIRST_HOST)
  }

  /** Where a host with this kind of access is: in a house of its own, or in the open. */
  place(access: Access): Place {
    return access === 'open' ? this.publicPlace() : this.placeIn(this.house(access), 2)
  }

  /** A host with WireGuard and Tunnelbore. It does nothing before `start`. */
  node(name: string, ...places: readonly Place[]): Daemon {
    return this.nodeWith(name, {}, ...places)
  }

  /** The same with names for peers, without a mesh, or with another agenda. */
  nodeWith(
    name: string,
    further: Pick<DaemonOptions, 'named' | 'hasMesh' | 'agenda'> | undefined,
    ...places: readonly Place[]
  ): Daemon {
    const privateKey = this.random.bytes(32)
    const host = this.#host(name, privateKey, places)
    const random = this.fork()
    const keys = realCryptography.nodeKeys(privateKey)
    return new Daemon({
      host,
      keys,
      sealing: realCryptography.recordSealing(keys, NETWORK),
      identity: random.bytes(32),
      random,
      mesh: this.mesh,
      stateFile: new StateFile(),
      names: this.names,
      ...further,
      ...(this.#openRecord === undefined ? {} : { openRecord: this.#openRecord }),
    })
  }

  /** A host with WireGuard alone. */
  plainHost(name: string, ...places: readonly Place[]): WireGuardHost {
    return this.#host(name, this.random.bytes(32), places)
  }

  /** Randomness of its own for one part of the world. */
  fork(): Random {
    return forked(this.random)
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

  #host(name: string, privateKey: Uint8Array, places: readonly Place[]): WireGuardHost {
    const host = new WireGuardHost({
      name,
      clock: new HostClock(this.queue),
      observers: [],
      publicKey: realCryptography.nodeKeys(privateKey).publicKey,
      keys: realCryptography.wireguardKeys(privateKey),
      random: this.fork(),
    })
    host.pinger.history = []
    for (const place of places) host.attach(place)
    return host
  }

  #delay(): number {
    return this.#uneven ? TO_THE_MIDDLE_MS + randomBelow(this.random, 10_240) / 1_024 : TO_THE_MIDDLE_MS
  }
}
