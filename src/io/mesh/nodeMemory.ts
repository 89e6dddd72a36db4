/**
 * Which nodes of the mesh were known, for the next start: with them a node finds the mesh again when those that it was
 * told of are gone. JSON, in the order in which they are to be tried:
 *
 *     { "version": 1, "networks": [ { "network": "<tag>", "nodes": [
 *       { "id": "12D3Koo…", "addresses": ["/ip4/203.0.113.1/tcp/51821"], "proved": true } ] } ] }
 *
 * `proved`: it answered as a node that serves our network, at these addresses; else the DHT named it. Each network has a
 * list of its own. Its tag is a hash of its name and key, so nodes of one network are never tried in another, and the
 * file does not tell the key.
 */

import { createHash } from 'node:crypto'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { fromString, toString as toText } from 'uint8arrays'

/** Where the list is kept between two runs. */
export interface NodeMemory {
  /** What was saved last; undefined where nothing was. */
  load(): Promise<Uint8Array | undefined>
  /** Keeps these bytes in place of all before, soon; what fails is its own to tell. */
  save(bytes: Uint8Array): void
}

export interface RememberedNode {
  readonly id: string
  /** Over TCP, of IP addresses, without the final `/p2p/…`; the one at which it was reached last comes first. */
  readonly addresses: readonly string[]
  readonly proved: boolean
}

/** The nodes of each network by its tag, this node's own network last. */
export type RememberedNetworks = ReadonlyMap<string, readonly RememberedNode[]>

export const MAX_REMEMBERED = 64
export const MAX_ADDRESSES_REMEMBERED = 4
/** A machine is in few networks; those that it was in last are kept. */
export const MAX_NETWORKS = 4
/** What is longer was not written by us, in bytes. */
const MAX_LENGTH = 256 * 1024

/** What a network's list is kept under. */
export function networkTag(network: string, networkKey: Uint8Array | undefined): string {
  const hash = createHash('sha256').update(`tunnelbore known nodes v1\0${network}\0`)
  return hash
    .update(networkKey ?? new Uint8Array())
    .digest('hex')
    .slice(0, 32)
}

export function encodeNetworks(networks: RememberedNetworks): Uint8Array {
  const lists = [...networks].map(([network, nodes]) => ({ network, nodes }))
  return fromString(JSON.stringify({ version: 1, networks: lists }))
}

/** Reads what {@link encodeNetworks} wrote. Whatever else is there is passed over, and never throws. */
export function decodeNetworks(bytes: Uint8Array): RememberedNetworks {
  const networks = new Map<string, readonly RememberedNode[]>()
  if (bytes.length > MAX_LENGTH) return networks
  const file = parse(bytes)
  if (!isObject(file)) return networks
  const { version } = file
  if (version !== 1) return networks
  for (const list of listIn(file, 'networks')) {
    if (!isObject(list)) continue
    const { network } = list
    if (typeof network !== 'string' || !/^[0-9a-f]{32}$/.test(network)) continue
    const nodes = listIn(list, 'nodes').flatMap((node) => remembered(node) ?? [])
    const once = [...new Map(nodes.toReversed().map((node) => [node.id, node])).values()].toReversed()
    networks.delete(network)
    networks.set(network, once.slice(0, MAX_REMEMBERED))
  }
  return new Map([...networks].slice(-MAX_NETWORKS))
}

/** True for an address that can be remembered: dialled as it stands, with no name and no relay. */
export function isPlainAddress(text: string): boolean {
  try {
    const address = multiaddr(text)
    const names = address.getComponents().map(({ name }) => name)
    return address.toString() === text && /^(ip4|ip6)\/tcp$/.test(names.join('/'))
  } catch {
    return false
  }
}

function remembered(node: unknown): RememberedNode | undefined {
  if (!isObject(node)) return undefined
  const { id, proved } = node
  const addresses = listIn(node, 'addresses')
    .filter((address) => typeof address === 'string')
    .filter(isPlainAddress)
    .slice(0, MAX_ADDRESSES_REMEMBERED)
  if (typeof id !== 'string' || !isPeerId(id) || addresses.length === 0) return undefined
  return { id, addresses, proved: proved === true }
}

function isPeerId(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text
  } catch {
    return false
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(toText(bytes))
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function listIn(object: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const list = object[key]
  return Array.isArray(list) ? list : []
}
