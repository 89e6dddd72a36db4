/**
 * Configuration: from the command line and from a TOML file to a checked, read-only value.
 *
 * Both sources carry the same keys: the names of the options without their dashes (`listen-port`). The command line
 * wins, key by key; a list given there replaces the file's. Paths in the file start from the file's folder, paths on
 * the command line from the working directory. Whatever is wrong is a {@link ConfigError} that names the option, or
 * the key and its file.
 */

import type { PublicKey } from '../base/publicKey.js'
import { DEFAULT_PUNCH_LIMITS, type PunchLimits } from '../engine/path/punchLimits.js'
import { DEFAULT_RELAY_BYTES_PER_SECOND, DEFAULT_RELAY_SESSIONS } from '../engine/relay/quotas.js'
import { DEFAULT_GOSSIP_LIMIT } from '../io/mesh/fleetSize.js'
import type { PortRange } from '../io/relaySockets.js'
import { BOOTSTRAP_NAME, isNodeName } from './nodeName.js'
import { DEFAULT_RUN_DIR } from './runDirectory.js'
import {
  type HostPort,
  type LogLevel,
  type Reachability,
  readBoolean,
  readBootstrap,
  readGossipLimit,
  readHostPort,
  readLogLevel,
  readNamedPeer,
  readNetworkName,
  readPath,
  readPort,
  readPortRange,
  readPunchRate,
  readPunchSockets,
  readRate,
  readReachability,
  readSessions,
} from './settingReaders.js'
import { ConfigError, listOf, refuseUnknownKeys, type Settings, setting, shown } from './settings.js'

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
export const DEFAULT_NETWORK = 'tunnelbore'
export const DEFAULT_STATE_DIR = '/var/lib/tunnelbore'

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
