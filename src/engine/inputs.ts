/** What can happen to a node. The shell turns every event of the outside world into one of these. */

import type { Prefix, SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import type { UnixTime } from '../base/time.js'
import type { MappedTransport, MappingProtocol, MappingSite } from './path/mappedPort.js'

/** Names one open UDP socket; never used again for another. */
export type SocketId = number

/**
 * What a UDP socket is for.
 * - `shared`: one a local address, all on one port: everything goes through it, and candidates are paired with it
 * - `punching`: opened for one effort of birthday punching, on a port of its own; it is a path's at most
 * - `stream`: no UDP socket, but a stream that stands in for UDP, and reaches the ports of one relay
 * - `spare`: to find out about the NAT, on a port of its own; not among those of `sockets-changed`
 */
export type SocketPurpose = 'shared' | 'punching' | 'stream' | 'spare'

/** The relay to which a stream leads. */
export interface StreamRelay {
  /** Its libp2p identity: a raw Ed25519 key of 32 bytes. */
  readonly identity: Uint8Array
  /** The IP by which the relay's ports are called. */
  readonly ip: string
}

export interface LocalSocket {
  readonly id: SocketId
  readonly address: SocketAddress
  /** The network device that has the address. */
  readonly device: string
  readonly purpose: SocketPurpose
  /** Of a stream only. Its `address` is one of base/streamAddress.ts. */
  readonly relay?: StreamRelay
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
  /** The next hop; undefined where the destination is on the link. */
  readonly gateway?: string | undefined
}

/** A node that passes on what two peers send each other, as the mesh offers it. */
export interface RelayOffer {
  /** Its libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  /** X25519, 32 bytes: what is asked of it is sealed to this. */
  readonly publicKey: Uint8Array
  /** Where it is asked: its reflectors. */
  readonly addresses: readonly SocketAddress[]
  /** Those of `addresses` that nobody but the relay itself names: our connection does not lead there. None by default. */
  readonly claimed?: readonly SocketAddress[]
  /** 0, idle, to 255, full. */
  readonly load: number
}

/** A reflector that can prove where we are. */
export interface Witness {
  /** Its libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  /** Its reflectors. */
  readonly addresses: readonly SocketAddress[]
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

/** A connected server that sends UDP probes to those who ask. */
export interface UdpProber {
  /** The text of its peer id. */
  readonly server: string
  /** Where it reflects; the address is that of our direct connection to it. */
  readonly reflector: SocketAddress
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
  /**
   * The MTU of WireGuard's interface, in bytes. Told only where what is sent can be kept from being fragmented: without
   * it, no path is asked what it carries.
   */
  | { readonly type: 'mtu-read'; readonly device: string; readonly mtu: number }
  /** What was to be sent unfragmented is larger than the network device takes. */
  | {
      readonly type: 'too-large'
      readonly peer: PublicKey
      readonly socket: SocketId
      readonly remote: SocketAddress
      readonly size: number
    }
  /**
   * A router, or the peer's machine, says that a datagram to `remote` was not delivered (ICMP type 3 or 1): nobody has
   * the `port` open there, or the `host` cannot be reached. It is not authenticated.
   */
  | {
      readonly type: 'unreachable'
      readonly socket: SocketId
      readonly remote: SocketAddress
      readonly what: 'port' | 'host'
    }
  /** The sockets that are open now, of every purpose; those not named are closed. */
  | { readonly type: 'sockets-changed'; readonly sockets: readonly LocalSocket[] }
  /** A stream could not be opened. One that was opened is among the sockets, and no more when it has ended. */
  | { readonly type: 'stream-failed'; readonly relay: Uint8Array; readonly reason: string }
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
      /** Who of the reflectors can prove where one is; nobody where absent. */
      readonly witnesses?: readonly Witness[]
      /** Who sends UDP probes, in the order to prefer; nobody where absent. */
      readonly udpProbers?: readonly UdpProber[]
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
  | {
      readonly type: 'knock-answered'
      readonly peer: PublicKey
      readonly answer: Uint8Array
      /** True for one that was passed on, which is a sealed knock. */
      readonly sealed?: boolean
    }
  | {
      readonly type: 'knock-failed'
      readonly peer: PublicKey
      readonly reason: string
      /** True where its node took the knock, and ended without an answer. */
      readonly closed?: boolean
    }
  /** Somebody's record came in by gossip. Its seal was verified; whose it is, its blinded key tells us at most. */
  | { readonly type: 'record-gossiped'; readonly sealedRecord: Uint8Array }
  /** A knock on somebody, or an answer to one, came in by gossip. */
  | { readonly type: 'knock-gossiped'; readonly sealedKnock: Uint8Array }
  /** A name was resolved. */
  | {
      readonly type: 'name-resolved'
      readonly name: string
      readonly ips: readonly string[]
      /** For how long that is good; undefined where nobody said, as in a hosts file. */
      readonly ttlMs: number | undefined
    }
  | { readonly type: 'name-failed'; readonly name: string; readonly reason: string }
  /** A sealed knock was passed on to us by a relay of ours, which waits for the answer. */
  | { readonly type: 'knock-passed'; readonly id: number; readonly sealedKnock: Uint8Array }
  /** The peer's loopback endpoint could not be opened. */
  | { readonly type: 'loopback-failed'; readonly peer: PublicKey }
  /** A publication ended; with no acknowledgement nobody holds the record. */
  | { readonly type: 'publication-ended'; readonly period: number; readonly acknowledgements: number }
  /** A gateway speaks a protocol by which it opens ports. */
  | { readonly type: 'gateway-answered'; readonly site: MappingSite; readonly by: MappingProtocol }
  /** A probe of a gateway ended: all that were asked for have answered, or had their time. */
  | { readonly type: 'gateway-probed'; readonly site: MappingSite }
  /** A gateway says that it has opened a port of ours. */
  | {
      readonly type: 'port-mapped'
      readonly site: MappingSite
      readonly by: MappingProtocol
      readonly protocol: MappedTransport
      readonly internalPort: number
      readonly external: SocketAddress
      readonly lifetimeMs: number
    }
  /** It has not. `conflict`: somebody else has the outer port. */
  | {
      readonly type: 'port-mapping-failed'
      readonly site: MappingSite
      readonly by: MappingProtocol
      readonly protocol: MappedTransport
      readonly internalPort: number
      readonly reason: 'conflict' | 'refused' | 'silent'
      /** For people. */
      readonly detail: string
    }
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
  /** The spare socket that was asked for is open, on a port of its own; it is not one of the shared sockets. */
  | { readonly type: 'spare-socket-opened'; readonly socket: LocalSocket }
  | { readonly type: 'spare-socket-failed'; readonly ip: string }
  /**
   * What a server said to a request for a UDP probe: `ip` is where it was sent, undefined where it was not;
   * `otherPort` from which port, where that is not the server's usual one. The probe itself comes as a datagram.
   */
  | {
      readonly type: 'udp-probe-answered'
      readonly nonce: Uint8Array
      readonly ip: string | undefined
      readonly otherPort: number | undefined
    }
  /** Our address on the far side of the nearest gateway, as that gateway tells it over a port mapping protocol. */
  | { readonly type: 'external-address-told'; readonly ip: string | undefined }
