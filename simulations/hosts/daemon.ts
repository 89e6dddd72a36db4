/**
 * `tunnelbore up` on a host: the real engine, over simulated sockets, WireGuard and mesh, in the order of
 * src/daemon/up.ts and meshNode.ts. One object is one run of the program: it starts once, and ends by `stop` or `crash`.
 */

import { type SocketAddress, sameSocketAddress } from '../../src/base/address.js'
import type { DropReason } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Random } from '../../src/base/random.js'
import type { VerifyIdentity } from '../../src/crypto/identity.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import type { RecordSealing } from '../../src/crypto/sealedRecord.js'
import type { OpenRecord } from '../../src/engine/directory/admission.js'
import type { Input, InterfacePeer, LocalSocket, MachineRoute } from '../../src/engine/inputs.js'
import { Node, type NodeOptions } from '../../src/engine/node.js'
import type { PeerStatus } from '../../src/engine/status.js'
import type { Member } from '../discovery/member.js'
import type { HostClock } from './clock.js'
import { EngineLoop, type Errand, type JournalEntry } from './engineLoop.js'
import { InterfaceReads } from './interfaceReads.js'
import { LoopbackTable } from './loopbackTable.js'
import { MEMBERSHIP } from './membership.js'
import type { MeshAccess } from './meshAccess.js'
import type { NameServer } from './nameServer.js'
import { PortMapper } from './portMapper.js'
import type { DaemonState, StateFile } from './stateFile.js'
import { failureOf } from './unsimulated.js'
import type { WireGuardHost } from './wireguardHost.js'

export const LOOPBACK_PORT = 51_822

/** `BURST_MS` of src/daemon/readSchedule.ts: so long after a change the machine's network is read. */
const NETWORK_BURST_MS = 50

export interface DaemonOptions {
  readonly host: WireGuardHost
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  readonly mesh: MeshAccess
  readonly stateFile: StateFile
  readonly sealing: RecordSealing
  /** See {@link NodeOptions.openRecord}. */
  readonly openRecord?: OpenRecord
  /** See {@link NodeOptions.named}; where there are such peers, `names` resolves their names. */
  readonly named?: NodeOptions['named']
  readonly names?: NameServer
  /** False for one that joins no mesh. */
  readonly hasMesh?: boolean
  /** See {@link NodeOptions.verifyIdentity}. */
  readonly verifyIdentity?: VerifyIdentity
  /** See {@link NodeOptions.agenda}. */
  readonly agenda?: NodeOptions['agenda']
  /** True where the interface is read every second, also where that is known to change nothing. */
  readonly readsAlways?: boolean
}

export class Daemon implements Member {
  readonly host: WireGuardHost
  readonly identity: Uint8Array
  readonly nodeOptions: NodeOptions
  readonly gossipFloors: Map<string, number>
  readonly #loop: EngineLoop
  readonly #mesh: MeshAccess
  readonly #stateFile: StateFile
  readonly #readsAlways: boolean
  readonly #names: NameServer | undefined
  readonly #loopback = new LoopbackTable()
  readonly #mapper: PortMapper
  /** What the file says, unless it was lost. */
  #state: DaemonState
  #reads: InterfaceReads | undefined = undefined
  /** The last read of the interface, if all endpoints in it are ours. */
  #readOurs: readonly InterfacePeer[] | undefined = undefined
  /** True while a change of the network waits to be read. */
  #networkChanged = false

  constructor(options: DaemonOptions) {
    const { host, keys, identity, random, sealing, stateFile, openRecord, verifyIdentity } = options
    this.host = host
    this.identity = identity
    this.#mesh = options.mesh
    this.#stateFile = stateFile
    this.gossipFloors = stateFile.gossipFloors
    this.#state = stateFile.content
    this.#readsAlways = options.readsAlways ?? false
    this.#names = options.names
    this.nodeOptions = {
      keys,
      identity,
      random,
      loopback: { style: 'range', port: LOOPBACK_PORT },
      formerEndpoints: this.#state.formerEndpoints,
      role: 'client',
      sealing,
      membership: MEMBERSHIP,
      lastSequence: this.#state.sequence,
      portMapping: { nonce: identity.slice(0, 12) },
      remembered: [...this.#state.records.values()],
      ...(openRecord === undefined ? {} : { openRecord }),
      ...(options.named === undefined ? {} : { named: options.named }),
      hasMesh: options.hasMesh ?? true,
      ...(verifyIdentity === undefined ? {} : { verifyIdentity }),
      ...(options.agenda === undefined ? {} : { agenda: options.agenda }),
    }
    this.#mapper = new PortMapper(host, (input) => this.handle(input))
    this.#loop = new EngineLoop(new Node(this.nodeOptions, host.clock.now), host, {
      openStream: (relay, handlers, done) => this.#mesh.openStream(this, relay, handlers, done),
      perform: (errand) => this.#perform(errand),
      deliver: (peer, datagram, author, isDirect) => this.#deliver(peer, datagram, author, isDirect),
      settled: (nextWake) => this.#reads?.settled(nextWake),
    })
  }

  get name(): string {
    return this.host.name
  }

  get publicKey(): PublicKey {
    return this.nodeOptions.keys.publicKey
  }

  get ips(): readonly string[] {
    return this.host.ips
  }

  get clock(): HostClock {
    return this.host.clock
  }

  get node(): Node {
    return this.#loop.node
  }

  get running(): boolean {
    return this.#loop.running
  }

  /** See {@link EngineLoop.journal}. */
  get journal(): JournalEntry[] | undefined {
    return this.#loop.journal
  }

  set journal(journal: JournalEntry[] | undefined) {
    this.#loop.journal = journal
  }

  /** See {@link EngineLoop.counts}. */
  get counts(): Readonly<EngineLoop['counts']> {
    return this.#loop.counts
  }

  /** See {@link EngineLoop.lateWakes}. */
  get lateWakes(): number {
    return this.#loop.lateWakes
  }

  // The run of the program

  start(): void {
    const { host } = this
    this.#loop.start()
    host.loopback = (to, datagram) => this.#wireguardSent(to, datagram)
    this.readNetwork()
    // It may have been killed at its very first event.
    if (!this.running) return
    this.setOnline(true)
    const reads = new InterfaceReads({
      clock: host.clock,
      read: () => this.readInterface(),
      complete: this.#readsAlways,
    })
    this.#reads = reads
    host.wireguard.onChange = () => reads.needed()
    if (this.readInterface()) reads.needed()
  }

  /** SIGTERM: what was before is put back. */
  stop(): void {
    if (!this.running) return
    const { wireguard } = this.host
    for (const [peer, endpoint] of this.node.endpointsToRestore) {
      if (endpoint === undefined) wireguard.clearEndpoint(peer)
      else wireguard.setEndpoint(peer, endpoint)
    }
    this.#remember({ formerEndpoints: new Map() })
    this.#mapper.stop()
    this.#end('clean')
  }

  /**
   * SIGKILL: WireGuard keeps the endpoints that it has, and the state file stays as it is. The kernel closes the
   * connections of the process; `silent` where it dies with it.
   */
  crash(how: 'clean' | 'silent' = 'clean'): void {
    if (this.running) this.#end(how)
  }

  /** The addresses of the host changed; the daemon hears of it a little later, as from `ip monitor`. */
  networkChanged(): void {
    if (!this.running || this.#networkChanged) return
    this.#networkChanged = true
    this.host.clock.in(NETWORK_BURST_MS, () => {
      this.#networkChanged = false
      if (this.running) this.readNetwork()
    })
  }

  /** The network of the machine is read, as src/daemon/machine.ts does. */
  readNetwork(): void {
    this.changeRoutes(this.host.routes)
    this.changeSockets()
  }

  /** Opens a socket at each address that the host has now, and closes the others. */
  changeSockets(): void {
    this.#loop.sockets.follow()
    this.handle({ type: 'sockets-changed', sockets: this.#loop.allSockets })
  }

  changeRoutes(routes: readonly MachineRoute[]): void {
    this.handle({ type: 'routes-read', routes })
  }

  /** Joins the mesh, or is cut off from it. */
  setOnline(online: boolean): void {
    if (this.nodeOptions.hasMesh === false) return
    if (online) this.#mesh.join(this)
    else this.#mesh.leave(this, 'silent')
  }

  /** The interface is read. True where the engine has to be told again even of the same: see {@link InterfaceReads}. */
  readInterface(): boolean {
    const { peers } = this.host.wireguard
    this.handle({ type: 'interface-read', peers })
    if (!this.running) return false
    // What was read before, and was ours then, has nothing new to remember.
    if (this.#readOurs === peers) return false
    // Before a loopback endpoint takes its place in WireGuard, the former one is on disk.
    this.#remember({ formerEndpoints: this.node.endpointsToRestore })
    const isOurs = peers.every(({ publicKey, endpoint }) => this.#loopback.isAt(publicKey, endpoint))
    this.#readOurs = isOurs ? peers : undefined
    return !isOurs
  }

  // As the mesh sees it

  handle(input: Input): void {
    const { clock } = this.host
    if (clock.asleep) clock.in(0, () => this.#loop.handle(input))
    else this.#loop.handle(input)
  }

  streamDelay(to: string): number | undefined {
    return this.host.streamDelay(to)
  }

  /** In one network private addresses mean the same, unless it keeps its hosts apart. */
  isNeighbour(other: Member): boolean {
    if (!(other instanceof Daemon)) return false
    const { places } = other.host
    return this.host.places.some(
      ({ site }) => site !== undefined && !site.spec.isolated && places.some((place) => place.site === site),
    )
  }

  isPeer(author: PublicKey): boolean {
    return this.#loopback.has(author)
  }

  drop(reason: DropReason): void {
    this.node.drop(reason)
  }

  // As tests see it

  status(peer: PublicKey): PeerStatus {
    const found = this.node.status(this.host.clock.now).peers.find(({ publicKey }) => publicKey === peer)
    if (found === undefined) throw new Error(`${peer} is no peer of ${this.name}`)
    return found
  }

  /** Those that are open. */
  get sockets(): readonly LocalSocket[] {
    return this.#loop.allSockets
  }

  /** Streams that it has opened, and the most that waits in one, in bytes. */
  get streams(): { readonly open: number; readonly queued: number } {
    return { open: this.#loop.streams.all.length, queued: this.#loop.streams.queued }
  }

  /** Drops of all reasons. */
  get drops(): number {
    return Object.values(this.node.drops.toJSON()).reduce((sum, count) => sum + count, 0)
  }

  // What the engine wants done

  #perform(errand: Errand): void {
    switch (errand.type) {
      case 'open-loopback':
        this.#loopback.open(errand.peer, errand.address)
        break
      case 'close-loopback':
        this.#loopback.close(errand.peer)
        break
      case 'set-endpoint':
        // What it takes the place of is on disk before.
        this.#remember({ formerEndpoints: this.node.endpointsToRestore })
        this.host.wireguard.setEndpoint(errand.peer, errand.endpoint)
        break
      case 'look-up':
        this.#mesh.lookUp(this, errand.peer, errand.keys)
        break
      case 'knock':
        this.#mesh.knock(this, errand)
        break
      case 'answer-knock':
        this.#mesh.answerKnock(errand.id, errand.answer)
        break
      case 'publish':
        this.#remember({ sequence: errand.sequence })
        this.#mesh.publish(this, errand)
        break
      case 'gossip-knock':
        this.#mesh.gossipKnock(this, errand.sealedKnock)
        break
      case 'remember':
        this.#remember({ records: new Map(this.#state.records).set(errand.peer, errand.signedRecord) })
        break
      case 'resolve-name':
        if (this.#names === undefined) this.#failed(errand)
        else this.#names.resolve(errand.name, this.host.clock, (input) => this.handle(input))
        break
      case 'probe-gateway':
        this.#mapper.probe(errand)
        break
      case 'map-port':
        this.#mapper.map(errand)
        break
      case 'unmap-port':
        this.#mapper.unmap(errand)
        break
      default:
        this.#failed(errand)
    }
  }

  #failed(errand: Errand): void {
    const failure = failureOf(errand)
    if (failure !== undefined) this.handle(failure)
  }

  #deliver(peer: PublicKey, datagram: Uint8Array, author: string, isDirect: boolean): void {
    const from = this.#loopback.addressOf(peer)
    if (from === undefined) return
    for (const observer of this.host.observers) observer.delivered?.(this.name, peer, datagram, author)
    // In the midst of other effects WireGuard's answer would overtake them.
    if (isDirect) this.host.wireguard.receive(datagram, from)
    else this.host.clock.soon(() => this.host.wireguard.receive(datagram, from))
  }

  #wireguardSent(to: SocketAddress, datagram: Uint8Array): void {
    const peer = this.#loopback.peerAt(to)
    if (peer !== undefined || sameSocketAddress(to, this.node.catchAll))
      this.#loop.wireguardSent(peer, datagram)
  }

  #remember(change: Partial<DaemonState>): void {
    this.#state = { ...this.#state, ...change }
    this.#stateFile.write(this.#state)
  }

  #end(how: 'clean' | 'silent'): void {
    this.#reads?.stop()
    this.host.wireguard.onChange = () => undefined
    this.host.loopback = undefined
    this.#mapper.end()
    this.#loop.stop()
    this.#mesh.leave(this, how)
  }
}
