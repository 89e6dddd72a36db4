/** Peers in `status --json`: what the engine knows of them, and what WireGuard says. */

import { formatSocketAddress } from '../base/address.js'
import { elapsed, type Now, SECOND, type UnixTime } from '../base/time.js'
import type { NameStatus as EngineName } from '../engine/names/namedPeer.js'
import type { PeerStatus as EnginePeer } from '../engine/status.js'
import type { NameStatus, PeerStatus } from './status.js'

/** `latestHandshake` is WireGuard's, and absent where there was none. */
export function peerStatus(peer: EnginePeer, latestHandshake: UnixTime | undefined, now: Now): PeerStatus {
  const { path } = peer
  return {
    publicKey: peer.publicKey,
    state: peer.state,
    loopback: peer.state === 'external' ? null : formatSocketAddress(peer.loopback),
    path:
      path === undefined
        ? null
        : {
            type: path.type,
            local: formatSocketAddress(path.local),
            remote: formatSocketAddress(path.remote),
            rttMs: path.rttMs === undefined ? null : Math.round(path.rttMs * 100) / 100,
            sinceS: seconds(elapsed(path.provedAt, now.instant)),
            mtu: peer.mtu ?? null,
          },
    rxBytes: peer.rxBytes,
    txBytes: peer.txBytes,
    recordAgeS: peer.recordAgeMs === undefined ? null : seconds(peer.recordAgeMs),
    lastHandshakeS: latestHandshake === undefined ? null : seconds(elapsed(latestHandshake, now.unix)),
    reason: peer.reason,
    signs: peer.signs.map(({ sign, decision, agoMs }) => ({ sign, decision, agoS: seconds(agoMs) })),
    name: peer.name === undefined ? null : nameStatus(peer.name, now),
  }
}

function nameStatus({ name, addresses, resolvedAt, nextAt, failure }: EngineName, now: Now): NameStatus {
  return {
    name,
    addresses: addresses.map(formatSocketAddress),
    resolvedAgoS: resolvedAt === undefined ? null : seconds(elapsed(resolvedAt, now.instant)),
    againInS: nextAt === undefined ? null : seconds(elapsed(now.instant, nextAt)),
    failure: failure ?? null,
  }
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / SECOND))
}
