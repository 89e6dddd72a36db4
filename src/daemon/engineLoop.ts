/**
 * Runs the engine in the real world: inputs in, effects out, and a timer for the next wake-up.
 *
 *   sockets ─► forwarding ─────────────────────────► sockets      data, while there is nothing to decide
 *           └► engine.handle(input, now) ─► effects ─► sockets, wg, libp2p
 *   relay ports ─► relay table ────────────────────► relay ports  what passes between others
 *
 * It holds no policy: what it does it is told. Inputs are handled one after the other: one that comes up while the effects
 * of another are performed waits until they are, and what comes before `run` waits for that.
 */

import { isGlobal, type SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { isStreamAddress } from '../base/streamAddress.js'
import { elapsed, type Now } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import type { Effect } from '../engine/effects.js'
import type { Input, StreamRelay } from '../engine/inputs.js'
import type { Node } from '../engine/node.js'
import { DatagramBatches } from '../io/datagramBatches.js'
import { LoopbackSockets } from '../io/loopbackSockets.js'
import { type PortRange, RelaySockets } from '../io/relaySockets.js'
import { SharedSockets } from '../io/sharedSockets.js'
import { isStreamSocket, type StreamCarrier, StreamSockets } from '../io/streamSockets.js'
import { monotonicNow, now } from '../io/systemClock.js'
import type { Logger } from './logger.js'

/** What the loop needs of an engine. */
export type Engine = Pick<Node, 'forwarding' | 'relayTable' | 'handle' | 'nextWake' | 'drop'>

export interface LoopOptions {
  /** The port of the shared sockets. */
  readonly port: number
  /** The mark that they carry; 0 for none. */
  readonly mark: number
  /** Where the interface listens; undefined for a node without one, which has no loopback endpoints. */
  readonly wireguardPort: number | undefined
  /** Who carries datagrams through streams; nobody by default. */
  readonly carrier?: StreamCarrier
  /** The ports of sessions that are relayed for others; any by default. */
  readonly relayPorts?: PortRange | undefined
  /** What the engine is told of the time; the clocks of this machine by default. The monotonic one must be `performance.now()`. */
  readonly clock?: () => Now
}

/** What the loop has done by others: everything that takes time. Each calls back with an input when it is done. */
export interface Errands {
  lookUp(peer: PublicKey, keys: readonly Uint8Array[]): void
  knock(effect: Extract<Effect, { type: 'knock' }>): void
  answerKnock(id: number, answer: Uint8Array | undefined): void
  gossipKnock(sealedKnock: Uint8Array): void
  publish(effect: Extract<Effect, { type: 'publish' }>): void
  remember(peer: PublicKey, signedRecord: Uint8Array): void
  setEndpoint(peer: PublicKey, endpoint: SocketAddress): void
  probeReachability(): void
  askUdpProbe(effect: Extract<Effect, { type: 'ask-udp-probe' }>): void
  serve(serves: boolean): void
  openSockets(ip: string, count: number): void
  /** The engine is to be told of the sockets, as streams have come or gone. */
  streamsChanged(): void
  probeGateway(effect: Extract<Effect, { type: 'probe-gateway' }>): void
  mapPort(effect: Extract<Effect, { type: 'map-port' }>): void
  unmapPort(effect: Extract<Effect, { type: 'unmap-port' }>): void
  announceMapped(addresses: readonly SocketAddress[]): void
  resolveName(name: string): void
}

/** Who uses a loopback socket: a peer, or WireGuard for any peer. */
type LoopbackHandle = PublicKey | typeof CATCH_ALL

const CATCH_ALL = Symbol('catch-all')

const NO_STREAMS: StreamCarrier = {
  open: () => Promise.reject(new Error('this node opens no streams')),
  send: () => undefined,
  close: () => undefined,
}

export class EngineLoop {
  /** The sockets towards the network; which there are, others decide. */
  readonly shared: SharedSockets
  readonly #engine: Engine
  readonly #loopback: LoopbackSockets<LoopbackHandle> | undefined
  /** Streams that stand in for UDP. */
  readonly streams: StreamSockets
  readonly #relay: RelaySockets
  readonly #batches = DatagramBatches.open()
  readonly #log: Logger
  readonly #clock: () => Now
  readonly #waiting: Input[] = []
  #errands: Errands | undefined
  #handling = false
  #timer: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY
  #stopped = false

  /** Opens nothing yet. */
  constructor(engine: Engine, options: LoopOptions, log: Logger) {
    const { port, mark, wireguardPort, relayPorts, carrier = NO_STREAMS, clock = now } = options
    this.#engine = engine
    this.#log = log
    this.#clock = clock
    const onForged = () => engine.drop('stream-address-forged')
    this.shared = new SharedSockets(
      { port, mark, batches: this.#batches },
      {
        onDatagram: (socket, ip, remotePort, bytes) => this.#received(socket, ip, remotePort, bytes),
        onForged,
        onSendError: (socket, remote, code) => {
          engine.drop('not-sent')
          log.trace({ socket, remote, code }, 'could not send')
        },
        onUnreachable: (socket, remote, what) => this.handle({ type: 'unreachable', socket, remote, what }),
        onIcmpFlood: () => engine.drop('icmp-flood'),
      },
    )
    this.#relay = new RelaySockets(
      { mark, ports: relayPorts, batches: this.#batches },
      {
        onDatagram: (session, local, ip, remotePort, bytes) =>
          this.#toRelay(session, local, ip, remotePort, bytes),
        onForged,
      },
    )
    this.streams = new StreamSockets(carrier, {
      onDatagram: (socket, ip, remotePort, bytes) => this.#received(socket, ip, remotePort, bytes),
      onRelayed: (from, localPort, bytes) => this.#fromStream(from, localPort, bytes),
      onChange: () => this.#errands?.streamsChanged(),
    })
    if (wireguardPort === undefined) return
    this.#loopback = new LoopbackSockets<LoopbackHandle>(
      wireguardPort,
      {
        onDatagram: (handle, bytes) => this.#sent(handle, bytes),
        onForeignDatagram: () => engine.drop('loopback-foreign-sender'),
        onSendError: (_handle, code) => log.trace({ code }, 'WireGuard did not take a message'),
      },
      this.#batches,
    )
  }

  /** Opens the endpoint at which WireGuard may send for any peer. Throws the system's error. */
  openCatchAll(address: SocketAddress): void {
    this.#loopback?.open(CATCH_ALL, address)
  }

  /** WireGuard listens on another port. */
  followWireguard(port: number): void {
    this.#loopback?.reconnect(port)
  }

  /** Handles what happened so far, and from now on what happens as it does. */
  run(errands: Errands): void {
    this.#errands = errands
    this.#handleWaiting()
  }

  /** Something happened. */
  handle(input: Input): void {
    if (this.#stopped) return
    this.#waiting.push(input)
    this.#handleWaiting()
  }

  /** Closes the sockets. What happens after this is nobody's concern. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#waiting.length = 0
    this.shared.close()
    this.#loopback?.closeAll()
    this.#relay.closeAll()
  }

  /** WireGuard's packets carry another mark now, and so do ours. */
  setMark(mark: number): void {
    this.shared.setMark(mark)
    this.#relay.setMark(mark)
  }

  /** A datagram came from the network. */
  #received(socket: number, ip: string, port: number, datagram: Uint8Array): void {
    const peer = this.#engine.forwarding.inbound(ip, port, datagram, monotonicNow())
    if (peer !== undefined) this.#loopback?.send(peer, datagram)
    else
      this.handle({
        type: 'datagram-received',
        socket,
        remote: { ip, port },
        datagram: this.#kept(datagram),
      })
  }

  /** A datagram came through the stream of another node, for whom we are the relay. */
  #fromStream(from: SocketAddress, port: number, datagram: Uint8Array): void {
    if (port !== this.shared.port) {
      const at = this.#relay.at(port)
      if (at === undefined) this.#engine.drop('relay-unbound-sender')
      else this.#toRelay(at.session, at.local, from.ip, from.port, datagram)
      return
    }
    // Which of our addresses it would have come to, the stream does not say: one that means most to others.
    const sockets = this.shared.sockets().filter(({ purpose }) => purpose === 'shared')
    const socket = sockets.find(({ address }) => isGlobal(address.ip)) ?? sockets[0]
    if (socket !== undefined) this.#received(socket.id, from.ip, from.port, datagram)
  }

  /** Over the network, or through a stream, whichever leads there. */
  #send(socket: number, remote: SocketAddress, datagram: Uint8Array): void {
    if (isStreamSocket(socket)) this.streams.sendFrom(socket, remote.port, this.#kept(datagram))
    else if (isStreamAddress(remote.ip)) this.streams.sendTo(remote, this.shared.port, this.#kept(datagram))
    else this.shared.send(socket, remote, datagram)
  }

  #sendRelayed(session: number, local: string, remote: SocketAddress, datagram: Uint8Array): void {
    if (!isStreamAddress(remote.ip)) {
      this.#relay.send(session, local, remote, datagram)
      return
    }
    const port = this.#relay.portOf(session, local)
    if (port !== undefined) this.streams.sendTo(remote, port, this.#kept(datagram))
  }

  async #openStream(relay: StreamRelay): Promise<void> {
    try {
      await this.streams.open(relay)
    } catch (error) {
      this.#log.debug({ cause: causeOf(error) }, 'no stream could be opened to a relay')
      this.handle({ type: 'stream-failed', relay: relay.identity, reason: causeOf(error) })
    }
  }

  /** A datagram came to a port of a session that we relay. */
  #toRelay(session: number, local: string, ip: string, port: number, datagram: Uint8Array): void {
    const end = this.#engine.relayTable.passed(session, ip, port, datagram, monotonicNow())
    if (end === undefined) return
    if (end === 'for-node')
      this.handle({
        type: 'relay-datagram',
        session,
        local,
        remote: { ip, port },
        datagram: this.#kept(datagram),
      })
    else this.#sendRelayed(session, end.local, end.remote, datagram)
  }

  /** WireGuard sent a message to a loopback endpoint. */
  #sent(handle: LoopbackHandle, datagram: Uint8Array): void {
    if (handle === CATCH_ALL) {
      this.handle({ type: 'wireguard-sent', peer: undefined, datagram: this.#kept(datagram) })
      return
    }
    const path = this.#engine.forwarding.outbound(handle, datagram, monotonicNow())
    if (path === undefined) {
      this.handle({ type: 'wireguard-sent', peer: handle, datagram: this.#kept(datagram) })
      return
    }
    this.#send(path.socket, path.remote, datagram)
    const { beside } = this.#engine.forwarding
    if (beside !== undefined) this.#send(beside.socket, beside.remote, datagram)
  }

  /** Of what came in a burst, a copy: an input may wait, and the engine keeps what it is given. */
  #kept(datagram: Uint8Array): Uint8Array {
    return this.#batches?.kept(datagram) ?? datagram
  }

  #handleWaiting(): void {
    const errands = this.#errands
    if (errands === undefined || this.#handling) return
    this.#handling = true
    try {
      for (let input = this.#waiting.shift(); input !== undefined; input = this.#waiting.shift())
        for (const effect of this.#engine.handle(input, this.#clock())) this.#perform(effect, errands)
    } finally {
      this.#handling = false
    }
    this.#arm()
  }

  #perform(effect: Effect, errands: Errands): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.socket, effect.remote, effect.datagram)
        break
      case 'open-sockets':
        errands.openSockets(effect.ip, effect.count)
        break
      case 'open-stream':
        void this.#openStream(effect.relay)
        break
      case 'close-socket':
        if (isStreamSocket(effect.id)) this.streams.close(effect.id)
        else this.shared.closePunching(effect.id)
        break
      case 'send-unfragmented':
        this.#sendUnfragmented(effect)
        break
      case 'deliver':
        this.#loopback?.send(effect.peer, effect.datagram)
        break
      case 'open-loopback':
        this.#openLoopback(effect.peer, effect.address)
        break
      case 'close-loopback':
        this.#loopback?.close(effect.peer)
        break
      case 'set-endpoint':
        errands.setEndpoint(effect.peer, effect.endpoint)
        break
      case 'look-up':
        errands.lookUp(effect.peer, effect.keys)
        break
      case 'knock':
        errands.knock(effect)
        break
      case 'answer-knock':
        errands.answerKnock(effect.id, effect.answer)
        break
      case 'publish':
        errands.publish(effect)
        break
      case 'gossip-knock':
        errands.gossipKnock(effect.sealedKnock)
        break
      case 'remember':
        errands.remember(effect.peer, effect.signedRecord)
        break
      case 'probe-reachability':
        errands.probeReachability()
        break
      case 'ask-udp-probe':
        errands.askUdpProbe(effect)
        break
      case 'open-spare-socket':
        this.#openSpare(effect.ip)
        break
      case 'close-spare-socket':
        this.shared.closeSpare(effect.socket)
        break
      case 'serve':
        errands.serve(effect.serves)
        break
      case 'open-relay':
        this.#openRelay(effect.session, effect.ips)
        break
      case 'close-relay':
        this.#relay.close(effect.session)
        break
      case 'send-relay':
        this.#sendRelayed(effect.session, effect.local, effect.remote, effect.datagram)
        break
      case 'probe-gateway':
        errands.probeGateway(effect)
        break
      case 'map-port':
        errands.mapPort(effect)
        break
      case 'unmap-port':
        errands.unmapPort(effect)
        break
      case 'announce-mapped':
        errands.announceMapped(effect.addresses)
        break
      case 'resolve-name':
        errands.resolveName(effect.name)
        break
      case 'log':
        this.#log[effect.level](effect.fields, effect.message)
        break
    }
  }

  #sendUnfragmented(effect: Extract<Effect, { type: 'send-unfragmented' }>): void {
    const { peer, socket, remote, datagram } = effect
    // A stream has no packets to be too large for.
    if (isStreamSocket(socket) || isStreamAddress(remote.ip)) this.#send(socket, remote, datagram)
    else if (!this.shared.sendUnfragmented(socket, remote, datagram))
      this.handle({ type: 'too-large', peer, socket, remote, size: datagram.length })
  }

  #openLoopback(peer: PublicKey, address: SocketAddress): void {
    try {
      this.#loopback?.open(peer, address)
    } catch (error) {
      this.#log.warn({ peer, address, cause: causeOf(error) }, 'cannot open the loopback endpoint of a peer')
      this.handle({ type: 'loopback-failed', peer })
    }
  }

  #openRelay(session: number, ips: readonly string[]): void {
    try {
      this.handle({ type: 'relay-opened', session, addresses: this.#relay.open(session, ips) })
    } catch (error) {
      this.handle({ type: 'relay-failed', session, reason: causeOf(error) })
    }
  }

  #openSpare(ip: string): void {
    try {
      const { id, address } = this.shared.openSpare(ip)
      this.handle({ type: 'spare-socket-opened', socket: { id, address, device: '', purpose: 'spare' } })
    } catch (error) {
      this.#log.debug({ ip, cause: causeOf(error) }, 'cannot open a spare socket')
      this.handle({ type: 'spare-socket-failed', ip })
    }
  }

  /** Wakes the engine when it says so. A timer that fires early does no harm, so it is only ever moved forward. */
  #arm(): void {
    const next = this.#engine.nextWake
    if (this.#stopped || next === undefined || next >= this.#wakeAt) return
    clearTimeout(this.#timer)
    this.#wakeAt = next
    const wait = Math.max(0, Math.ceil(elapsed(monotonicNow(), next)))
    this.#timer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.handle({ type: 'woken' })
    }, wait)
  }
}
