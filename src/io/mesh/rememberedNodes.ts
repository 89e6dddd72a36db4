/**
 * The nodes of our network that are worth remembering, at most {@link MAX_REMEMBERED}, in the order in which they are to
 * be tried: those that served us, the newest proof first, then those that the DHT named. What was only named never
 * displaces what was proved. Of those proved, the one goes whose network has the most, and of these the last: whoever
 * has one address and many identities displaces his own.
 */

import { multiaddr } from '@multiformats/multiaddr'
import { addressedIp } from './multiaddrs.js'
import { networkOf } from './networkOf.js'
import {
  decodeNetworks,
  encodeNetworks,
  isPlainAddress,
  MAX_ADDRESSES_REMEMBERED,
  MAX_NETWORKS,
  MAX_REMEMBERED,
  type NodeMemory,
  networkTag,
  type RememberedNetworks,
  type RememberedNode,
} from './nodeMemory.js'
import type { MeshLog } from './options.js'

export class RememberedNodes {
  readonly #memory: NodeMemory | undefined
  readonly #tag: string
  readonly #log: MeshLog
  #others: RememberedNetworks = new Map()
  #nodes: readonly RememberedNode[] = []
  #saved = ''

  constructor(
    memory: NodeMemory | undefined,
    { network, networkKey }: { readonly network: string; readonly networkKey?: Uint8Array },
    log: MeshLog,
  ) {
    this.#memory = memory
    this.#tag = networkTag(network, networkKey)
    this.#log = log
  }

  /** Reads what an earlier run has left. Never rejects: without it, the mesh is found as at the first start. */
  async load(): Promise<void> {
    try {
      const bytes = await this.#memory?.load()
      if (bytes === undefined) return
      const networks = new Map(decodeNetworks(bytes))
      this.#nodes = networks.get(this.#tag) ?? []
      networks.delete(this.#tag)
      this.#others = networks
    } catch (error) {
      this.#log.warn({ err: error }, 'cannot read which nodes were known')
    }
  }

  /** In the order in which they are to be tried. */
  get nodes(): readonly RememberedNode[] {
    return this.#nodes
  }

  /** It serves our network. `addresses`, at which it was reached just now, come before those remembered. */
  prove(id: string, addresses: readonly string[]): void {
    const former = this.#nodes.find((node) => node.id === id)
    const known = plain([...addresses, ...(former?.addresses ?? [])])
    if (known.length === 0) return
    const others = this.#nodes.filter((node) => node.id !== id)
    this.#nodes = withinBounds([{ id, addresses: known, proved: true }, ...others])
  }

  /** The DHT named it. */
  hear(id: string, addresses: readonly string[]): void {
    if (this.#nodes.length >= MAX_REMEMBERED || this.#nodes.some((node) => node.id === id)) return
    const known = plain(addresses)
    if (known.length > 0) this.#nodes = [...this.#nodes, { id, addresses: known, proved: false }]
  }

  forget(id: string): void {
    this.#nodes = this.#nodes.filter((node) => node.id !== id)
  }

  /** Keeps the list on disk, if it has changed. */
  save(): void {
    if (this.#memory === undefined) return
    const now = JSON.stringify(this.#nodes)
    if (now === this.#saved) return
    this.#saved = now
    const others = [...this.#others].slice(-(MAX_NETWORKS - 1))
    this.#memory.save(encodeNetworks(new Map([...others, [this.#tag, this.#nodes]])))
  }
}

function withinBounds(nodes: readonly RememberedNode[]): readonly RememberedNode[] {
  if (nodes.length <= MAX_REMEMBERED) return nodes
  const named = nodes.findLast(({ proved }) => !proved)
  if (named !== undefined) return nodes.filter((node) => node !== named)
  const counts = new Map<string, number>()
  for (const node of nodes) counts.set(networkOfNode(node), (counts.get(networkOfNode(node)) ?? 0) + 1)
  const most = Math.max(...counts.values())
  const displaced = nodes.findLast((node) => counts.get(networkOfNode(node)) === most)
  return nodes.filter((node) => node !== displaced)
}

/** By the address at which it was reached last. */
function networkOfNode({ addresses: [first = ''] }: RememberedNode): string {
  return networkOf(addressedIp(multiaddr(first)) ?? '')
}

function plain(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses)].filter(isPlainAddress).slice(0, MAX_ADDRESSES_REMEMBERED)
}
