/** What a node can say of itself and of its peers. */

import type { SocketAddress } from '../base/address.js'
import type { DropCounters } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { elapsed, type Now } from '../base/time.js'
import type { NatBehaviour, PeerRecord } from '../wire/record.js'
import type { LocalSocket } from './inputs.js'
import type { NameStatus } from './names/namedPeer.js'
import type { MappedPort } from './path/mappedPort.js'
import type { NatStatus } from './path/natKnowledge.js'
import type { Path } from './path/path.js'
import type { Peer } from './peer.js'
import type { PeerState } from './peerState.js'
import type { RelayStatus } from './relay/server.js'
import type { Decision, Sign } from './roam/signs.js'

export interface PeerStatus {
  readonly publicKey: PublicKey
  readonly state: PeerState
  readonly loopback: SocketAddress
  readonly path: (Path & { readonly local: SocketAddress }) | undefined
  /** The largest MTU of the interface whose packets the path carries whole; undefined where that is not known. */
  readonly mtu: number | undefined
  readonly rxBytes: number
  readonly txBytes: number
  /** Milliseconds since the peer issued the record that we know. */
  readonly recordAgeMs: number | undefined
  readonly reason: string
  /** The name that the user gave for it, and what that resolved to; undefined where none was given. */
  readonly name: NameStatus | undefined
  /** The last signs that a path may be dead, or somebody elsewhere, the oldest first. */
  readonly signs: readonly SignStatus[]
}

export interface SignStatus {
  readonly sign: Sign
  readonly decision: Decision
  /** Milliseconds since it was noticed. */
  readonly agoMs: number
}

export interface NodeStatus {
  /** True while it serves the mesh. */
  readonly serves: boolean
  /** Whether others reach it; undefined as long as that was not found out. */
  readonly reachable: boolean | undefined
  /** What gateways say that they have opened for us. */
  readonly mapped: readonly MappedPort[]
  readonly nat: NatBehaviour & NatStatus & { readonly reflexive: readonly SocketAddress[] }
  readonly peers: readonly PeerStatus[]
  readonly drops: DropCounters
  /** What it does as a member relay; undefined where it is none. */
  readonly relay: RelayStatus | undefined
  /** How many member relays there are for it to ask. */
  readonly memberRelays: number
}

export function peerStatus(
  peer: Peer,
  sockets: readonly LocalSocket[],
  record: PeerRecord | undefined,
  now: Now,
): PeerStatus {
  const path = peer.agent.current
  const socket = path === undefined ? undefined : sockets.find(({ id }) => id === path.socket)
  return {
    publicKey: peer.key,
    state: peer.state,
    loopback: peer.loopback,
    path: path === undefined || socket === undefined ? undefined : { ...path, local: socket.address },
    mtu: peer.mtu.mtu,
    rxBytes: peer.flow.rxBytes,
    txBytes: peer.flow.txBytes,
    recordAgeMs: record === undefined ? undefined : elapsed(record.issuedAt, now.unix),
    reason: peer.reason,
    name: peer.name,
    signs: peer.roaming.signs.map(({ sign, decision, at }) => ({
      sign,
      decision,
      agoMs: elapsed(at, now.instant),
    })),
  }
}
