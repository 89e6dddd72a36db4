/** What can happen to a node. The shell turns every event of the outside world into one of these. */

import type { Prefix, SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import type { UnixTime } from '../base/time.js'

/** Names one open UDP socket; never used again for another. */
export type SocketId = number

/**
 * What a UDP socket is for.
 * - `shared`: one a local address, all on one port: everything goes through it, and candidates are paired with it
 * - `punching`: opened for one effort of birthday punching, on a port of its own; it is a path's at most
 */
export type SocketPurpose = 'shared' | 'punching'

export interface LocalSocket {
  readonly id: SocketId
  readonly address: SocketAddress
  /** The network device that has the address. */
  readonly device: string
  readonly purpose: SocketPurpose
}

/** Names one session that we relay; never used again for another. */
export type RelaySessionId = number

/** One peer as WireGuard's interface has it. */
export interface InterfacePeer {
  readonly publicKey: PublicKey
  readonly endpoint: SocketAddress | undefined
  /** True where it has an endpoint that is link-local, and so means something on this machine only. */
  readonly isLinkLocal: boolean
  /** Absent where there never was a handshake. WireGuard tells whole seconds. */
  readonly latestHandshake: UnixTime | undefined
}

/** A route of the machine: by the longest prefix it is told whether a remote would be reached through the tunnel. */
export interface MachineRoute {
  readonly prefix: Prefix
  /** The device by which it leaves; undefined for one that leads nowhere. */
  readonly device: string | undefined
  /** True where it leaves by a WireGuard interface. */
  readonly tunnel: boolean
}

/** A node that passes on what two peers send each other, as the mesh offers it. */
export interface RelayOffer {
  /** Its libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  /** X25519, 32 bytes: what is asked of it is sealed to this. */
  readonly publicKey: Uint8Array
  /** Where it is asked: its reflectors. */
  readonly addresses: readonly SocketAddress[]
  /** 0, idle, to 255, full. */
  readonly load: number
}

/** What a probe of our reachability came to. */
export interface ReachabilityVerdict {
  /** Undefined where nobody could be asked, or nobody knew. */
  readonly reachable: boolean | undefined
  /** Who says so: the text of a server's peer id. */
  readonly server: string | undefined
  /** How many servers there are to ask, this one among them. */
  readonly servers: number
}

export type Input =
  /** The time that `nextWake` named has come, or any other time. */
  | { readonly type: 'woken' }
  /** A shared socket received a datagram. */
  | {
      readonly type: 'datagram-received'
      readonly socket: SocketId
      readonly remote: SocketAddress
      readonly datagram: Uint8Array
    }
  /** WireGuard sent a message to a peer's loopback endpoint, or to the catch-all one (`peer` undefined). */
  | { readonly type: 'wireguard-sent'; readonly peer: PublicKey | undefined; readonly datagram: Uint8Array }
  /** The interface was read: all its peers. */
  | { readonly type: 'interface-read'; readonly peers: readonly InterfacePeer[] }
  /** The sockets that are open now, shared and punching ones; those not named are closed. */
  | { readonly type: 'sockets-changed'; readonly sockets: readonly LocalSocket[] }
  | { readonly type: 'routes-read'; readonly routes: readonly MachineRoute[] }
  /** What the mesh says of us and offers us. */
  | {
      readonly type: 'mesh-changed'
      /** True where at least one node that serves the mesh is connected. */
      readonly connected: boolean
      /** Where libp2p reaches us, without the final `/p2p/…`; those through circuit relays included. */
      readonly multiaddrs: readonly string[]
      /** Where plain Binding requests are answered, in the order to prefer. */
      readonly reflectors: readonly SocketAddress[]
      /** Who passes on what two peers send each other. */
      readonly relays: readonly RelayOffer[]
      /** True where somebody hears what we gossip. */
      readonly gossips: boolean
    }
  /** A look-up yields a record, possibly several times, then ends. */
  | { readonly type: 'record-found'; readonly peer: PublicKey; readonly sealedRecord: Uint8Array }
  | { readonly type: 'look-up-ended'; readonly peer: PublicKey }
  /** A knock came in over libp2p; `from` is the sender's libp2p identity (raw Ed25519 key). */
  | {
      readonly type: 'knock-received'
      readonly id: number
      readonly from: Uint8Array
      readonly knock: Uint8Array
    }
  | { readonly type: 'knock-answered'; readonly peer: PublicKey; readonly answer: Uint8Array }
  | { readonly type: 'knock-failed'; readonly peer: PublicKey; readonly reason: string }
  /** Somebody's record came in by gossip. Its seal was verified; whose it is, its blinded key tells us at most. */
  | { readonly type: 'record-gossiped'; readonly sealedRecord: Uint8Array }
  /** A knock on somebody, or an answer to one, came in by gossip. */
  | { readonly type: 'knock-gossiped'; readonly sealedKnock: Uint8Array }
  /** The peer's loopback endpoint could not be opened. */
  | { readonly type: 'loopback-failed'; readonly peer: PublicKey }
  /** A publication ended; with no acknowledgement nobody holds the record. */
  | { readonly type: 'publication-ended'; readonly period: number; readonly acknowledgements: number }
  /** A probe of our reachability ended. */
  | ({ readonly type: 'reachability-probed' } & ReachabilityVerdict)
  /**
   * The ports of a session that we are to relay are open: one on each of the local addresses where that was possible, of
   * the order in which they were named.
   */
  | {
      readonly type: 'relay-opened'
      readonly session: RelaySessionId
      readonly addresses: readonly SocketAddress[]
    }
  /** No port of a session could be opened. */
  | { readonly type: 'relay-failed'; readonly session: RelaySessionId; readonly reason: string }
  /** A port of a session received what `relayTable` leaves to the node: a bind. `local` is the port's own IP. */
  | {
      readonly type: 'relay-datagram'
      readonly session: RelaySessionId
      readonly local: string
      readonly remote: SocketAddress
      readonly datagram: Uint8Array
    }
