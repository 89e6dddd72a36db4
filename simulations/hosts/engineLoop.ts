/**
 * Runs an engine on a host, as src/daemon/engineLoop.ts does: inputs in, effects out, a timer for the next wake-up. Data
 * takes the short way while there is nothing to decide.
 *
 * All calls of the engine are here, and here they are observed. A loop that was stopped never calls it again.
 */

import { isGlobal, type SocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { isStreamAddress } from '../../src/base/streamAddress.js'
import { after, elapsed, type Instant, type Now } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input, LocalSocket, SocketId } from '../../src/engine/inputs.js'
import type { Node } from '../../src/engine/node.js'
import type { Route } from '../../src/engine/path/path.js'
import type { Datagram } from '../network/datagram.js'
import type { Host } from './host.js'
import { RelaySessions } from './relaySessions.js'
import { SharedSockets } from './sharedSockets.js'
import { isStreamSocket, type OpenStream, StreamSockets } from './streamSockets.js'

export const SHARED_PORT = 51_821

/** What setTimeout makes of less. */
const MIN_TIMEOUT_MS = 1

/** One call of the engine, with what came of it: enough to do it all again. */
export interface JournalEntry {
  readonly now: Now
  readonly call:
    | { readonly type: 'handle'; readonly input: Input }
    | { readonly type: 'inbound'; readonly remote: SocketAddress; readonly datagram: Uint8Array }
    | { readonly type: 'outbound'; readonly peer: PublicKey; readonly datagram: Uint8Array }
  readonly outcome: unknown
}

/** What the loop does not do itself. */
export type Errand = Exclude<
  Effect,
  {
    readonly type:
      | 'send'
      | 'deliver'
      | 'open-sockets'
      | 'open-stream'
      | 'close-socket'
      | 'open-relay'
      | 'close-relay'
      | 'send-relay'
      | 'log'
  }
>

export interface Errands {
  readonly openStream: OpenStream
  perform(errand: Errand): void
  /** Hands a message to WireGuard, which `author` sent; `isDirect` where the engine was not asked. */
  deliver(peer: PublicKey, datagram: Uint8Array, author: string, isDirect: boolean): void
  /** Everything was performed, and the engine wants to be woken then. */
  settled(nextWake: Instant | undefined): void
}

interface Waiting {
  readonly input: Input
  readonly author: string
}

export class EngineLoop {
  readonly node: Node
  readonly sockets: SharedSockets
  /** What it relays for others. */
  readonly relays: RelaySessions
  /** What stands in for UDP. */
  readonly streams: StreamSockets
  /** Everything the engine was told and said, if a test wants it. */
  journal: JournalEntry[] | undefined = undefined
  /** Datagrams to the network and to WireGuard, and wake-ups. */
  readonly counts = { sent: 0, delivered: 0, woken: 0 }
  /** How often the engine asked to be woken in the past. (What the timer is late for, by less than 1 ms, was asked in time.) */
  lateWakes = 0
  readonly #host: Host
  readonly #errands: Errands
  readonly #waiting: Waiting[] = []
  #running = false
  #handling = false
  #wakeAt = Number.POSITIVE_INFINITY

  constructor(node: Node, host: Host, errands: Errands) {
    this.node = node
    this.#host = host
    this.sockets = new SharedSockets(host, SHARED_PORT, (datagram) => this.#arrived(datagram))
    this.relays = new RelaySessions(host, {
      relayTable: node.relayTable,
      handle: (input, author) => this.handle(input, author),
      sendThroughStream: (remote, port, bytes, author) => this.streams.sendTo(remote, port, bytes, author),
    })
    this.streams = new StreamSockets({
      host,
      open: errands.openStream,
      onDatagram: (socket, { from, bytes, author }) => this.#received(socket, from, bytes, author),
      onRelayed: (from, port, bytes, author) => this.#fromStream(from, port, bytes, author),
      onChange: () => this.tellSockets(),
      onFailure: ({ identity }, reason) => this.handle({ type: 'stream-failed', relay: identity, reason }),
      onOverflow: () => node.drop('stream-overflow'),
    })
    this.#errands = errands
  }

  get running(): boolean {
    return this.#running
  }

  /** The open sockets, streams of ours among them. */
  get allSockets(): readonly LocalSocket[] {
    return [...this.sockets.all, ...this.streams.all]
  }

  tellSockets(): void {
    this.handle({ type: 'sockets-changed', sockets: this.allSockets })
  }

  start(): void {
    this.#running = true
    this.sockets.start()
  }

  /** What happens after this is nobody's concern. */
  stop(): void {
    if (this.#running) this.sockets.close()
    this.relays.close()
    this.#running = false
    this.#waiting.length = 0
  }

  /** Something happened; `author` is who sent what was received, if anything was. */
  handle(input: Input, author = this.#host.name): void {
    if (!this.#running) return
    if (this.#handling) {
      this.#waiting.push({ input, author })
      return
    }
    this.#handling = true
    this.#tell(input, author)
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift())
      this.#tell(next.input, next.author)
    this.#handling = false
    // It may have been told its end.
    if (this.#running) this.#arm()
  }

  /** WireGuard sent a message to a peer's loopback endpoint, or to the catch-all one. */
  wireguardSent(peer: PublicKey | undefined, datagram: Uint8Array): void {
    if (peer === undefined) {
      this.handle({ type: 'wireguard-sent', peer, datagram })
      return
    }
    const path = this.node.forwarding.outbound(peer, datagram, this.#host.clock.instant)
    if (path === undefined) {
      this.handle({ type: 'wireguard-sent', peer, datagram })
      return
    }
    this.#note({ type: 'outbound', peer, datagram }, path)
    const { beside } = this.node.forwarding
    this.#forward(peer, path, datagram)
    if (beside !== undefined) this.#forward(peer, beside, datagram)
  }

  #forward(peer: PublicKey, { socket, remote }: Route, datagram: Uint8Array): void {
    for (const observer of this.#host.observers)
      observer.forwarded?.(this.#host.name, 'out', peer, remote, datagram)
    this.#send(socket, remote, datagram)
  }

  #arrived({ from, to, bytes, author }: Datagram): void {
    const socket = this.sockets.at(to)
    if (socket !== undefined) this.#received(socket.id, from, bytes, author)
  }

  /** Through the stream of another node, for whom we are the relay: as if it had come to one of our own ports. */
  #fromStream(from: SocketAddress, port: number, bytes: Uint8Array, author: string): void {
    if (!this.#running) return
    if (port !== SHARED_PORT) {
      this.relays.receivedFromStream(port, from, bytes, author)
      return
    }
    const sockets = this.sockets.all.filter(({ purpose }) => purpose === 'shared')
    const socket = sockets.find(({ address }) => isGlobal(address.ip)) ?? sockets[0]
    if (socket !== undefined) this.#received(socket.id, from, bytes, author)
  }

  #received(socket: SocketId, from: SocketAddress, bytes: Uint8Array, author: string): void {
    if (!this.#running) return
    const peer = this.node.forwarding.inbound(from.ip, from.port, bytes, this.#host.clock.instant)
    if (peer === undefined) {
      this.handle({ type: 'datagram-received', socket, remote: from, datagram: bytes }, author)
      return
    }
    this.#note({ type: 'inbound', remote: from, datagram: bytes }, peer)
    for (const observer of this.#host.observers)
      observer.forwarded?.(this.#host.name, 'in', peer, from, bytes)
    this.#deliver(peer, bytes, author, true)
  }

  #tell(input: Input, author: string): void {
    const { now } = this.#host.clock
    const effects = this.node.handle(input, now)
    this.journal?.push({ now, call: { type: 'handle', input }, outcome: effects })
    for (const observer of this.#host.observers) observer.handled?.(this.#host.name, input, effects)
    for (const effect of effects) {
      if (!this.#running) return
      this.#perform(effect, author)
    }
  }

  #perform(effect: Effect, author: string): void {
    switch (effect.type) {
      case 'send':
      // Nothing is fragmented here.
      case 'send-unfragmented':
        this.#send(effect.socket, effect.remote, effect.datagram)
        break
      case 'deliver':
        this.#deliver(effect.peer, effect.datagram, author, false)
        break
      case 'open-sockets':
        this.sockets.openPunching(effect.ip, effect.count)
        this.tellSockets()
        break
      case 'open-stream':
        this.streams.open(effect.relay)
        break
      case 'close-socket':
        if (isStreamSocket(effect.id)) this.streams.close(effect.id)
        else this.sockets.closePunching(effect.id)
        break
      case 'open-relay':
      case 'close-relay':
      case 'send-relay':
        this.relays.perform(effect)
        break
      case 'log':
        break
      default:
        this.#errands.perform(effect)
    }
  }

  #send(socket: SocketId, remote: SocketAddress, datagram: Uint8Array): void {
    this.counts.sent += 1
    if (isStreamSocket(socket)) {
      this.streams.sendFrom(socket, remote.port, datagram)
      return
    }
    if (isStreamAddress(remote.ip)) {
      this.streams.sendTo(remote, SHARED_PORT, datagram, this.#host.name)
      return
    }
    const from = this.sockets.get(socket)
    if (from === undefined) throw new Error(`socket ${socket} is not open on ${this.#host.name}`)
    const sentAt = this.#host.clock.instant
    this.#host.send(from.address, remote, datagram, this.#host.name, (what) =>
      this.#unreachable({ socket, remote }, what, sentAt),
    )
  }

  /** ICMP comes back as fast as what it is about got there, and through all gateways. */
  #unreachable(route: Route, what: 'port' | 'host', sentAt: Instant): void {
    const { clock } = this.#host
    clock.in(elapsed(sentAt, clock.instant), () => {
      if (this.sockets.get(route.socket) !== undefined) this.handle({ type: 'unreachable', ...route, what })
    })
  }

  #deliver(peer: PublicKey, datagram: Uint8Array, author: string, isDirect: boolean): void {
    this.counts.delivered += 1
    this.#errands.deliver(peer, datagram, author, isDirect)
  }

  #note(call: JournalEntry['call'], outcome: unknown): void {
    this.journal?.push({ now: this.#host.clock.now, call, outcome })
  }

  /** As setTimeout does it, in whole milliseconds. A timer is only ever moved forward. */
  #arm(): void {
    const next = this.node.nextWake
    if (next !== undefined) {
      const { instant } = this.#host.clock
      const wait = elapsed(instant, next)
      if (wait < 0 && next !== this.#wakeAt) this.lateWakes += 1
      if (next < this.#wakeAt) {
        this.#wakeAt = next
        this.#host.clock.at(after(instant, Math.max(MIN_TIMEOUT_MS, Math.ceil(wait))), () => {
          if (this.#wakeAt === next) this.#wake()
        })
      }
    }
    this.#errands.settled(next)
  }

  #wake(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY
    if (!this.#running) return
    this.counts.woken += 1
    this.handle({ type: 'woken' })
  }
}
