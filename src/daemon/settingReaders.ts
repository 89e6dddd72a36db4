/** What each setting may be: readers that check a value, and say in one line what is wrong with it. */

import { resolve } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Component, multiaddr } from '@multiformats/multiaddr'
import { canonicalIp, isPort, scopeOf } from '../base/address.js'
import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { causeOf } from '../base/userError.js'
import { MAX_PUNCH_RATE, MAX_PUNCH_SOCKETS, MIN_PUNCH_RATE } from '../engine/path/punchLimits.js'
import { MAX_GOSSIP_LIMIT } from '../io/mesh/fleetSize.js'
import type { PortRange } from '../io/relaySockets.js'
import { numberOf, type Reader, wrong } from './settings.js'

/** Pino's levels, the most talkative first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

export type LogLevel = (typeof LOG_LEVELS)[number]

/** What the node takes itself for; `auto` finds out. */
export type Reachability = 'auto' | 'reachable' | 'unreachable'

/** A host by name or canonical address, and a port. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Each session has two sockets. */
export const MAX_RELAY_SESSIONS = 10_000
/** In Mbit/s. */
export const MAX_RELAY_RATE = 100_000

export const readNetworkName: Reader<string> = (value, at) => {
  if (typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value)) return value
  throw wrong(at, 'must be 1 to 63 letters, digits, dots, dashes and underscores', value)
}

export const readPort: Reader<number> = (value, at) => {
  if (typeof value === 'number' && isPort(value)) return value
  throw wrong(at, 'must be a port from 1 to 65535', value)
}

export const readGossipLimit = numberOf('nodes', 0, MAX_GOSSIP_LIMIT)
export const readPunchRate = numberOf('checks a second', MIN_PUNCH_RATE, MAX_PUNCH_RATE)
export const readPunchSockets = numberOf('sockets', 0, MAX_PUNCH_SOCKETS)

export const readSessions: Reader<number> = (value, at) => {
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 1
  if (isCount && value <= MAX_RELAY_SESSIONS) return value
  throw wrong(at, `must be a number of sessions from 1 to ${MAX_RELAY_SESSIONS}`, value)
}

/** In megabits a second, as uplinks are sold; returned in bytes a second. */
export const readRate: Reader<number> = (value, at) => {
  const isRate = typeof value === 'number' && Number.isInteger(value) && value >= 1
  if (isRate && value <= MAX_RELAY_RATE) return value * 125_000
  throw wrong(at, `must be a number of Mbit/s from 1 to ${MAX_RELAY_RATE}`, value)
}

export const readPortRange: Reader<PortRange> = (value, at) => {
  const match = typeof value === 'string' ? /^(\d{1,5})-(\d{1,5})$/.exec(value) : null
  const range = { first: Number(match?.[1]), last: Number(match?.[2]) }
  if (isPort(range.first) && isPort(range.last) && range.first <= range.last) return range
  throw wrong(at, 'must be <first>-<last>, as in 40000-40999', value)
}

export const readPath: Reader<string> = (value, at) => {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return resolve(at.directory, value)
  throw wrong(at, 'must be a path', value)
}

export const readLogLevel: Reader<LogLevel> = (value, at) => {
  const level = LOG_LEVELS.find((known) => known === value)
  if (level === undefined) throw wrong(at, `must be one of ${LOG_LEVELS.join(', ')}`, value)
  return level
}

export const readBoolean: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value
  throw wrong(at, 'must be true or false', value)
}

export const readReachability: Reader<Reachability> = (value, at) =>
  readBoolean(value, at) ? 'reachable' : 'unreachable'

export const readHostPort: Reader<HostPort> = (value, at) => {
  const read = typeof value === 'string' ? hostPortOf(value) : undefined
  if (read === undefined) {
    throw wrong(at, 'must be <host>:<port>, as in stun.example.org:3478 or [2001:db8::1]:3478', value)
  }
  return read
}

function hostPortOf(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  const bracketed = match?.[1] === undefined ? undefined : canonicalIp(match[1])
  const host = bracketed ?? readHost(match?.[2] ?? '')
  return host === undefined || !isPort(port) ? undefined : { host, port }
}

/** Where no peer can be: its packets would come to ourselves, or to many. */
const NO_PEER_THERE: readonly string[] = ['loopback', 'unspecified', 'multicast', 'link-local', 'stream']

export const readNamedPeer: Reader<{ readonly key: PublicKey; readonly at: HostPort }> = (value, at) => {
  const match = typeof value === 'string' ? /^([^=]*=)=(.+)$/.exec(value) : null
  const key = parsePublicKey(match?.[1] ?? '')
  if (key === undefined) {
    throw wrong(at, 'must be <public key>=<host>:<port>, with the key as `wg` prints it', value)
  }
  const place = hostPortOf(match?.[2] ?? '')
  if (place === undefined) {
    const rule =
      'must name the host and its port after the key, as in example.org:51820 or [2001:db8::1]:51820'
    throw wrong(at, rule, match?.[2] ?? '')
  }
  if (canonicalIp(place.host) !== undefined && NO_PEER_THERE.includes(scopeOf(place.host)))
    throw wrong(at, 'must name an address of another machine', match?.[2] ?? '')
  return { key, at: place }
}

/** An IPv4 address or a host name (RFC 1123 section 2.1; underscores are seen in the wild). */
function readHost(text: string): string | undefined {
  const ip = canonicalIp(text)
  if (ip !== undefined) return ip
  const labels = text.replace(/\.$/, '').split('.')
  const wellFormed =
    text.length <= 253 && labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))
  // A name whose last label is a number is a mistyped address.
  return wellFormed && !/^\d+$/.test(labels.at(-1) ?? '') ? text : undefined
}

export const readBootstrap: Reader<string> = (value, at) => {
  if (typeof value !== 'string') throw wrong(at, 'must be a multiaddr', value)
  let components: readonly Component[]
  let canonical: string
  try {
    const address = multiaddr(value)
    components = address.getComponents()
    canonical = address.toString()
  } catch (error) {
    throw wrong(at, `must be a multiaddr (${causeOf(error)}), ${MULTIADDR_EXAMPLE}`, value)
  }
  const [host, port] = components
  const last = components.at(-1)
  if (last?.name !== 'p2p' || !isPeerId(last.value)) {
    throw wrong(at, `must end in /p2p/ and the node's identity, ${MULTIADDR_EXAMPLE}`, value)
  }
  const names = components.map(({ name }) => name).join('/')
  const overTcp = /^(ip4|ip6|dns|dns4|dns6)\/tcp\/p2p$/.test(names) && isPort(Number(port?.value))
  if (!(overTcp || names === 'dnsaddr/p2p')) throw wrong(at, `must be over TCP, ${MULTIADDR_EXAMPLE}`, value)
  const hostName = host?.value ?? ''
  if (canonicalIp(hostName) === undefined && readHost(hostName) === undefined) {
    throw wrong(at, `must name a host, ${MULTIADDR_EXAMPLE}`, value)
  }
  return canonical
}

const MULTIADDR_EXAMPLE = 'as in /ip4/203.0.113.1/tcp/51821/p2p/12D3Koo…'

function isPeerId(text: string | undefined): boolean {
  try {
    peerIdFromString(text ?? '')
    return true
  } catch {
    return false
  }
}
