/**
 * What `wg show <interface> dump` prints (wg(8)), fields separated by tabs:
 *
 * ```
 *  private-key   public-key      listen-port  fwmark
 *  public-key    preshared-key   endpoint     allowed-ips  latest-handshake  rx  tx  persistent-keepalive
 *  …one line a peer
 * ```
 *
 * What is not set is `(none)`, or `off` for fwmark and keepalive, or 0 for the latest handshake.
 */

import { fromString } from 'uint8arrays'
import { type Prefix, parsePrefix, parseSocketAddress, type SocketAddress } from '../../base/address.js'
import { type PublicKey, parsePublicKey } from '../../base/publicKey.js'
import { asUnixTime, SECOND, type UnixTime } from '../../base/time.js'
import { WireGuardError } from './wireguardError.js'

/** A WireGuard interface, as it stood at one moment. */
export interface InterfaceDump {
  readonly name: string
  /** 32 bytes. A secret: never to be logged. */
  readonly privateKey: Uint8Array
  readonly publicKey: PublicKey
  readonly listenPort: number
  /** The mark on WireGuard's own packets; 0 where there is none. */
  readonly fwmark: number
  readonly peers: readonly PeerDump[]
}

/** A peer of an interface. Its preshared key is left out: only {@link parsePresharedKeys} reads it. */
export interface PeerDump {
  readonly publicKey: PublicKey
  readonly endpoint: SocketAddress | undefined
  /** An endpoint that is link-local and therefore has a zone, as `wg` prints it; `endpoint` is then undefined. */
  readonly zonedEndpoint: string | undefined
  readonly allowedIps: readonly Prefix[]
  /** In whole seconds; undefined if there was none. */
  readonly latestHandshake: UnixTime | undefined
  readonly rxBytes: number
  readonly txBytes: number
  /** In seconds; undefined where it is off. */
  readonly persistentKeepalive: number | undefined
}

/**
 * Reads the dump of the interface `name`. Throws a {@link WireGuardError} where it has no private key, or where a
 * line is not as described above; the line is named by number only, since it may hold a secret.
 */
export function parseInterfaceDump(name: string, text: string): InterfaceDump {
  const [first = [], ...rest] = fieldsOf(text)
  const [privateText = '', publicText = '', port = '', mark = ''] = first
  if (first.length !== 4) throw notUnderstood(name, 1)
  if (privateText === NONE)
    throw new WireGuardError(
      'no-private-key',
      `${name} has no private key: set one with "wg set ${name} private-key <file>"`,
    )
  const privateKey = parsePublicKey(privateText)
  const publicKey = parsePublicKey(publicText)
  const listenPort = parseDecimal(port, 65_535)
  const fwmark = parseFwmark(mark)
  if (privateKey === undefined || publicKey === undefined || listenPort === undefined || fwmark === undefined)
    throw notUnderstood(name, 1)
  const peers = rest.map((fields, index) => {
    const peer = parsePeer(fields)
    if (peer === undefined) throw notUnderstood(name, index + 2)
    return peer
  })
  return { name, privateKey: fromString(privateText, 'base64pad'), publicKey, listenPort, fwmark, peers }
}

/**
 * The preshared keys in the same dump, in base64, of the peers that have one. Secrets: to be passed on to `wg` and
 * dropped. Reads a text that {@link parseInterfaceDump} has accepted.
 */
export function parsePresharedKeys(text: string): ReadonlyMap<PublicKey, string> {
  const keys = new Map<PublicKey, string>()
  for (const [publicText = '', presharedKey = NONE] of fieldsOf(text).slice(1)) {
    const publicKey = parsePublicKey(publicText)
    if (publicKey !== undefined && presharedKey !== NONE) keys.set(publicKey, presharedKey)
  }
  return keys
}

const NONE = '(none)'
const OFF = 'off'
const PEER_FIELDS = 8

function fieldsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

function parsePeer(fields: readonly string[]): PeerDump | undefined {
  const [key = '', , endpointText = '', allowed = '', handshake = '', rx = '', tx = '', keepalive = ''] =
    fields
  if (fields.length !== PEER_FIELDS) return undefined
  const publicKey = parsePublicKey(key)
  const endpoint = endpointText === NONE ? undefined : parseSocketAddress(endpointText)
  const zonedEndpoint = endpoint === undefined && endpointText !== NONE ? endpointText : undefined
  if (zonedEndpoint !== undefined && !/^\[fe[89ab][0-9a-f]:[0-9a-f:]+%[^\]]+\]:\d+$/.test(zonedEndpoint))
    return undefined
  const allowedIps = allowed === NONE ? [] : allowed.split(',').map(parsePrefix)
  const handshakeSeconds = parseDecimal(handshake)
  const rxBytes = parseDecimal(rx)
  const txBytes = parseDecimal(tx)
  const persistentKeepalive = keepalive === OFF ? 0 : parseDecimal(keepalive, 65_535)
  if (
    publicKey === undefined ||
    !allowedIps.every((prefix) => prefix !== undefined) ||
    handshakeSeconds === undefined ||
    rxBytes === undefined ||
    txBytes === undefined ||
    persistentKeepalive === undefined
  )
    return undefined
  return {
    publicKey,
    endpoint,
    zonedEndpoint,
    allowedIps,
    latestHandshake: handshakeSeconds === 0 ? undefined : asUnixTime(handshakeSeconds * SECOND),
    rxBytes,
    txBytes,
    persistentKeepalive: persistentKeepalive === 0 ? undefined : persistentKeepalive,
  }
}

function parseDecimal(text: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
  return /^\d{1,16}$/.test(text) && Number(text) <= max ? Number(text) : undefined
}

/** `off`, or hexadecimal with its prefix: `0xca6c`. */
function parseFwmark(text: string): number | undefined {
  if (text === OFF) return 0
  return /^0x[0-9a-f]{1,8}$/.test(text) ? Number(text) : undefined
}

function notUnderstood(name: string, line: number): WireGuardError {
  return new WireGuardError(
    'not-understood',
    `"wg show ${name} dump" printed a line ${line} that is not understood: is wireguard-tools newer than this program?`,
  )
}
