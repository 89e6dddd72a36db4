/**
 * Looking for further relays among the nodes of the DHT: one is dialled after the other, that which was tried longest ago
 * first, until there are enough. libp2p's own discovery of relays would walk the DHT without a pause.
 */

import type { PeerId } from '@libp2p/interface'
import { isGlobal } from '../../base/address.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { within } from '../deadline.js'
import { addressedIp } from './multiaddrs.js'
import { networkOf } from './networkOf.js'
import type { Parts } from './parts.js'
import type { Servers } from './servers.js'

/** The first pause, doubled up to the longest, in ms; a relay in another network can wait. */
const PAUSE_MS = { first: 0.5 * SECOND, longest: MINUTE, longestForAnother: 5 * MINUTE } as const
const DIAL_MS = 4 * SECOND

/** Which servers are looked for: any, or only such as stand outside of these networks. */
export type Wanted = 'any' | { readonly outside: ReadonlySet<string | undefined> }

export class RelaySearch {
  readonly #parts: Parts
  readonly #servers: Servers
  readonly #nodes: () => Promise<readonly PeerId[]>
  readonly #onTried: () => void
  readonly #triedAt = new Map<string, number>()
  #wanted: Wanted | undefined
  #timer: NodeJS.Timeout | undefined
  #pauseMs: number = PAUSE_MS.first

  /** `nodes` are some of the DHT, and never rejects. `onTried` is called after each attempt; it is to say what is wanted then. */
  constructor(parts: Parts, servers: Servers, nodes: () => Promise<readonly PeerId[]>, onTried: () => void) {
    this.#parts = parts
    this.#servers = servers
    this.#nodes = nodes
    this.#onTried = onTried
  }

  /** Goes on looking, for what is wanted now, or stops. */
  for(wanted: Wanted | undefined): void {
    const isMoreUrgent = wanted === 'any' && this.#wanted !== 'any'
    this.#wanted = wanted
    if (wanted === undefined || isMoreUrgent) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#pauseMs = PAUSE_MS.first
    }
    if (wanted !== undefined) this.#timer ??= this.#arm()
  }

  #arm(): NodeJS.Timeout {
    const timer = setTimeout(async () => {
      await this.#tryOne()
      const longest = this.#wanted === 'any' ? PAUSE_MS.longest : PAUSE_MS.longestForAnother
      this.#pauseMs = Math.min(longest, this.#pauseMs * 2)
      if (this.#timer === timer) this.#timer = undefined
      this.#onTried()
    }, this.#pauseMs)
    return timer
  }

  async #tryOne(): Promise<void> {
    const { connectionManager } = this.#parts
    const known = new Map((await this.#nodes()).map((peer) => [peer.toString(), peer]))
    const nodes = [...known.values()].filter(
      (peer) => !peer.equals(this.#parts.peerId) && connectionManager.getConnections(peer).length === 0,
    )
    const ids = new Set(nodes.map(String))
    for (const id of this.#triedAt.keys()) if (!ids.has(id)) this.#triedAt.delete(id)
    const tried = (peer: PeerId) => this.#triedAt.get(peer.toString()) ?? 0
    for (const node of [...nodes].sort((a, b) => tried(a) - tried(b))) {
      if (!(await this.#isWanted(node))) continue
      this.#triedAt.set(node.toString(), performance.now())
      try {
        await this.#servers.greet(await connectionManager.openConnection(node, { signal: within(DIAL_MS) }))
      } catch {
        // There are others.
      }
      return
    }
  }

  /** Only what is known of it beforehand counts: in a mesh within one network each look would cost a connection. */
  async #isWanted(peer: PeerId): Promise<boolean> {
    const wanted = this.#wanted
    if (wanted === undefined || wanted === 'any') return wanted === 'any'
    const known = await this.#parts.peerStore.get(peer).catch(() => undefined)
    const ips = (known?.addresses ?? [])
      .map((address) => addressedIp(address.multiaddr))
      .filter((ip) => ip !== undefined)
    const global = ips.filter(isGlobal)
    return (global.length > 0 ? global : ips).some((ip) => !wanted.outside.has(networkOf(ip)))
  }
}
