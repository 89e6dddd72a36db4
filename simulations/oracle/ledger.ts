/**
 * What several invariants need to know of a run: which daemon lives at a host, whom its interface knows, when it last
 * had anything to do, when it last talked with each peer. Kept from events, one look-up an event.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Flow } from '../../src/engine/loopback/forwarding.js'
import { Authorship } from './authorship.js'
import type { WatchedMachine, WatchedNode, WatchedWorld } from './watched.js'

/** Long before anything. */
export const NEVER = Number.NEGATIVE_INFINITY

/** One host's side of two hosts. */
export interface Side {
  readonly host: Host
  readonly peer: Host
  /** True while the host's interface has the peer. */
  isOnInterface: boolean
  /** When the host's WireGuard last sent the peer anything, or got anything from it, in ms. */
  talkedAt: number
  /** What the engine forwards between the two, as soon as it has a path. Each life of a daemon has its own. */
  flow: Flow | undefined
}

export interface Host {
  readonly name: string
  readonly machine: WatchedMachine
  /** The engine that runs now; each start has another one. */
  node: WatchedNode | undefined
  readonly sides: Map<PublicKey, Side>
  /** How many shared sockets its daemon has. */
  sockets: number
  /** When it last had a reason to send anything, in ms: traffic, a datagram that came in, a change around it. */
  activeAt: number
}

export interface Violation {
  readonly invariant: string
  readonly atMs: number
  readonly host: string
  readonly message: string
}

export class Ledger {
  readonly world: WatchedWorld
  readonly authorship: Authorship
  /** The first one; what comes after it counts no more. */
  violation: Violation | undefined = undefined
  /** When something was last done to the world, in ms. */
  happenedAt = 0
  readonly #byName = new Map<string, Host>()
  readonly #byKey = new Map<PublicKey, Host>()

  constructor(world: WatchedWorld) {
    this.world = world
    this.authorship = new Authorship(world.unseal, world.unsealKnock)
  }

  get now(): number {
    return this.world.queue.elapsed
  }

  get hosts(): Iterable<Host> {
    this.#meet()
    return this.#byName.values()
  }

  /** The machine of this name; undefined for a server or an attacker. */
  host(name: string): Host | undefined {
    const known = this.#byName.get(name)
    if (known !== undefined || this.#byName.size === this.world.machines.length) return known
    this.#meet()
    return this.#byName.get(name)
  }

  withKey(key: PublicKey): Host | undefined {
    const known = this.#byKey.get(key)
    if (known !== undefined || this.#byKey.size === this.world.machines.length) return known
    this.#meet()
    return this.#byKey.get(key)
  }

  /** A host's side towards a peer; undefined where the peer is no machine. */
  side(host: Host, key: PublicKey): Side | undefined {
    const known = host.sides.get(key)
    if (known !== undefined) return known
    const peer = this.withKey(key)
    if (peer === undefined) return undefined
    const side: Side = { host, peer, isOnInterface: false, talkedAt: NEVER, flow: undefined }
    host.sides.set(key, side)
    return side
  }

  /** Holds an invariant to have been broken. */
  report(invariant: string, host: string, message: string): void {
    this.violation ??= { invariant, atMs: this.now, host, message }
  }

  /** Takes note of what an engine was told, before the invariants look at it. */
  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    this.lives(host)
    const now = this.now
    switch (input.type) {
      case 'wireguard-sent':
        if (input.peer !== undefined) this.talked(host, input.peer)
        host.activeAt = now
        break
      case 'interface-read':
        this.#interfaceRead(host, input.peers)
        break
      case 'sockets-changed':
        host.sockets = input.sockets.filter(({ purpose }) => purpose === 'shared').length
        host.activeAt = now
        break
      case 'routes-read':
      case 'mesh-changed':
      case 'knock-received':
      case 'knock-answered':
      case 'knock-failed':
      case 'knock-gossiped':
      case 'knock-passed':
      case 'record-found':
      case 'record-gossiped':
        host.activeAt = now
        break
      default:
    }
    for (const effect of effects) {
      const forged = this.authorship.made(host.machine.publicKey, effect, host.sides.keys())
      if (forged !== undefined)
        this.report('authentic-records', host.name, `it signed a record of ${forged.publicKey}`)
    }
  }

  /** WireGuard of a host sent something to a peer, or got something from it. */
  talked(host: Host, peer: PublicKey): void {
    const side = this.side(host, peer)
    if (side !== undefined) side.talkedAt = this.now
    host.activeAt = this.now
  }

  /** A daemon that was started anew knows nothing of what was before. */
  lives(host: Host): void {
    const node = host.machine.daemon?.node
    if (node === host.node) return
    host.node = node
    host.activeAt = this.now
    for (const side of host.sides.values()) {
      side.isOnInterface = false
      side.flow = undefined
    }
  }

  #interfaceRead(host: Host, peers: readonly { readonly publicKey: PublicKey }[]): void {
    for (const { publicKey } of peers) {
      const side = this.side(host, publicKey)
      if (side !== undefined) side.isOnInterface = true
    }
    if (host.sides.size === peers.length) return
    for (const [key, side] of host.sides) {
      if (side.isOnInterface && !peers.some(({ publicKey }) => publicKey === key)) {
        side.isOnInterface = false
        side.flow = undefined
      }
    }
  }

  #meet(): void {
    for (const machine of this.world.machines) {
      if (this.#byName.has(machine.name)) continue
      const host: Host = {
        name: machine.name,
        machine,
        node: machine.daemon?.node,
        sides: new Map(),
        sockets: 0,
        activeAt: 0,
      }
      this.#byName.set(machine.name, host)
      this.#byKey.set(machine.publicKey, host)
    }
  }
}
