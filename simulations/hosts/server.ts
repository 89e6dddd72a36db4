/**
 * A server of the mesh on a host of its own: what it is for libp2p (discovery/server.ts) and for UDP, where it reflects.
 * Both end together, and come back together.
 */

import type { Random } from '../../src/base/random.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import { relayQuotas } from '../../src/engine/relay/quotas.js'
import type { RelayService } from '../../src/wire/services.js'
import type { Server as MeshServer } from '../discovery/server.js'
import type { StorerBehaviour } from '../discovery/storer.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Place } from '../network/place.js'
import type { Site } from '../network/site.js'
import type { Observer } from '../observer.js'
import { BootstrapDaemon } from './bootstrapDaemon.js'
import { HostClock } from './clock.js'
import { Host } from './host.js'
import type { RelayBehaviour } from './relaySessions.js'

export interface ServerOptions {
  readonly name: string
  readonly queue: EventQueue
  readonly random: Random
  readonly keys: NodeKeys
  readonly place: Place<Site>
  readonly mesh: MeshServer
  readonly observers: readonly Observer[]
  /** See {@link ServerSpec.relays}. */
  readonly relays: boolean
}

export class Server {
  readonly host: Host
  readonly place: Place<Site>
  /** What it is in the mesh. */
  readonly mesh: MeshServer
  readonly #options: ServerOptions
  #daemon: BootstrapDaemon | undefined = undefined
  /** Whose streams are open still, as the process stood still. */
  #hung: BootstrapDaemon | undefined = undefined
  #isHonest = true
  #relaying: RelayBehaviour | undefined = undefined

  constructor(options: ServerOptions) {
    this.#options = options
    this.place = options.place
    this.mesh = options.mesh
    this.host = new Host({
      name: options.name,
      clock: new HostClock(options.queue),
      observers: options.observers,
    })
    this.host.attach(options.place)
    this.#start()
  }

  get name(): string {
    return this.host.name
  }

  /** True while it runs, answers, and stores what it is given. */
  get serves(): boolean {
    return this.mesh.isAnswering && this.#isHonest
  }

  /** The process ends: connections are closed, and what it stored is lost. */
  crash(): void {
    this.#stop()
    this.mesh.crash()
    this.#happened('crashes')
  }

  /** The process stands still: connections stay, and nothing is answered. */
  hang(): void {
    this.#hung = this.#daemon
    this.#stop()
    this.mesh.hang()
    this.#happened('hangs')
  }

  /** The machine loses its power, and nobody is told. */
  cut(): void {
    this.#stop()
    this.mesh.cut()
    this.#happened('loses its power')
  }

  /** It is back: with what it stored only where it hung. */
  restore(): void {
    if (this.mesh.isAnswering) return
    this.mesh.restore()
    this.#hung?.endStreams()
    this.#hung = undefined
    this.#start()
    this.#happened('is back')
  }

  /** How it treats records from now on; undefined for well. */
  behave(behaviour: StorerBehaviour | undefined): void {
    this.#isHonest = behaviour === undefined
    this.mesh.behave(behaviour)
    this.#happened(behaviour === undefined ? 'stores as it should' : `is a ${behaviour.type} storer`)
  }

  /** True while it relays as it should. */
  get relays(): boolean {
    return this.#options.relays && this.#daemon !== undefined && this.#relaying === undefined
  }

  /** What it offers as a member relay; undefined where it is none, or does not run. */
  get relayOffer(): RelayService | undefined {
    return this.#daemon?.node.relayOffer(this.host.clock.now)
  }

  /** How many sessions it relays. */
  get relaySessions(): number {
    return this.#daemon?.relays.size ?? 0
  }

  /** Its process is started again at once: all sessions that it relayed are gone. */
  restart(): void {
    this.crash()
    this.restore()
  }

  /** How it treats what it relays from now on; undefined for well. */
  relayLike(behaviour: RelayBehaviour | undefined): void {
    this.#relaying = behaviour
    if (this.#daemon !== undefined) this.#daemon.relays.behaviour = behaviour
    this.#happened(behaviour === undefined ? 'relays as it should' : `is a relay that ${behaviour.type}`)
  }

  #start(): void {
    const { keys, random, relays } = this.#options
    const relay = relays ? relayQuotas() : undefined
    this.#daemon = new BootstrapDaemon({ host: this.host, keys, identity: this.mesh.identity, random, relay })
    this.#daemon.relays.behaviour = this.#relaying
    this.#daemon.start()
    this.mesh.streams.taker = (end) => this.#daemon?.takeStream(end)
  }

  #stop(): void {
    this.#daemon?.stop()
    this.#daemon = undefined
  }

  #happened(what: string): void {
    for (const observer of this.#options.observers) observer.happened?.(`${this.name} ${what}`)
  }
}
