/** Tunnelbore on a host: the real engine, run as src/daemon/engineLoop.ts runs it, over simulated sockets and mesh. */

import { type SocketAddress, sameSocketAddress } from '../../../src/base/address.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import type { Random } from '../../../src/base/random.js'
import { elapsed, type Instant, type Now } from '../../../src/base/time.js'
import { type NodeKeys, nodeKeys } from '../../../src/crypto/nodeKeys.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input, LocalSocket, MachineRoute } from '../../../src/engine/inputs.js'
import { Node, type NodeOptions, type PeerStatus } from '../../../src/engine/node.js'
import { type EventQueue, Timer } from './eventQueue.js'
import type { Host } from './host.js'
import type { Member, Mesh } from './mesh.js'

export const SHARED_PORT = 51_821
export const LOOPBACK_PORT = 51_822
/** All addresses of a host are of one device. */
export const DEVICE = 'eth0'

/** How often the daemon reads the interface. */
const READ_MS = 1_500

/** One call of the engine, with what came of it: enough to do it all again. */
export interface JournalEntry {
  readonly now: Now
  readonly call:
    | { readonly type: 'handle'; readonly input: Input }
    | { readonly type: 'inbound'; readonly remote: SocketAddress; readonly datagram: Uint8Array }
    | { readonly type: 'outbound'; readonly peer: PublicKey; readonly datagram: Uint8Array }
  readonly outcome: unknown
}

export interface DaemonOptions {
  readonly host: Host
  readonly privateKey: Uint8Array
  readonly queue: EventQueue
  readonly mesh: Mesh
  readonly random: Random
  /** How far away the mesh's server is. */
  readonly delayMs: number
  readonly reflectors: readonly SocketAddress[]
}

export class Daemon implements Member {
  readonly host: Host
  readonly node: Node
  readonly nodeOptions: NodeOptions
  readonly identity: Uint8Array
  readonly delayMs: number
  /** Everything the engine was told and said, if a test wants it. */
  journal: JournalEntry[] | undefined = undefined
  /** Since the beginning: datagrams to the network and to WireGuard, and wake-ups. */
  readonly counts = { sent: 0, delivered: 0, woken: 0 }
  /** How often the engine wanted to be woken in the past. */
  lateWakes = 0
  readonly #queue: EventQueue
  readonly #mesh: Mesh
  readonly #keys: NodeKeys
  readonly #reading: Timer
  readonly #loopback = new Map<PublicKey, SocketAddress>()
  #reflectors: readonly SocketAddress[]
  #routes: readonly MachineRoute[] = []
  #sockets: readonly LocalSocket[] = []
  #lastSocket = 0
  #running = false
  #wakeAt = Number.POSITIVE_INFINITY

  constructor(options: DaemonOptions) {
    const { host, queue, mesh, random } = options
    this.host = host
    this.#queue = queue
    this.#mesh = mesh
    this.delayMs = options.delayMs
    this.#reflectors = options.reflectors
    this.#keys = nodeKeys(options.privateKey)
    this.identity = random.bytes(32)
    this.nodeOptions = {
      keys: this.#keys,
      identity: this.identity,
      random,
      loopback: { style: 'range', port: LOOPBACK_PORT },
      formerEndpoints: new Map(),
      reflects: false,
      lastSequence: 0,
    }
    this.node = new Node(this.nodeOptions, queue.now)
    this.#reading = new Timer(queue, () => {
      this.readInterface()
      this.#reading.set(READ_MS)
    })
  }

  get publicKey(): PublicKey {
    return this.#keys.publicKey
  }

  /** What the daemon does at start, in its order. */
  start(): void {
    this.#running = true
    this.host.onLoopback = (to, datagram) => this.#wireguardSent(to, datagram)
    this.host.bind(SHARED_PORT, (localIp, from, datagram) => this.#received(localIp, from, datagram))
    this.changeRoutes([{ prefix: { ip: '0.0.0.0', length: 0 }, device: DEVICE, tunnel: false }])
    this.changeSockets()
    this.setOnline(true)
    this.readInterface()
    this.#reading.set(READ_MS)
  }

  /** The interface is read: by itself every 1.5 s, and whenever a test does not want to wait. */
  readInterface(): void {
    this.handle({ type: 'interface-read', peers: this.host.wireguard.peers })
  }

  /** One socket for each address that the host has now. */
  changeSockets(): void {
    this.#sockets = this.host.ips.map(
      (ip) =>
        this.#sockets.find(({ address }) => address.ip === ip) ?? {
          id: ++this.#lastSocket,
          address: { ip, port: SHARED_PORT },
          device: DEVICE,
        },
    )
    this.handle({ type: 'sockets-changed', sockets: this.#sockets })
  }

  changeRoutes(routes: readonly MachineRoute[]): void {
    this.#routes = routes
    this.handle({ type: 'routes-read', routes: this.#routes })
  }

  setOnline(online: boolean): void {
    if (online) this.#mesh.join(this)
    else this.#mesh.leave(this)
    this.handle({
      type: 'mesh-changed',
      connected: online,
      multiaddrs: online ? [`/ip4/198.51.100.1/tcp/${SHARED_PORT}`] : [],
      reflectors: this.#reflectors,
    })
  }

  status(peer: PublicKey): PeerStatus {
    const found = this.node.status(this.#queue.now).peers.find(({ publicKey }) => publicKey === peer)
    if (found === undefined) throw new Error(`${peer} is no peer of ${this.host.name}`)
    return found
  }

  /** Drops of all reasons. */
  get drops(): number {
    return Object.values(this.node.drops.toJSON()).reduce((sum, count) => sum + count, 0)
  }

  handle(input: Input): void {
    if (!this.#running) return
    const { now } = this.#queue
    const effects = this.node.handle(input, now)
    this.journal?.push({ now, call: { type: 'handle', input }, outcome: effects })
    for (const effect of effects) this.#perform(effect)
    this.#arm()
  }

  #received(localIp: string, remote: SocketAddress, datagram: Uint8Array): void {
    const socket = this.#sockets.find(({ address }) => address.ip === localIp)
    if (socket === undefined) return
    const { now } = this.#queue
    const peer = this.node.forwarding.inbound(remote.ip, remote.port, datagram, now.instant)
    if (peer === undefined) {
      this.handle({ type: 'datagram-received', socket: socket.id, remote, datagram })
      return
    }
    this.journal?.push({ now, call: { type: 'inbound', remote, datagram }, outcome: peer })
    this.#deliver(peer, datagram)
  }

  #wireguardSent(to: SocketAddress, datagram: Uint8Array): void {
    if (sameSocketAddress(to, this.node.catchAll)) {
      this.handle({ type: 'wireguard-sent', peer: undefined, datagram })
      return
    }
    const [peer] = [...this.#loopback].find(([, address]) => sameSocketAddress(address, to)) ?? []
    if (peer === undefined) return
    const { now } = this.#queue
    const path = this.node.forwarding.outbound(peer, datagram, now.instant)
    if (path === undefined) {
      this.handle({ type: 'wireguard-sent', peer, datagram })
      return
    }
    this.journal?.push({ now, call: { type: 'outbound', peer, datagram }, outcome: path })
    this.#send(path.socket, path.remote, datagram)
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.socket, effect.remote, effect.datagram)
        break
      case 'deliver':
        this.#deliver(effect.peer, effect.datagram)
        break
      case 'open-loopback':
        this.#loopback.set(effect.peer, effect.address)
        break
      case 'close-loopback':
        this.#loopback.delete(effect.peer)
        break
      case 'set-endpoint':
        this.host.wireguard.setEndpoint(effect.peer, effect.endpoint)
        break
      case 'look-up':
        this.#mesh.lookUp(this, effect.peer)
        break
      case 'knock':
        this.#mesh.knock(this, effect)
        break
      case 'answer-knock':
        this.#mesh.answerKnock(effect.id, effect.answer)
        break
      case 'publish':
        this.#mesh.publish(this, effect.signedRecord)
        break
      case 'log':
        break
    }
  }

  #send(socket: number, remote: SocketAddress, datagram: Uint8Array): void {
    this.counts.sent += 1
    const from = this.#sockets.find(({ id }) => id === socket)
    if (from === undefined) throw new Error(`socket ${socket} is not open`)
    this.host.send(from.address, remote, datagram)
  }

  #deliver(peer: PublicKey, datagram: Uint8Array): void {
    this.counts.delivered += 1
    const from = this.#loopback.get(peer)
    if (from !== undefined) this.#queue.in(0, () => this.host.wireguard.receive(datagram, from))
  }

  /** As setTimeout does it: never sooner than after a millisecond, and a timer is only moved forward. */
  #arm(): void {
    const next = this.node.nextWake
    if (next === undefined) return
    const wait = elapsed(this.#queue.now.instant, next)
    if (wait < 0) this.lateWakes += 1
    if (next >= this.#wakeAt) return
    this.#wakeAt = next
    const at = (this.#queue.now.instant + Math.max(1, Math.ceil(wait))) as Instant
    this.#queue.at(at, () => {
      if (this.#wakeAt !== next) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.counts.woken += 1
      this.handle({ type: 'woken' })
    })
  }
}
