/**
 * Sets and clears the endpoints of peers.
 *
 * `wg set … peer <key> endpoint …` adds a peer that is not there. So the interface is read first and peers that are gone
 * are left out; a peer that is removed in the few milliseconds between would come back without allowed IPs.
 */

import { formatSocketAddress, type SocketAddress } from '../../base/address.js'
import type { PublicKey } from '../../base/publicKey.js'
import { type PeerDump, parseInterfaceDump, parsePresharedKeys } from './interfaceDump.js'
import { setInterface, showDump } from './wgTool.js'

export interface PeerEndpoint {
  readonly publicKey: PublicKey
  /** As text where it has a zone (`[fe80::1%eth0]:51820`). */
  readonly endpoint: SocketAddress | string
}

/** Gives peers of the interface `name` new endpoints, all in one call of `wg` (one for every 500). */
export async function setEndpoints(name: string, endpoints: readonly PeerEndpoint[]): Promise<void> {
  if (endpoints.length === 0) return
  const there = new Set(parseInterfaceDump(name, await showDump(name)).peers.map((peer) => peer.publicKey))
  await setInChunks(
    name,
    endpoints
      .filter(({ publicKey }) => there.has(publicKey))
      .map(({ publicKey, endpoint }) => ['peer', publicKey, 'endpoint', endpointText(endpoint)]),
  )
}

/**
 * Takes the endpoints of the peers `publicKeys` away. WireGuard has no command for that, so each is removed and added
 * again within one call, with its preshared key, allowed IPs and keepalive. Its session, counters, and the memory of its
 * last handshake (against replay) are lost; other peers notice nothing. Peers that have no endpoint are left alone.
 *
 * A preshared key reaches `wg` through a pipe, of which there is one a call: peers that have one get a call each.
 */
export async function clearEndpoints(name: string, publicKeys: readonly PublicKey[]): Promise<void> {
  if (publicKeys.length === 0) return
  const wanted = new Set(publicKeys)
  const text = await showDump(name)
  const presharedKeys = parsePresharedKeys(text)
  const peers = parseInterfaceDump(name, text).peers.filter(
    (peer) => wanted.has(peer.publicKey) && (peer.endpoint !== undefined || peer.zonedEndpoint !== undefined),
  )
  await setInChunks(
    name,
    peers.filter((peer) => !presharedKeys.has(peer.publicKey)).map((peer) => removeAndAdd(peer)),
  )
  for (const peer of peers) {
    const presharedKey = presharedKeys.get(peer.publicKey)
    if (presharedKey === undefined) continue
    await setInterface(name, [...removeAndAdd(peer), 'preshared-key', '/dev/stdin'], presharedKey)
  }
}

function endpointText(endpoint: SocketAddress | string): string {
  return typeof endpoint === 'string' ? endpoint : formatSocketAddress(endpoint)
}

/** Keeps the arguments of one call far below the kernel's limit of 2 MB. */
const PEERS_A_CALL = 500

async function setInChunks(name: string, argsOfPeers: readonly (readonly string[])[]): Promise<void> {
  for (let at = 0; at < argsOfPeers.length; at += PEERS_A_CALL)
    await setInterface(name, argsOfPeers.slice(at, at + PEERS_A_CALL).flat())
}

function removeAndAdd(peer: PeerDump): readonly string[] {
  const allowedIps = peer.allowedIps.map((prefix) => `${prefix.ip}/${prefix.length}`).join(',')
  return [
    ...['peer', peer.publicKey, 'remove'],
    ...['peer', peer.publicKey, 'allowed-ips', allowedIps],
    ...['persistent-keepalive', String(peer.persistentKeepalive ?? 'off')],
  ]
}
