/**
 * Finding out whether others reach us: servers to which we are connected are asked to have us dialled back
 * ({@link ./dialBack}). They take turns, so that two probes in a row are answered by two servers where there are two.
 *
 * Where servers are connected over both families, both are asked about. What IPv4 says then counts: nodes without IPv6
 * could not use one that is reachable over IPv6 only, which is better off with its relays.
 */

import type { Connection } from '@libp2p/interface'
import { type AddressFamily, familyOf, formatSocketAddress, type SocketAddress } from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import { decodeReachAnswer, encodeReachRequest, MAX_REACH_LENGTH } from '../../wire/reach.js'
import { REACH_MS, reachProtocol, seenAt } from './dialBack.js'
import { ask, within } from './exchange.js'
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
const UNKNOWN = { reachable: undefined, server: undefined } as const

export class Reachability {
  readonly #protocol: string
  readonly #servers: Servers
  readonly #onDrop: (reason: DropReason) => void
  readonly #onChange: () => void
  /** When each connected server was last asked. */
  readonly #askedAt = new Map<string, number>()
  /** Where we were last reached in each family: behind one-to-one NAT no interface has that address. */
  readonly #reachedAt = new Map<AddressFamily, SocketAddress>()

  /** `onChange` is called when we learn that we are reached at another address. */
  constructor(network: string, servers: Servers, onDrop: (reason: DropReason) => void, onChange: () => void) {
    this.#protocol = reachProtocol(network)
    this.#servers = servers
    this.#onDrop = onDrop
    this.#onChange = onChange
  }

  /** Where others reach us. */
  get reachedAt(): readonly SocketAddress[] {
    return [...this.#reachedAt.values()]
  }

  /** What was found out holds no more. */
  forget(): void {
    if (this.#reachedAt.size === 0) return
    this.#reachedAt.clear()
    this.#onChange()
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
        const over = connected.filter(
          (connection) => familyOf(seenAt(connection) ?? '') === family && seenAt(connection) !== undefined,
        )
        const port = ports.get(family)
        const servers = new Set(over.map(({ remotePeer }) => remotePeer.toString())).size
        if (port === undefined) return { ...UNKNOWN, servers: 0 }
        return { ...(await this.#probe(family, over, port, signal)), servers }
      }),
    )
    return (
      found.find(({ reachable }) => reachable !== undefined) ?? {
        ...UNKNOWN,
        servers: found[0]?.servers ?? 0,
      }
    )
  }

  async #probe(
    family: AddressFamily,
    connections: readonly Connection[],
    port: number,
    signal: AbortSignal,
  ): Promise<Omit<Probe, 'servers'>> {
    const [next] = [...connections].sort((a, b) => this.#lastAsked(a) - this.#lastAsked(b))
    if (next === undefined) return UNKNOWN
    const server = next.remotePeer.toString()
    this.#askedAt.set(server, performance.now())
    const ip = await this.#ask(next, port, signal)
    if (ip === undefined) return UNKNOWN
    const before = this.#reachedAt.get(family)
    if (ip === 'nowhere') this.#reachedAt.delete(family)
    else this.#reachedAt.set(family, { ip, port })
    const after = this.#reachedAt.get(family)
    if ((before && formatSocketAddress(before)) !== (after && formatSocketAddress(after))) this.#onChange()
    return { reachable: ip !== 'nowhere', server }
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
