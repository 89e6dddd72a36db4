/**
 * The sessions of a member relay on a host, as src/io/relaySockets.ts keeps them: one UDP port each, on every local address
 * that was asked for. What comes there goes by the engine's table, without the engine; what the table leaves to it, and
 * only that, does it see.
 *
 * A relay may misbehave: then it binds and grants as ever, and what it should pass on is lost, late, or altered.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { isStreamAddress } from '../../src/base/streamAddress.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input, RelaySessionId } from '../../src/engine/inputs.js'
import type { RelayTable } from '../../src/engine/relay/table.js'
import type { Datagram } from '../network/datagram.js'
import type { Host } from './host.js'

type RelayEffect = Extract<Effect, { readonly type: 'open-relay' | 'close-relay' | 'send-relay' }>

/** Above those that punching sockets are given. */
const FIRST_PORT = 61_000
const PORTS = 65_536 - FIRST_PORT

/** What a relay does to what it should pass on. */
export type RelayBehaviour =
  | { readonly type: 'drops' }
  | { readonly type: 'delays'; readonly byMs: number }
  /** One bit of each. */
  | { readonly type: 'alters' }
  /** Each comes a second time, this much later. */
  | { readonly type: 'replays'; readonly afterMs: number }

/** The engine, and who is told what it is to decide. */
export interface RelayEngine {
  readonly relayTable: RelayTable
  handle(input: Input, author: string): void
  /** From a port of a session back through a stream of another node's. */
  sendThroughStream(remote: SocketAddress, port: number, bytes: Uint8Array, author: string): void
}

interface OpenSession {
  readonly port: number
  readonly ips: readonly string[]
}

export class RelaySessions {
  /** Undefined for well. */
  behaviour: RelayBehaviour | undefined = undefined
  readonly #host: Host
  readonly #engine: RelayEngine
  readonly #open = new Map<RelaySessionId, OpenSession>()
  #lastPort = 0

  constructor(host: Host, engine: RelayEngine) {
    this.#host = host
    this.#engine = engine
  }

  /** How many there are. */
  get size(): number {
    return this.#open.size
  }

  perform(effect: RelayEffect): void {
    const { session } = effect
    switch (effect.type) {
      case 'open-relay':
        this.#openSession(session, effect.ips)
        break
      case 'close-relay':
        this.#closeSession(session)
        break
      case 'send-relay':
        this.#send(session, effect.local, effect.remote, effect.datagram, this.#host.name)
    }
  }

  /** Through a stream, which names a port and no address. */
  receivedFromStream(port: number, from: SocketAddress, bytes: Uint8Array, author: string): void {
    for (const [session, open] of this.#open) {
      const local = open.ips.at(-1)
      if (open.port === port && local !== undefined) this.#take(session, local, from, bytes, author)
    }
  }

  close(): void {
    for (const session of [...this.#open.keys()]) this.#closeSession(session)
  }

  #openSession(session: RelaySessionId, wanted: readonly string[]): void {
    const ips = wanted.filter((ip) => this.#host.ips.includes(ip))
    const { name } = this.#host
    const port = ips.length === 0 ? undefined : this.#freePort()
    if (port === undefined) {
      this.#engine.handle({ type: 'relay-failed', session, reason: 'no port could be opened' }, name)
      return
    }
    this.#open.set(session, { port, ips })
    this.#host.bind(port, (datagram) => this.#received(session, datagram))
    const addresses = ips.map((ip) => ({ ip, port }))
    this.#engine.handle({ type: 'relay-opened', session, addresses }, name)
  }

  #closeSession(session: RelaySessionId): void {
    const open = this.#open.get(session)
    if (open === undefined) return
    this.#open.delete(session)
    this.#host.unbind(open.port)
  }

  #received(session: RelaySessionId, { from, to, bytes, author }: Datagram): void {
    if (this.#open.get(session)?.ips.includes(to.ip) === true) this.#take(session, to.ip, from, bytes, author)
  }

  #take(
    session: RelaySessionId,
    local: string,
    from: SocketAddress,
    bytes: Uint8Array,
    author: string,
  ): void {
    const { relayTable } = this.#engine
    const end = relayTable.passed(session, from.ip, from.port, bytes, this.#host.clock.instant)
    if (end === undefined) return
    if (end === 'for-node') {
      const what = { type: 'relay-datagram', session, local, remote: from, datagram: bytes } as const
      this.#engine.handle(what, author)
      return
    }
    this.#passOn(session, end.local, end.remote, bytes, author)
  }

  #passOn(
    session: RelaySessionId,
    local: string,
    remote: SocketAddress,
    bytes: Uint8Array,
    author: string,
  ): void {
    const send = (what = bytes): void => this.#send(session, local, remote, what, author)
    const { behaviour } = this
    const { clock } = this.#host
    switch (behaviour?.type) {
      case undefined:
        send()
        break
      case 'drops':
        break
      case 'delays':
        clock.in(behaviour.byMs, () => send())
        break
      case 'alters':
        send(altered(bytes))
        break
      case 'replays':
        send()
        clock.in(behaviour.afterMs, () => send())
    }
  }

  /** Under the name of who sent it first: a relay is nobody's author. */
  #send(
    session: RelaySessionId,
    local: string,
    remote: SocketAddress,
    bytes: Uint8Array,
    author: string,
  ): void {
    const open = this.#open.get(session)
    if (open === undefined) return
    if (isStreamAddress(remote.ip)) this.#engine.sendThroughStream(remote, open.port, bytes, author)
    else this.#host.send({ ip: local, port: open.port }, remote, bytes, author)
  }

  #freePort(): number | undefined {
    const taken = new Set([...this.#open.values()].map(({ port }) => port))
    if (taken.size >= PORTS) return undefined
    for (;;) {
      const port = FIRST_PORT + (this.#lastPort++ % PORTS)
      if (!taken.has(port)) return port
    }
  }
}

/** One bit in the middle is another one. */
function altered(bytes: Uint8Array): Uint8Array {
  const other = Uint8Array.from(bytes)
  const at = other.length >> 1
  other[at] = (other[at] ?? 0) ^ 1
  return other
}
