/**
 * Real WireGuard on a host of the laboratory: the kernel's where there is one, `wireguard-go` where not. The environment
 * variable TUNNELBORE_LAB_WIREGUARD insists on one: `kernel` or `wireguard-go`.
 */

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSocketAddress, parseSocketAddress, type SocketAddress } from '../../src/base/address.js'
import { type PublicKey, parsePublicKey } from '../../src/base/publicKey.js'
import { until } from '../until.js'
import type { Host } from './host.js'
import { WIREGUARD_SOCKETS } from './scope.js'

export type WireGuardImplementation = 'kernel' | 'wireguard-go'

/** Both keys in base64, as `wg genkey` and `wg pubkey` print them. */
export interface WireGuardKeys {
  readonly privateKey: string
  readonly publicKey: PublicKey
}

/** A peer as `wg set` is told of it. */
export interface WireGuardPeer {
  readonly publicKey: PublicKey
  /** In CIDR notation. */
  readonly allowedIps: readonly string[]
  readonly endpoint?: SocketAddress
  /** In base64. */
  readonly presharedKey?: string
  readonly keepaliveS?: number
}

/** A peer as `wg show` has it. */
export interface WireGuardPeerState {
  readonly publicKey: PublicKey
  readonly endpoint: SocketAddress | undefined
  readonly allowedIps: readonly string[]
  /** Unix time in seconds; 0 where there was none. */
  readonly latestHandshakeS: number
  readonly rxBytes: number
  readonly txBytes: number
}

export interface WireGuardOptions {
  /** Tunnel addresses of this host, without a prefix length. */
  readonly addresses: readonly string[]
  readonly keys?: WireGuardKeys
  /** Where absent, WireGuard picks a free port. */
  readonly listenPort?: number
  readonly peers?: readonly WireGuardPeer[]
}

const MTU = 1420
/** wg-quick's choice for the mark of WireGuard's own packets, and for the routing table of a full tunnel. */
const FULL_TUNNEL_MARK = 51820

export class WireGuard {
  readonly host: Host
  /** The interface's name, unique on the machine. */
  readonly name: string
  readonly implementation: WireGuardImplementation
  readonly keys: WireGuardKeys
  readonly addresses: readonly string[]
  readonly #listenPort: number | undefined

  private constructor(
    host: Host,
    name: string,
    implementation: WireGuardImplementation,
    options: WireGuardOptions,
  ) {
    this.host = host
    this.name = name
    this.implementation = implementation
    this.keys = options.keys ?? generateWireGuardKeys()
    this.addresses = options.addresses
    this.#listenPort = options.listenPort
  }

  /** Makes an interface, configured and up. It ends with the laboratory. */
  static async create(host: Host, options: WireGuardOptions): Promise<WireGuard> {
    const name = host.namespace.scope.interfaceName()
    const wireguard = new WireGuard(host, name, await addInterface(host, name), options)
    await wireguard.#configure()
    for (const peer of options.peers ?? []) await wireguard.setPeer(peer)
    return wireguard
  }

  /** Deletes the interface and makes it again, with its key and addresses, and no peers. */
  async remake(): Promise<void> {
    await this.host.run('ip', ['link', 'delete', this.name])
    const socket = join(WIREGUARD_SOCKETS, `${this.name}.sock`)
    await until(`${this.name} to be gone`, () => !existsSync(socket))
    await addInterface(this.host, this.name)
    await this.#configure()
  }

  async #configure(): Promise<void> {
    const config = join(this.host.namespace.scope.directory, `${this.name}.conf`)
    const listenPort = this.#listenPort === undefined ? '' : `ListenPort = ${this.#listenPort}\n`
    // A file, because Node's pipes are sockets, and `wg` can't open one of those as /dev/stdin.
    await writeFile(config, `[Interface]\nPrivateKey = ${this.keys.privateKey}\n${listenPort}`, {
      mode: 0o600,
    })
    await this.host.run('wg', ['setconf', this.name, config])
    await this.host.namespace.configure({}, [
      ...this.addresses.map((address) => `address add ${address} dev ${this.name}`),
      `link set ${this.name} mtu ${MTU} up`,
    ])
  }

  /** Adds a peer or changes it, and routes its allowed addresses here (all of them, as wg-quick does it). */
  async setPeer(peer: WireGuardPeer): Promise<void> {
    const args = ['peer', peer.publicKey, 'allowed-ips', peer.allowedIps.join(',')]
    if (peer.endpoint !== undefined) args.push('endpoint', formatSocketAddress(peer.endpoint))
    if (peer.keepaliveS !== undefined) args.push('persistent-keepalive', String(peer.keepaliveS))
    if (peer.presharedKey !== undefined) {
      const file = join(this.host.namespace.scope.directory, `${this.name}.psk`)
      await writeFile(file, peer.presharedKey, { mode: 0o600 })
      args.push('preshared-key', file)
    }
    await this.host.run('wg', ['set', this.name, ...args])
    if (peer.allowedIps.includes('0.0.0.0/0')) await this.#routeEverything()
    await this.host.namespace.configure(
      {},
      peer.allowedIps.map((prefix) => this.#route(prefix)),
    )
  }

  async removePeer(publicKey: PublicKey): Promise<void> {
    await this.host.run('wg', ['set', this.name, 'peer', publicKey, 'remove'])
  }

  /** Has it forget its sessions and handshakes, as after a sleep; peers and their endpoints stay. */
  async forgetSessions(): Promise<void> {
    const prefixes = (await this.peers()).flatMap(({ allowedIps }) => allowedIps)
    await this.host.namespace.configure({}, [
      `link set ${this.name} down`,
      `link set ${this.name} up`,
      // The routes went with the link.
      ...prefixes.map((prefix) => this.#route(prefix)),
    ])
  }

  /** The port that WireGuard listens on. */
  async listenPort(): Promise<number> {
    return Number((await this.host.run('wg', ['show', this.name, 'listen-port'])).stdout)
  }

  /** Every peer, as `wg show dump` prints it. */
  async peers(): Promise<WireGuardPeerState[]> {
    const { stdout } = await this.host.run('wg', ['show', this.name, 'dump'])
    return stdout.trimEnd().split('\n').slice(1).map(readDumpLine)
  }

  /** The line of an `ip -batch` that routes a prefix here; a full tunnel's has a table of its own. */
  #route(prefix: string): string {
    const table = prefix.endsWith('/0') ? ` table ${FULL_TUNNEL_MARK}` : ''
    return `route replace ${prefix} dev ${this.name}${table}`
  }

  /** wg-quick's rules for `AllowedIPs = 0.0.0.0/0`: all but WireGuard's own packets, which carry a mark, goes through the tunnel. */
  async #routeEverything(): Promise<void> {
    await this.host.run('wg', ['set', this.name, 'fwmark', String(FULL_TUNNEL_MARK)])
    await this.host.namespace.configure({ 'net/ipv4/conf/all/src_valid_mark': 1 }, [
      `rule add not fwmark ${FULL_TUNNEL_MARK} table ${FULL_TUNNEL_MARK}`,
      'rule add table main suppress_prefixlength 0',
    ])
  }
}

export function generateWireGuardKeys(): WireGuardKeys {
  const { privateKey, publicKey } = generateKeyPairSync('x25519')
  const publicText = rawKey(publicKey, 'x')
  const parsed = parsePublicKey(publicText)
  if (parsed === undefined) throw new Error(`an X25519 key that is no WireGuard key: ${publicText}`)
  return { privateKey: rawKey(privateKey, 'd'), publicKey: parsed }
}

function rawKey(key: KeyObject, field: 'd' | 'x'): string {
  return Buffer.from(key.export({ format: 'jwk' })[field] ?? '', 'base64url').toString('base64')
}

async function addInterface(host: Host, name: string): Promise<WireGuardImplementation> {
  const { TUNNELBORE_LAB_WIREGUARD: wanted } = process.env
  if (wanted !== undefined && wanted !== 'kernel' && wanted !== 'wireguard-go')
    throw new Error(`TUNNELBORE_LAB_WIREGUARD is kernel or wireguard-go, not ${wanted}`)
  if (wanted !== 'wireguard-go') {
    try {
      await host.run('ip', ['link', 'add', name, 'type', 'wireguard'])
      return 'kernel'
    } catch (error) {
      if (wanted === 'kernel') throw error
    }
  }
  const daemon = host.namespace.spawn('wireguard-go', ['--foreground', name], {
    env: { LOG_LEVEL: 'error' },
    stopLast: true,
  })
  await until(`wireguard-go to make ${name}`, () => {
    if (daemon.end !== undefined) throw new Error(`wireguard-go: ${daemon.end}: ${daemon.stderr}`)
    return existsSync(join(WIREGUARD_SOCKETS, `${name}.sock`))
  })
  return 'wireguard-go'
}

function readDumpLine(line: string): WireGuardPeerState {
  const [key = '', , endpoint = '', allowedIps = '', handshake, rx, tx] = line.split('\t')
  const publicKey = parsePublicKey(key)
  if (publicKey === undefined) throw new Error(`not a line of wg's dump: ${line}`)
  return {
    publicKey,
    endpoint: parseSocketAddress(endpoint),
    allowedIps: allowedIps === '(none)' ? [] : allowedIps.split(','),
    latestHandshakeS: Number(handshake),
    rxBytes: Number(rx),
    txBytes: Number(tx),
  }
}
