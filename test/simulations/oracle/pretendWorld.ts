/**
 * A world of two or three machines in which nothing happens but what a test says: engines are tables that a test fills,
 * and events are told to the invariants by hand.
 */

import { Invariants } from '../../../simulations/oracle/invariants.js'
import type {
  WatchedMachine,
  WatchedPlace,
  WatchedServer,
  WatchedSite,
  WatchedWorld,
} from '../../../simulations/oracle/watched.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { type PublicKey, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { asInstant, asUnixTime, type Instant } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input } from '../../../src/engine/inputs.js'
import { type Flow, Forwarding } from '../../../src/engine/loopback/forwarding.js'
import type { CandidateType } from '../../../src/wire/candidate.js'
import type { PeerRecord } from '../../../src/wire/record.js'
import { site } from './terrains.js'

export const UNIX_START = 1_767_225_600_000

export class PretendNode {
  readonly forwarding = new Forwarding()
  readonly records = new Map<PublicKey, PeerRecord>()
  nextWake: Instant | undefined = undefined
  readonly #flows = new Map<PublicKey, Flow>()

  knownRecord(peer: PublicKey): PeerRecord | undefined {
    return this.records.get(peer)
  }

  /** It takes an address for a peer's, and sends over it. */
  believe(peer: PublicKey, remote: SocketAddress, type: CandidateType = 'host'): void {
    let flow = this.#flows.get(peer)
    if (flow === undefined) {
      flow = this.forwarding.add(peer)
      this.#flows.set(peer, flow)
    }
    flow.path = {
      socket: 1,
      remote,
      type,
      proof: 'check',
      provedAt: asInstant(0),
      rttMs: 10,
    }
    this.forwarding.map(remote, flow, asInstant(0))
  }

  /** What it sends to a peer goes over two paths, or over one again. */
  hedge(peer: PublicKey, isHedged: boolean): void {
    const flow = this.#flows.get(peer)
    if (flow !== undefined) flow.beside = isHedged ? flow.path : undefined
  }
}

export class PretendMachine implements WatchedMachine {
  readonly name: string
  readonly publicKey: PublicKey
  node = new PretendNode()
  streams = { open: 0, queued: 0 }
  runs = true
  hasEnded = false
  diskLosses = 0
  places: readonly WatchedPlace[]
  readonly clock
  readonly world: PretendWorld
  asleep = false
  aheadMs = 0

  constructor(world: PretendWorld, name: string, number: number) {
    this.world = world
    this.name = name
    this.publicKey = publicKeyFromBytes(new Uint8Array(32).fill(number))
    this.places = [{ site: { index: number - 1 }, ips: [`203.0.113.${number}`] }]
    const machine = this
    this.clock = {
      get now() {
        return {
          instant: asInstant(world.queue.elapsed),
          unix: asUnixTime(UNIX_START + world.queue.elapsed + machine.aheadMs),
        }
      },
      get asleep() {
        return machine.asleep
      },
    }
  }

  get daemon(): PretendMachine | undefined {
    return this.runs ? this : undefined
  }

  /** Tunnelbore is started anew: it knows nothing. */
  restarts(): void {
    this.node = new PretendNode()
  }

  handles(input: Input, ...effects: readonly Effect[]): void {
    this.world.invariants.handled(this.name, input, effects)
  }

  /** A datagram comes in, and is no data. */
  receives(remote: SocketAddress, author: string): void {
    const bytes = new Uint8Array(20)
    const to = { ip: this.places[0]?.ips[0] ?? '', port: 51_821 }
    this.world.invariants.arrived(this.name, { from: remote, to, bytes, author })
    this.handles({ type: 'datagram-received', socket: 1, remote, datagram: bytes })
  }

  /** Its interface has these peers. */
  knows(...peers: readonly PretendMachine[]): void {
    this.handles({
      type: 'interface-read',
      peers: peers.map(({ publicKey }) => ({
        publicKey,
        endpoint: undefined,
        isLinkLocal: false,
        latestHandshake: undefined,
      })),
    })
  }
}

/** The name of the invariant that was broken first. */
export function violated(world: PretendWorld): string | undefined {
  return world.invariants.violation?.invariant
}

export class PretendWorld implements WatchedWorld {
  /** Nothing is sealed here. */
  readonly unseal = (sealedRecord: Uint8Array): Uint8Array => sealedRecord
  readonly unsealKnock = (): undefined => undefined
  readonly queue = { elapsed: 0 }
  readonly machines: readonly PretendMachine[]
  readonly sites: readonly (WatchedSite & {
    isUp: boolean
    passesUdp: boolean
    mappings: number
    openPorts: number
  })[]
  readonly server: WatchedServer & { serves: boolean; relays: boolean; mesh: WatchedServer['mesh'] }
  readonly invariants: Invariants

  /** Each machine is at the site of its number; public ones unless given. */
  constructor(sites: readonly SiteSpec[] = [site(), site(), site()]) {
    this.sites = sites.map((spec, index) => {
      const watched = {
        index,
        spec,
        link: spec.link,
        isUp: true,
        passesUdp: true,
        side: 0,
        mappings: 0,
        openPorts: 0,
        gateway:
          spec.nat === undefined
            ? undefined
            : { mappingsOf: () => watched.mappings, openPortsOf: () => watched.openPorts },
      }
      return watched
    })
    this.server = {
      place: { site: undefined, ips: ['198.51.100.1'] },
      serves: true,
      relays: false,
      mesh: { record: () => new Uint8Array(1) },
    }
    this.machines = ['ana', 'ben', 'cleo'].map((name, index) => new PretendMachine(this, name, index + 1))
    this.invariants = new Invariants(this)
  }

  get servers(): readonly WatchedServer[] {
    return [this.server]
  }

  get internet() {
    return { sites: this.sites, sideOf: () => 0 }
  }

  machine(index: number): PretendMachine {
    const machine = this.machines[index]
    if (machine === undefined) throw new Error(`there is no machine ${index}`)
    return machine
  }

  /** Everybody is everybody's peer. */
  introduce(): void {
    for (const machine of this.machines) machine.knows(...this.machines.filter((other) => other !== machine))
  }

  /** Time passes, and at each step something is done. */
  pass(ms: number, everyMs: number, step: () => void): void {
    const end = this.queue.elapsed + ms
    while (this.queue.elapsed < end && this.invariants.violation === undefined) {
      this.queue.elapsed += everyMs
      step()
    }
  }
}
