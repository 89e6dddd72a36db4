/**
 * What a node tells of itself, as `status --json` and `resolve --json` print it. Ages and durations are in seconds,
 * round trips in milliseconds. What is not known, or is not there, is null, so that every key is always present.
 */

import { formatSocketAddress } from '../base/address.js'
import type { DropReason } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import type { UnixTime } from '../base/time.js'
import type { MappedTransport, MappingProtocol, MappingVerdict } from '../engine/path/mappedPort.js'
import type { Decision, Sign } from '../engine/roam/signs.js'
import type { CandidateType } from '../wire/candidate.js'
import type { NatBehaviour, NatFiltering, NatMapping, PeerRecord } from '../wire/record.js'

/**
 * - `idle`: nothing is sent to it, so nothing is done
 * - `resolving`: its record is looked up
 * - `punching`: candidates are checked
 * - `direct`: packets go straight to it
 * - `relayed`: packets go through a member relay
 * - `unreachable`: everything was tried; `reason` says what failed
 * - `external`: it speaks to WireGuard's own port and is left alone
 */
export type PeerState = 'idle' | 'resolving' | 'punching' | 'direct' | 'relayed' | 'unreachable' | 'external'

/** The path that packets take to a peer. */
export interface PathStatus {
  /** The type of the remote candidate. */
  readonly type: CandidateType
  /** Our end, `ip:port`. */
  readonly local: string
  /** The other end, `ip:port`. */
  readonly remote: string
  readonly rttMs: number | null
  /** Since when it is in use. */
  readonly sinceS: number
  /**
   * The largest MTU of the interface whose packets it carries whole; at most the one that the interface has. Null
   * where that was not found out.
   */
  readonly mtu: number | null
}

export interface PeerStatus {
  readonly publicKey: PublicKey
  readonly state: PeerState
  /** The loopback endpoint, `ip:port`; null for an external peer. */
  readonly loopback: string | null
  readonly path: PathStatus | null
  /** Bytes of WireGuard's packets that passed through this node, each way. */
  readonly rxBytes: number
  readonly txBytes: number
  /** Since the peer's record was issued. */
  readonly recordAgeS: number | null
  /** As WireGuard tells it. */
  readonly lastHandshakeS: number | null
  /** One line: why the peer is in this state. */
  readonly reason: string | null
  /** The name that was given for it with `--peer`; null where none was. */
  readonly name: NameStatus | null
  /** The last signs that a path may be dead, or somebody elsewhere, and what was decided; the oldest first. */
  readonly signs: readonly SignStatus[]
}

/** A name that stands for a peer's record. */
export interface NameStatus {
  /** `<host>:<port>`. */
  readonly name: string
  /** Where it leads, `ip:port`, in the order in which they are tried. */
  readonly addresses: readonly string[]
  /** Since it was resolved; null where it never was, or is an address. */
  readonly resolvedAgoS: number | null
  /** Until it is resolved again; null where nothing asks for that. */
  readonly againInS: number | null
  /** Why it could not be resolved the last time; null where it could. */
  readonly failure: string | null
}

export interface SignStatus {
  readonly sign: Sign
  readonly decision: Decision
  readonly agoS: number
}

/** A known node that was given with `--bootstrap`. */
export interface BootstrapStatus {
  readonly multiaddr: string
  readonly connected: boolean
  /** Why the last attempt failed; absent when none did. */
  readonly lastError?: string
  /** Until it is tried again; absent while it is connected or tried. */
  readonly nextTryInS?: number
}

export interface NatStatus {
  readonly mapping: NatMapping
  readonly filtering: NatFiltering
  /** Whether the outer port is the inner one. */
  readonly portPreserving: boolean | null
  /** Whether what is sent to our own outer address comes back. */
  readonly hairpinning: boolean | null
  /** A mapping that rests lives at least so long. */
  readonly lifetimeS: number | null
  /** Whether there is another NAT above the nearest gateway. */
  readonly secondNat: boolean | null
  /** False where no UDP gets out. */
  readonly udp: boolean | null
  /** Our addresses as reflectors see them, `ip:port`. */
  readonly reflexive: readonly string[]
}

/** What the node does as a member relay, for pairs that cannot meet. */
export interface RelayStatus {
  /** At this time, and at most. */
  readonly sessions: number
  readonly maxSessions: number
  /** Sessions that were given, and requests that were refused with a reason, since the start. */
  readonly granted: number
  readonly refused: number
  /** What was passed on since the start. */
  readonly datagrams: number
  readonly bytes: number
}

export interface MeshStatus {
  /** False with `--no-mesh`. */
  readonly enabled: boolean
  /** Connected nodes that serve. */
  readonly servers: number
  /** At how many circuit relays there is a reservation, through which others reach us. */
  readonly relays: number
  /** How many member relays pass packets on for us where that is needed; those that we may ask, and have a way to. */
  readonly memberRelays: number
  /** True with a network key: then all members may be relays; in an open network only peers. */
  readonly closed: boolean
}

/** A port that a gateway says it has opened. */
export interface MappedStatus {
  readonly protocol: MappedTransport
  readonly by: MappingProtocol
  /** Ours, `ip:port`. */
  readonly internal: string
  /** The gateway's, `ip:port`. */
  readonly external: string
  /** Others are told only of what is `believed`; `second-nat`: others see us elsewhere. */
  readonly verdict: MappingVerdict
}

export interface Status {
  /** Null for a bootstrap node. */
  readonly interface: string | null
  /** Null for a bootstrap node. */
  readonly publicKey: PublicKey | null
  readonly peerId: string
  /** Our libp2p addresses, each with the final `/p2p/…`. */
  readonly addresses: readonly string[]
  /** Null until it is found out. */
  readonly reachable: boolean | null
  readonly nat: NatStatus
  readonly mesh: MeshStatus
  /** Ports that gateways have opened. */
  readonly mapped: readonly MappedStatus[]
  /** Of the interface; null for a bootstrap node, and where it cannot be read. */
  readonly mtu: number | null
  /** What is to be mended, each with how: one line. */
  readonly warnings: readonly string[]
  readonly peers: readonly PeerStatus[]
  readonly drops: Readonly<Partial<Record<DropReason, number>>>
  /** Null for a node that relays for nobody, whether it serves the mesh or not (`--no-relay`). */
  readonly relay: RelayStatus | null
  readonly bootstrap: readonly BootstrapStatus[]
  readonly network: string
  readonly version: string
  readonly uptimeS: number
}

/** A record that was looked up, verified and opened. */
export interface ResolvedRecord {
  readonly publicKey: PublicKey
  readonly peerId: string
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly issuedAt: string
  /** ISO 8601, UTC. */
  readonly expiresAt: string
  readonly candidates: readonly { readonly type: CandidateType; readonly address: string }[]
  /** Its libp2p addresses, each with the final `/p2p/…`. */
  readonly addresses: readonly string[]
  readonly nat: NatBehaviour
}

/** A record for people and programs. `peerId` is the text of the record's libp2p identity. */
export function resolvedRecord(record: PeerRecord, peerId: string): ResolvedRecord {
  return {
    publicKey: record.publicKey,
    peerId,
    sequence: record.sequence,
    issuedAt: isoTime(record.issuedAt),
    expiresAt: isoTime(record.expiresAt),
    candidates: record.candidates.map(({ type, address }) => ({
      type,
      address: formatSocketAddress(address),
    })),
    addresses: record.multiaddrs.map((address) => `${address}/p2p/${peerId}`),
    nat: record.nat,
  }
}

function isoTime(time: UnixTime): string {
  return new Date(time).toISOString()
}
