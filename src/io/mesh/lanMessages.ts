/**
 * What nodes of one network say to each other on a LAN: multicast DNS (RFC 6762), as libp2p's discovery has it
 * (https://github.com/libp2p/specs/blob/master/discovery/mdns.md), under a name of the network's own.
 *
 *     query    PTR  _tb<13 characters>._udp.local
 *     answer   PTR  _tb…._udp.local              →  <instance>._tb…._udp.local
 *              TXT  <instance>._tb…._udp.local   →  dnsaddr=/ip4/192.168.1.2/tcp/51821/p2p/12D3Koo…   one for each address
 *
 * The name is 64 bits of a hash of the network's name and key, in base32: who does not know both cannot tell the network
 * by it, though he can try names. The instance is random and new at each start.
 */

import { createHash } from 'node:crypto'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet } from 'dns-packet'
import { toString as toText } from 'uint8arrays'
import { peerIdOf, withoutPeerId } from './multiaddrs.js'

/** A node as it names itself: addresses over TCP, without `/p2p/` at the end. */
export interface LanAnswer {
  readonly id: string
  readonly addresses: readonly string[]
}

/** How many addresses a node names, and how many of its are read. */
export const MAX_LAN_ADDRESSES = 6
/** RFC 6762 section 17: no message of mDNS is longer, in bytes. */
const MAX_LENGTH = 9_000
/** How long an answer holds, in seconds: for other caches, we keep our own time. */
const TTL_S = 120
const PREFIX = 'dnsaddr='

/** The label that stands for a network: a service name of 15 characters (RFC 6335 section 5.1) after its underscore. */
export function lanLabel(network: string, networkKey: Uint8Array | undefined): string {
  const hash = createHash('sha256').update(`tunnelbore lan v1\0${network}\0`)
  const digest = hash.update(networkKey ?? new Uint8Array()).digest()
  return `_tb${toText(digest.subarray(0, 8), 'base32')}`
}

export function encodeLanQuery(label: string): Uint8Array {
  return encode({ type: 'query', questions: [{ type: 'PTR', name: serviceOf(label) }] })
}

/** Names at most {@link MAX_LAN_ADDRESSES} of the addresses. `instance` is a label of at most 63 letters and digits. */
export function encodeLanAnswer(label: string, instance: string, { id, addresses }: LanAnswer): Uint8Array {
  const service = serviceOf(label)
  const name = `${instance}.${service}`
  const texts = addresses.slice(0, MAX_LAN_ADDRESSES).map((address): Answer => {
    return { type: 'TXT', class: 'IN', ttl: TTL_S, name, data: `${PREFIX}${address}/p2p/${id}` }
  })
  const answers: Answer[] = [{ type: 'PTR', class: 'IN', ttl: TTL_S, name: service, data: name }, ...texts]
  return encode({ type: 'response', flags: AUTHORITATIVE_ANSWER, answers })
}

/** What a message says of a network. `malformed` is one that does not decode, or an answer that names no one node. */
export function readLanMessage(
  bytes: Uint8Array,
  label: string,
): 'query' | 'foreign' | 'malformed' | LanAnswer {
  const packet = bytes.length > MAX_LENGTH ? undefined : decoded(bytes)
  if (packet === undefined) return 'malformed'
  const service = serviceOf(label)
  if (packet.type === 'query') {
    const asked = packet.questions?.some(
      ({ type, name }) => (type === 'PTR' || String(type) === 'ANY') && sameName(name, service),
    )
    return asked === true ? 'query' : 'foreign'
  }
  // libp2p's specification puts the texts among the additional records, go-libp2p and we among the answers.
  const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])]
  if (!records.some(({ type, name }) => type === 'PTR' && sameName(name, service))) return 'foreign'
  return nodeOf(records, service) ?? 'malformed'
}

function nodeOf(records: readonly Answer[], service: string): LanAnswer | undefined {
  const addresses: string[] = []
  let id: string | undefined
  for (const text of records.flatMap((record) => textsOf(record, service))) {
    const address = text.startsWith(PREFIX) ? parse(text.slice(PREFIX.length)) : undefined
    const named = address === undefined ? undefined : peerIdOf(address)
    if (address === undefined || named === undefined) continue
    id ??= named
    if (named === id && addresses.length < MAX_LAN_ADDRESSES) addresses.push(withoutPeerId(address))
  }
  return id === undefined ? undefined : { id, addresses: [...new Set(addresses)] }
}

function textsOf(record: Answer, service: string): readonly string[] {
  if (record.type !== 'TXT' || !record.name.toLowerCase().endsWith(`.${service}`)) return []
  const chunks = Array.isArray(record.data) ? record.data : [record.data]
  return chunks.map(String)
}

/** An address over TCP of an IP address and a peer; undefined for everything else. */
function parse(text: string): Multiaddr | undefined {
  try {
    const address = multiaddr(text)
    const names = address.getComponents().map(({ name }) => name)
    if (!/^(ip4|ip6)\/tcp\/p2p$/.test(names.join('/'))) return undefined
    peerIdFromString(peerIdOf(address) ?? '')
    return address
  } catch {
    return undefined
  }
}

/** dns-packet throws on some rubbish, and reads some other as fields of any kind. */
function decoded(bytes: Uint8Array): Packet | undefined {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch {
    return undefined
  }
}

function serviceOf(label: string): string {
  return `${label}._udp.local`
}

/** Names are compared without case (RFC 1035 section 2.3.3). */
function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
