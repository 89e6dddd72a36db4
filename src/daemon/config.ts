/**
 * Configuration: from the command line and from a TOML file to a checked, read-only value.
 *
 * Both sources carry the same keys: the names of the options without their dashes (`listen-port`). The command line
 * wins, key by key; a list given there replaces the file's. Paths in the file start from the file's folder, paths on
 * the command line from the working directory. Whatever is wrong is a {@link ConfigError} that names the option, or
 * the key and its file.
 */

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Component, multiaddr } from '@multiformats/multiaddr'
import { parse } from 'smol-toml'
import { fromString } from 'uint8arrays'
import { canonicalIp, isPort, scopeOf } from '../base/address.js'
import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { causeOf, UserError } from '../base/userError.js'
import {
  DEFAULT_PUNCH_LIMITS,
  MAX_PUNCH_RATE,
  MAX_PUNCH_SOCKETS,
  MIN_PUNCH_RATE,
  type PunchLimits,
} from '../engine/path/punchLimits.js'
import { DEFAULT_RELAY_BYTES_PER_SECOND, DEFAULT_RELAY_SESSIONS } from '../engine/relay/quotas.js'
import { DEFAULT_GOSSIP_LIMIT, MAX_GOSSIP_LIMIT } from '../io/mesh/fleetSize.js'
import type { PortRange } from '../io/relaySockets.js'
import { BOOTSTRAP_NAME, isNodeName } from './nodeName.js'
import { DEFAULT_RUN_DIR } from './runDirectory.js'

/** Wrong use: an option, a key or a file that cannot be taken as it is. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError'

  constructor(message: string) {
    super(message, 2)
  }
}

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

/** How much a member relay does for others. */
export interface RelayConfig {
  /** Sessions at a time. */
  readonly sessions: number
  /** Of all sessions together. */
  readonly bytesPerSecond: number
  /** Where the ports of sessions are; undefined: any. */
  readonly ports: PortRange | undefined
}

/** What every node is told. It holds no secret and may be logged. */
export interface NodeConfig {
  /** False where there is to be no mesh: no libp2p, and so nobody to ask. */
  readonly mesh: boolean
  /** Known nodes: canonical multiaddrs over TCP (or dnsaddr) that end in `/p2p/<id>`. */
  readonly bootstrap: readonly string[]
  readonly network: string
  /** Absolute path of the key that closes the network; see {@link readNetworkKey}. */
  readonly networkKeyFile: string | undefined
  /** How many nodes may gossip in a day before this one only uses the DHT and knocks; 0 turns gossip off. */
  readonly gossipLimit: number
  /** Whether nodes on the LANs of this machine are found, and find us, by mDNS. */
  readonly lan: boolean
  /** What it does as a member relay while it serves the mesh; undefined: nothing. */
  readonly relay: RelayConfig | undefined
  /** Whether gateways are asked to open our ports (PCP, NAT-PMP, UPnP). */
  readonly portMapping: boolean
  /** Further TCP ports at which libp2p listens: where networks let little else out, 443. */
  readonly alsoListen: readonly number[]
  /** Undefined: the one remembered in the state file, else {@link DEFAULT_LISTEN_PORT} or the next that is free. */
  readonly listenPort: number | undefined
  /** Absolute path. */
  readonly stateDir: string
  /** Absolute path. */
  readonly runDir: string
  readonly logLevel: LogLevel
}

/** What `tunnelbore up` is told. */
export interface UpConfig extends NodeConfig {
  readonly interface: string
  /** Where peers are, by name or address, in place of a record or beside it. */
  readonly peers: ReadonlyMap<PublicKey, HostPort>
  /** Further reflectors, besides those of the mesh. */
  readonly stun: readonly HostPort[]
  readonly reachability: Reachability
  /** What boring holes may cost. */
  readonly punching: PunchLimits
}

/** What `tunnelbore bootstrap` is told. */
export type BootstrapConfig = NodeConfig

export const DEFAULT_LISTEN_PORT = 51_821
/** Each session has two sockets. */
export const MAX_RELAY_SESSIONS = 10_000
/** In Mbit/s. */
export const MAX_RELAY_RATE = 100_000
export const DEFAULT_NETWORK = 'tunnelbore'
export const DEFAULT_STATE_DIR = '/var/lib/tunnelbore'

/** One source of settings: values by key, none of them checked yet. */
export interface Settings {
  /** Undefined: the command line. */
  readonly file: string | undefined
  /** Where relative paths start; absolute. */
  readonly directory: string
  readonly values: Readonly<Record<string, unknown>>
}

const NODE_KEYS = [
  'bootstrap',
  'network',
  'network-key',
  'gossip-limit',
  'lan',
  'relay',
  'relay-sessions',
  'relay-rate',
  'relay-ports',
  'port-mapping',
  'also-listen',
  'listen-port',
  'state-dir',
  'run-dir',
  'log-level',
]
const UP_KEYS = [...NODE_KEYS, 'mesh', 'peer', 'stun', 'reachable', 'punch-rate', 'punch-sockets']

/** The configuration of `up`; the first source that has a key decides it. Throws {@link ConfigError} only. */
export function upConfig(interfaceName: string, sources: readonly Settings[]): UpConfig {
  const name = checkInterfaceName(interfaceName)
  refuseUnknownKeys(sources, UP_KEYS)
  return {
    interface: name,
    ...nodeConfig(sources),
    mesh: readMesh(sources),
    peers: peersOf(sources),
    stun: setting(sources, 'stun', listOf(readHostPort)) ?? [],
    reachability: setting(sources, 'reachable', readReachability) ?? 'auto',
    punching: {
      perSecond: setting(sources, 'punch-rate', readPunchRate) ?? DEFAULT_PUNCH_LIMITS.perSecond,
      sockets: setting(sources, 'punch-sockets', readPunchSockets) ?? DEFAULT_PUNCH_LIMITS.sockets,
    },
  }
}

/** The configuration of `bootstrap`; the first source that has a key decides it. Throws {@link ConfigError} only. */
export function bootstrapConfig(sources: readonly Settings[]): BootstrapConfig {
  refuseUnknownKeys(sources, NODE_KEYS)
  return nodeConfig(sources)
}

function nodeConfig(sources: readonly Settings[]): NodeConfig {
  return {
    mesh: true,
    bootstrap: setting(sources, 'bootstrap', listOf(readBootstrap)) ?? [],
    network: setting(sources, 'network', readNetworkName) ?? DEFAULT_NETWORK,
    networkKeyFile: setting(sources, 'network-key', readPath),
    gossipLimit: setting(sources, 'gossip-limit', readGossipLimit) ?? DEFAULT_GOSSIP_LIMIT,
    lan: setting(sources, 'lan', readBoolean) ?? true,
    relay: relayConfig(sources),
    portMapping: setting(sources, 'port-mapping', readBoolean) ?? true,
    alsoListen: [...new Set(setting(sources, 'also-listen', listOf(readPort, 'ports')) ?? [])],
    listenPort: setting(sources, 'listen-port', readPort),
    stateDir: setting(sources, 'state-dir', readPath) ?? DEFAULT_STATE_DIR,
    runDir: setting(sources, 'run-dir', readPath) ?? DEFAULT_RUN_DIR,
    logLevel: setting(sources, 'log-level', readLogLevel) ?? 'info',
  }
}

/** What says something to a mesh only. Turned off, as `lan = false` is, it agrees with there being none. */
const MESH_KEYS = [
  'bootstrap',
  'network',
  'network-key',
  'gossip-limit',
  'lan',
  'relay',
  'relay-sessions',
  'relay-rate',
  'relay-ports',
  'also-listen',
  'reachable',
]

function readMesh(sources: readonly Settings[]): boolean {
  if (setting(sources, 'mesh', readBoolean) ?? true) return true
  for (const key of MESH_KEYS) {
    const source = sources.find(({ values }) => values[key] !== undefined && values[key] !== false)
    if (source === undefined) continue
    const place = source.file === undefined ? `--${key}` : `${key} in ${source.file}`
    throw new ConfigError(`${place}: means nothing without a mesh; leave it out, or leave --no-mesh out`)
  }
  return false
}

/** A peer has one name: the list that wins may not give it two. */
function peersOf(sources: readonly Settings[]): ReadonlyMap<PublicKey, HostPort> {
  const named = setting(sources, 'peer', listOf(readNamedPeer)) ?? []
  const peers = new Map(named.map(({ key, at }) => [key, at]))
  const twice = named.find(({ key }, index) => named.findIndex((each) => each.key === key) !== index)
  if (twice === undefined) return peers
  throw new ConfigError(`--peer: ${twice.key} is named twice; a name may have several addresses, so give one`)
}

function relayConfig(sources: readonly Settings[]): RelayConfig | undefined {
  // What is wrong is said even where it is not used.
  const config = {
    sessions: setting(sources, 'relay-sessions', readSessions) ?? DEFAULT_RELAY_SESSIONS,
    bytesPerSecond: setting(sources, 'relay-rate', readRate) ?? DEFAULT_RELAY_BYTES_PER_SECOND,
    ports: setting(sources, 'relay-ports', readPortRange),
  }
  return (setting(sources, 'relay', readBoolean) ?? true) ? config : undefined
}

/** Reads and parses `--config`'s file. Throws a {@link ConfigError} that names the file, and the line where it can. */
export async function readConfigFile(path: string): Promise<Settings> {
  const file = resolve(path)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${causeOf(error)}; give --config a readable TOML file`)
  }
  return { file, directory: dirname(file), values: parseToml(text, file) }
}

/** The values of a TOML text. Throws a {@link ConfigError} that names `file` and the line. */
export function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text)
  } catch (error) {
    // The message's first line says what is wrong; the others draw the place.
    const [said = ''] = error instanceof Error ? error.message.split('\n') : []
    const line =
      error instanceof Error && 'line' in error && typeof error.line === 'number'
        ? `, line ${error.line}`
        : ''
    throw new ConfigError(`${file}${line}: ${said.replace('Invalid TOML document: ', 'not valid TOML: ')}`)
  }
}

/**
 * Reads a network key as go-libp2p and js-libp2p write it, and returns it in the canonical spelling that
 * `@libp2p/pnet` takes:
 *
 *     /key/swarm/psk/1.0.0/
 *     /base16/
 *     <64 hexadecimal digits>
 *
 * Throws a {@link ConfigError} that names the file and never quotes it.
 */
export async function readNetworkKey(file: string): Promise<Uint8Array> {
  let text: string
  try {
    text = await readFile(file, 'latin1')
  } catch (error) {
    throw new ConfigError(
      `cannot read the network key ${file}: ${causeOf(error)}; give --network-key a readable file`,
    )
  }
  const match = /^\/key\/swarm\/psk\/1\.0\.0\/\r?\n\/base16\/\r?\n([0-9a-fA-F]{64})\s*$/.exec(text)
  if (match?.[1] === undefined) {
    throw new ConfigError(
      `${file} is no network key; its lines must be /key/swarm/psk/1.0.0/ and /base16/ and 64 hexadecimal digits`,
    )
  }
  return fromString(`/key/swarm/psk/1.0.0/\n/base16/\n${match[1].toLowerCase()}\n`)
}

/**
 * An interface's name as wg-quick allows it. {@link BOOTSTRAP_NAME} is refused: the bootstrap node's socket has it.
 * Throws a {@link ConfigError} on anything else.
 */
export function checkInterfaceName(name: string): string {
  if (name === BOOTSTRAP_NAME) {
    throw new ConfigError(`an interface cannot be named ${name}: the bootstrap node has that name; rename it`)
  }
  if (!isNodeName(name)) {
    throw new ConfigError(
      `${shown(name)} is no interface name; it has 1 to 15 letters, digits and _ = + . - and begins with no dash`,
    )
  }
  return name
}

/** Reads a value, or throws a {@link ConfigError} that begins with the name in `at`. */
type Reader<Value> = (value: unknown, at: Place) => Value

interface Place {
  /** `--stun`, or `stun in /etc/tunnelbore.toml`. */
  readonly name: string
  readonly directory: string
}

function setting<Value>(sources: readonly Settings[], key: string, read: Reader<Value>): Value | undefined {
  const source = sources.find(({ values }) => Object.hasOwn(values, key) && values[key] !== undefined)
  if (source === undefined) return undefined
  const name = source.file === undefined ? `--${key}` : `${key} in ${source.file}`
  return read(source.values[key], { name, directory: source.directory })
}

function refuseUnknownKeys(sources: readonly Settings[], known: readonly string[]): void {
  for (const { file, values } of sources) {
    const unknown = Object.keys(values).find((key) => !known.includes(key))
    if (unknown === undefined) continue
    const place = file === undefined ? 'on the command line' : `in ${file}`
    throw new ConfigError(`unknown key ${shown(unknown)} ${place}; known here are ${known.join(', ')}`)
  }
}

function listOf<Value>(read: Reader<Value>, what = 'strings'): Reader<readonly Value[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw wrong(at, `must be a list of ${what}`, value)
    return value.map((entry) => read(entry, at))
  }
}

/** A whole number of something. */
function numberOf(what: string, least: number, most: number): Reader<number> {
  return (value, at) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
    throw wrong(at, `must be a number of ${what} from ${least} to ${most}`, value)
  }
}

const readNetworkName: Reader<string> = (value, at) => {
  if (typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value)) return value
  throw wrong(at, 'must be 1 to 63 letters, digits, dots, dashes and underscores', value)
}

const readPort: Reader<number> = (value, at) => {
  if (typeof value === 'number' && isPort(value)) return value
  throw wrong(at, 'must be a port from 1 to 65535', value)
}

const readGossipLimit = numberOf('nodes', 0, MAX_GOSSIP_LIMIT)
const readPunchRate = numberOf('checks a second', MIN_PUNCH_RATE, MAX_PUNCH_RATE)
const readPunchSockets = numberOf('sockets', 0, MAX_PUNCH_SOCKETS)

const readSessions: Reader<number> = (value, at) => {
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 1
  if (isCount && value <= MAX_RELAY_SESSIONS) return value
  throw wrong(at, `must be a number of sessions from 1 to ${MAX_RELAY_SESSIONS}`, value)
}

/** In megabits a second, as uplinks are sold; returned in bytes a second. */
const readRate: Reader<number> = (value, at) => {
  const isRate = typeof value === 'number' && Number.isInteger(value) && value >= 1
  if (isRate && value <= MAX_RELAY_RATE) return value * 125_000
  throw wrong(at, `must be a number of Mbit/s from 1 to ${MAX_RELAY_RATE}`, value)
}

const readPortRange: Reader<PortRange> = (value, at) => {
  const match = typeof value === 'string' ? /^(\d{1,5})-(\d{1,5})$/.exec(value) : null
  const range = { first: Number(match?.[1]), last: Number(match?.[2]) }
  if (isPort(range.first) && isPort(range.last) && range.first <= range.last) return range
  throw wrong(at, 'must be <first>-<last>, as in 40000-40999', value)
}

const readPath: Reader<string> = (value, at) => {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return resolve(at.directory, value)
  throw wrong(at, 'must be a path', value)
}

const readLogLevel: Reader<LogLevel> = (value, at) => {
  const level = LOG_LEVELS.find((known) => known === value)
  if (level === undefined) throw wrong(at, `must be one of ${LOG_LEVELS.join(', ')}`, value)
  return level
}

const readBoolean: Reader<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value
  throw wrong(at, 'must be true or false', value)
}

const readReachability: Reader<Reachability> = (value, at) =>
  readBoolean(value, at) ? 'reachable' : 'unreachable'

const readHostPort: Reader<HostPort> = (value, at) => {
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

const readNamedPeer: Reader<{ readonly key: PublicKey; readonly at: HostPort }> = (value, at) => {
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

const readBootstrap: Reader<string> = (value, at) => {
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

function wrong(at: Place, rule: string, value: unknown): ConfigError {
  return new ConfigError(`${at.name}: ${rule}, not ${shown(value)}`)
}

/** A value for the end of a sentence: on one line, and not long. */
function shown(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value)
    return quoted.length <= 120 ? quoted : `${quoted.slice(0, 120)}…"`
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'a list'
  return value instanceof Date ? 'a date' : 'a table'
}
