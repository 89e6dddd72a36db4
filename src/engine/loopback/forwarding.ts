/**
 * The way of every packet: one table look-up in each direction.
 *
 * Outbound, the loopback endpoint on which WireGuard's message arrived names the {@link Flow}, and the flow its path.
 * Inbound, the remote address names the flow. Only data takes this way, and only while nothing has to be decided: first
 * and second messages, cookie replies, and whatever an engine wants to see, go through `handle` of the node.
 */

import type { SocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import { elapsed, type Instant, later } from '../../base/time.js'
import { MIN_TRANSPORT_LENGTH, wireguardType } from '../../wire/wireguard.js'
import type { Appointment } from '../agenda.js'
import type { Path } from '../path/path.js'
import type { Lookout } from './lookout.js'

/** What a peer may occupy: as many as it may have proved paths, so that none of these is ever forgotten here. */
const MAX_REMOTES_PER_FLOW = 64

/** What is sent this soon after something was heard answers it, as a rule, and need not be answered itself. */
const ANSWER_MS = 50

/** What goes between WireGuard and one peer. */
export class Flow {
  readonly peer: PublicKey
  /** The path in use. */
  path: Path | undefined = undefined
  /** Another path over which everything goes as well, while the one in use may be dead (engine/roam/hedge.ts). */
  beside: Path | undefined = undefined
  /** Kept while there is traffic, unless only WireGuard's handshake has proved the path. */
  lookout: Lookout | undefined = undefined
  /** True while the engine wants to see every message of WireGuard's, not only handshakes. */
  attentive = true
  /** True while the engine wants to see the next message that may go unanswered, because it does not look by itself. */
  tellsOfQuestions = false
  /** Bytes of WireGuard's messages that were sent to the peer, and came from it. */
  txBytes = 0
  rxBytes = 0
  lastSentAt: Instant | undefined = undefined
  lastHeardAt: Instant | undefined = undefined
  /** When a message last came over the path in use; one that comes another way says nothing of it. */
  carriedAt: Instant | undefined = undefined
  /**
   * When the first message was sent over the path in use after which nothing has come over it, nor was a check answered.
   * A keepalive does not count: it asks for no answer. Nor does the first message right after one for which nobody
   * waited: who only answers, hears nothing until he is asked again.
   */
  unheardSince: Instant | undefined = undefined
  /** True where the message that last came over the path in use answered nothing of ours, and was not answered yet. */
  #isAsked = false
  /** Touched by what the engine does not see: when it has to look may depend on it. */
  appointment: Appointment | undefined = undefined
  /** The remote addresses that name this flow, the oldest first. */
  readonly remotes: SocketAddress[] = []

  constructor(peer: PublicKey) {
    this.peer = peer
  }

  sent(bytes: number, now: Instant): void {
    this.txBytes += bytes
    this.lastSentAt = now
    if (bytes <= MIN_TRANSPORT_LENGTH) return
    if (this.asks(bytes, now)) this.unheardSince = now
    this.#isAsked = false
  }

  /** True where a message of so many bytes, sent now, is the first since the last answer that may go unanswered. */
  asks(bytes: number, now: Instant): boolean {
    if (bytes <= MIN_TRANSPORT_LENGTH || this.unheardSince !== undefined) return false
    return !this.#isAsked || this.carriedAt === undefined || elapsed(this.carriedAt, now) >= ANSWER_MS
  }

  /** A check over the path in use was answered: what was sent before it may have arrived as well. */
  answered(): void {
    this.unheardSince = undefined
  }

  heard(bytes: number, ip: string, port: number, now: Instant): void {
    this.rxBytes += bytes
    this.lastHeardAt = now
    const isOverPath = this.isPath(ip, port)
    this.lookout?.heard(ip, port, isOverPath, now)
    if (!isOverPath) return
    this.carriedAt = now
    this.#isAsked = this.unheardSince === undefined
    this.unheardSince = undefined
  }

  /** True where the path in use leads there. */
  isPath(ip: string, port: number): boolean {
    return this.path?.remote.port === port && this.path.remote.ip === ip
  }
}

interface Mapping {
  readonly flow: Flow
  provedAt: Instant
}

export class Forwarding {
  readonly #byPeer = new Map<PublicKey, Flow>()
  readonly #byRemote = new Map<string, Map<number, Mapping>>()
  /** Counts the remotes that were given up: one of them may be that of another flow, too. */
  releases = 0
  /** After {@link outbound} has named a path: another one, over which the message leaves as well. */
  beside: Path | undefined = undefined

  add(peer: PublicKey): Flow {
    const flow = new Flow(peer)
    this.#byPeer.set(peer, flow)
    return flow
  }

  remove(peer: PublicKey): void {
    const flow = this.#byPeer.get(peer)
    if (flow === undefined) return
    for (const remote of [...flow.remotes]) this.unmap(remote)
    this.#byPeer.delete(peer)
  }

  /** The path on which a message of WireGuard's leaves at once; undefined where the node must decide. */
  outbound(peer: PublicKey, datagram: Uint8Array, now: Instant): Path | undefined {
    const flow = this.#byPeer.get(peer)
    if (flow === undefined || flow.attentive || flow.path === undefined) return undefined
    if (wireguardType(datagram) !== 4) return undefined
    if (flow.tellsOfQuestions && flow.asks(datagram.length, now)) return undefined
    const { lookout } = flow
    if (lookout?.tells(datagram.length, now) === true) return undefined
    flow.sent(datagram.length, now)
    lookout?.sent(datagram, now)
    flow.appointment?.touch()
    this.beside = flow.beside
    return flow.path
  }

  /** The peer to whose loopback endpoint a datagram goes at once; undefined where the node must decide. */
  inbound(ip: string, port: number, datagram: Uint8Array, now: Instant): PublicKey | undefined {
    const flow = this.#byRemote.get(ip)?.get(port)?.flow
    if (flow === undefined || wireguardType(datagram) !== 4) return undefined
    if (flow.lookout?.wants(flow.isPath(ip, port), now) === true) return undefined
    flow.heard(datagram.length, ip, port, now)
    flow.appointment?.touch()
    return flow.peer
  }

  /** The flow of a proved remote address. */
  flowAt(remote: SocketAddress): Flow | undefined {
    return this.#byRemote.get(remote.ip)?.get(remote.port)?.flow
  }

  /**
   * What comes from `remote` is the peer's, who was there at `provedAt`. Where two peers had one address, one after the
   * other, the newer proof wins.
   */
  map(remote: SocketAddress, flow: Flow, provedAt: Instant): void {
    const known = this.#byRemote.get(remote.ip)?.get(remote.port)
    if (known?.flow === flow) {
      // From several of our sockets the peer may have answered there, at different times.
      known.provedAt = later(known.provedAt, provedAt)
      return
    }
    if (known !== undefined && known.provedAt >= provedAt) return
    this.unmap(remote)
    const oldest = flow.remotes[0]
    if (flow.remotes.length >= MAX_REMOTES_PER_FLOW && oldest !== undefined) this.unmap(oldest)
    let ports = this.#byRemote.get(remote.ip)
    if (ports === undefined) {
      ports = new Map()
      this.#byRemote.set(remote.ip, ports)
    }
    ports.set(remote.port, { flow, provedAt })
    flow.remotes.push(remote)
  }

  unmap(remote: SocketAddress): void {
    const ports = this.#byRemote.get(remote.ip)
    const flow = ports?.get(remote.port)?.flow
    if (ports === undefined || flow === undefined) return
    this.releases += 1
    ports.delete(remote.port)
    if (ports.size === 0) this.#byRemote.delete(remote.ip)
    const at = flow.remotes.findIndex((known) => known.ip === remote.ip && known.port === remote.port)
    flow.remotes.splice(at, 1)
  }
}
