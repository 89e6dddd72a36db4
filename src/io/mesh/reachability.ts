/**
 * Finding out whether others reach us: servers to which we are connected are asked to have us dialled back
 * ({@link ./dialBack}). They take turns, so that two probes in a row are answered by two servers where there are two.
 *
 * Where servers are connected over both families, both are asked about. What IPv4 says then counts: nodes without IPv6
 * could not use one that is reachable over IPv6 only, which is better off with its relays. Servers that are connected at a
 * private address are asked only where there are no others: they see what the world does not.
 *
 * At which address we were reached is told to others only when two servers have named the same, where there are two: one
 * alone could have our peers dial whom it likes.
 */

import type { Connection } from '@libp2p/interface'
import {
  type AddressFamily,
  familyOf,
  formatSocketAddress,
  isGlobal,
  type SocketAddress,
} from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import { decodeReachAnswer, encodeReachRequest, MAX_REACH_LENGTH } from '../../wire/reach.js'
import { within } from '../deadline.js'
import { REACH_MS, reachProtocol, seenAt } from './dialBack.js'
import { ask } from './exchange.js'
import type { Parts } from './parts.js'
import type { Servers } from './servers.js'

/** What a probe came to. */
export interface Probe {
  /** Undefined where nobody could be asked, or nobody knew. */
  readonly reachable: boolean | undefined
  /** The server that says so. */
  readonly server: string | undefined
  /** How many servers are connected that could be asked. */
  readonly servers: number
}

const FAMILIES = [4, 6] as const
const CLAIMS_TO_BELIEVE = 2
const MAX_CLAIMS = 16
const UNKNOWN = { reachable: undefined, server: undefined } as const

export class Reachability {
  readonly #protocol: string
  readonly #servers: Servers
  readonly #onDrop: (reason: DropReason) => void
  readonly #onChange: () => void
  /** When each connected server was last asked. */
  readonly #askedAt = new Map<string, number>()
  /** Where each server last said that it reached us: behind one-to-one NAT no interface has that address. */
  readonly #claims = new Map<string, SocketAddress>()
  #reachedAt: readonly SocketAddress[] = []

  /** `onChange` is called when we learn that we are reached at another address. */
  constructor(network: string, servers: Servers, onDrop: (reason: DropReason) => void, onChange: () => void) {
    this.#protocol = reachProtocol(network)
    this.#servers = servers
    this.#onDrop = onDrop
    this.#onChange = onChange
  }

  /** Where others reach us. */
  get reachedAt(): readonly SocketAddress[] {
    return this.#reachedAt
  }

  /** What was found out holds no more. */
  forget(): void {
    this.#claims.clear()
    this.#conclude(1)
  }

  /** Asks one server a family. `ports` are those on which we listen. Never rejects. */
  async probe(
    { connectionManager }: Parts,
    ports: ReadonlyMap<AddressFamily, number>,
    signal: AbortSignal,
  ): Promise<Probe> {
    const connected = connectionManager
      .getConnections()
      .filter(({ remotePeer, status }) => status === 'open' && this.#servers.has(remotePeer))
    for (const id of this.#askedAt.keys())
      if (!connected.some(({ remotePeer }) => remotePeer.toString() === id)) this.#askedAt.delete(id)

    const found = await Promise.all(
      FAMILIES.map(async (family) => {
        const over = seenFromOutside(connected, family)
        const port = ports.get(family)
        const servers = new Set(over.map(({ remotePeer }) => remotePeer.toString())).size
        if (port === undefined || servers === 0) return { ...UNKNOWN, servers: 0 }
        return { ...(await this.#probe(over, servers, port, signal)), servers }
      }),
    )
    const told = found.find(({ reachable }) => reachable !== undefined)
    return told ?? { ...UNKNOWN, servers: Math.max(...found.map(({ servers }) => servers)) }
  }

  async #probe(
    connections: readonly Connection[],
    servers: number,
    port: number,
    signal: AbortSignal,
  ): Promise<Omit<Probe, 'servers'>> {
    const [next] = [...connections].sort((a, b) => this.#lastAsked(a) - this.#lastAsked(b))
    if (next === undefined) return UNKNOWN
    const server = next.remotePeer.toString()
    this.#askedAt.set(server, performance.now())
    const ip = await this.#ask(next, port, signal)
    if (ip === undefined) return UNKNOWN
    this.#claims.delete(server)
    if (ip !== 'nowhere') this.#claims.set(server, { ip, port })
    const oldest = this.#claims.keys().next()
    if (this.#claims.size > MAX_CLAIMS && !oldest.done) this.#claims.delete(oldest.value)
    this.#conclude(Math.min(CLAIMS_TO_BELIEVE, servers))
    return { reachable: ip !== 'nowhere', server }
  }

  /** An address that so many servers have named is one of ours. */
  #conclude(claims: number): void {
    const named = new Map<string, { readonly address: SocketAddress; count: number }>()
    for (const address of this.#claims.values()) {
      const name = formatSocketAddress(address)
      const entry = named.get(name) ?? { address, count: 0 }
      entry.count += 1
      named.set(name, entry)
    }
    const believed = [...named.values()].filter(({ count }) => count >= claims)
    const before = this.#reachedAt.map(formatSocketAddress).join(' ')
    this.#reachedAt = believed.map(({ address }) => address)
    if (this.#reachedAt.map(formatSocketAddress).join(' ') !== before) this.#onChange()
  }

  /** Where we were reached; undefined where that was not tried. */
  async #ask(connection: Connection, port: number, signal: AbortSignal): Promise<string | undefined> {
    try {
      const options = { signal: within(REACH_MS, signal) }
      const bytes = await ask(
        connection,
        this.#protocol,
        encodeReachRequest({ port }),
        MAX_REACH_LENGTH,
        options,
      )
      const answer = decodeReachAnswer(bytes)
      if (isDropped(answer)) this.#onDrop(answer.dropped)
      else if (answer.verdict === 'unreachable') return 'nowhere'
      else if (answer.verdict === 'reachable') return answer.ip
    } catch {
      // It does not answer, which says nothing about us.
    }
    return undefined
  }

  #lastAsked({ remotePeer }: Connection): number {
    return this.#askedAt.get(remotePeer.toString()) ?? 0
  }
}

/** The direct connections over a family: those at global addresses, or all where there is none. */
function seenFromOutside(connections: readonly Connection[], family: AddressFamily): readonly Connection[] {
  const over = connections.filter((connection) => {
    const ip = seenAt(connection)
    return ip !== undefined && familyOf(ip) === family
  })
  const global = over.filter((connection) => isGlobal(seenAt(connection) ?? ''))
  return global.length > 0 ? global : over
}
