/** What a node wants done. The shell does it, in this order, and decides nothing. */

import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import type { ProbeSource } from '../wire/udpProbe.js'
import type { RelaySessionId, SocketId, StreamRelay } from './inputs.js'
import type { MappingProtocol, MappingSite, PortToMap } from './path/mappedPort.js'

export type Effect =
  /** Send from a shared socket. */
  | {
      readonly type: 'send'
      readonly socket: SocketId
      readonly remote: SocketAddress
      readonly datagram: Uint8Array
    }
  /**
   * Open so many further sockets at a local address, for punching; each gets a port of its own, which no other has.
   * Answered by `sockets-changed`, also where fewer of them, or none, could be opened.
   */
  | { readonly type: 'open-sockets'; readonly ip: string; readonly count: number }
  /** Open a stream that stands in for UDP; answered by `sockets-changed` or `stream-failed`. */
  | { readonly type: 'open-stream'; readonly relay: StreamRelay }
  /** Close a punching socket, or a stream. The next `sockets-changed` is without it; none is due because of it. */
  | { readonly type: 'close-socket'; readonly id: SocketId }
  /**
   * Send from a shared socket in one packet that nobody may fragment on the way; answered by `too-large` where the
   * packet cannot even leave.
   */
  | {
      readonly type: 'send-unfragmented'
      readonly peer: PublicKey
      readonly socket: SocketId
      readonly remote: SocketAddress
      readonly datagram: Uint8Array
    }
  /** Hand a message to WireGuard from the peer's loopback endpoint. */
  | { readonly type: 'deliver'; readonly peer: PublicKey; readonly datagram: Uint8Array }
  | { readonly type: 'open-loopback'; readonly peer: PublicKey; readonly address: SocketAddress }
  | { readonly type: 'close-loopback'; readonly peer: PublicKey }
  /** Set the peer's endpoint in WireGuard. */
  | { readonly type: 'set-endpoint'; readonly peer: PublicKey; readonly endpoint: SocketAddress }
  /**
   * Look a peer's record up in the DHT, or our own, under these blinded keys at once; answered by `record-found` and
   * `look-up-ended`.
   */
  | { readonly type: 'look-up'; readonly peer: PublicKey; readonly keys: readonly Uint8Array[] }
  /** Knock over libp2p; answered by `knock-answered` or `knock-failed`. */
  | {
      readonly type: 'knock'
      readonly peer: PublicKey
      readonly identity: Uint8Array
      readonly multiaddrs: readonly string[]
      readonly knock: Uint8Array
      /** The same, sealed to the peer: a relay of its may pass it on, which takes no connection with the peer. */
      readonly sealedKnock?: Uint8Array
    }
  /** Answer a knock that was received, one that was passed on by a sealed answer; without an answer, just end it. */
  | { readonly type: 'answer-knock'; readonly id: number; readonly answer: Uint8Array | undefined }
  /** Tell the whole mesh; only the peer that it is for can read it. */
  | { readonly type: 'gossip-knock'; readonly sealedKnock: Uint8Array }
  /**
   * Store our own record for a period in the DHT; answered by `publication-ended`. The sequence is to be on disk before.
   */
  | {
      readonly type: 'publish'
      readonly period: number
      /** The blinded key. */
      readonly key: Uint8Array
      readonly sealedRecord: Uint8Array
      /** The highest that we ever used. */
      readonly sequence: number
      /** True where it is to be gossiped too: it says something new. */
      readonly gossip: boolean
    }
  /** Resolve the name of a host, to addresses of both families; answered by `name-resolved` or `name-failed`, in bounded time. */
  | { readonly type: 'resolve-name'; readonly name: string }
  /** Keep the newest record of a peer on disk; it comes back as one of `NodeOptions.remembered`. */
  | { readonly type: 'remember'; readonly peer: PublicKey; readonly signedRecord: Uint8Array }
  /** Ask a gateway which of these it speaks; answered by `gateway-answered`, each once, and `gateway-probed`. */
  | {
      readonly type: 'probe-gateway'
      readonly site: MappingSite
      readonly protocols: readonly MappingProtocol[]
    }
  /** Have a gateway open a port, or keep it open; answered by `port-mapped` or `port-mapping-failed`. */
  | { readonly type: 'map-port'; readonly port: PortToMap; readonly lifetimeMs: number }
  /** Have a gateway close a port, as far as it can be reached. */
  | { readonly type: 'unmap-port'; readonly port: PortToMap }
  /** Tell the mesh that libp2p's port is open at these addresses too; they replace those told before. */
  | { readonly type: 'announce-mapped'; readonly addresses: readonly SocketAddress[] }
  /** Ask others whether they reach us; answered by `reachability-probed`. */
  | { readonly type: 'probe-reachability' }
  /** Begin to serve the mesh (DHT, circuit relay, reflection), or stop. Not emitted for the role at the start. */
  | { readonly type: 'serve'; readonly serves: boolean }
  /**
   * Open a UDP port for a session that we relay on each of these local addresses, at most one a family; answered by
   * `relay-opened` or `relay-failed`. What arrives there goes to `relayTable`.
   */
  | { readonly type: 'open-relay'; readonly session: RelaySessionId; readonly ips: readonly string[] }
  /** Close the ports of a session, open or still to be opened. */
  | { readonly type: 'close-relay'; readonly session: RelaySessionId }
  /** Send from a session's port on the local address `local`. */
  | {
      readonly type: 'send-relay'
      readonly session: RelaySessionId
      readonly local: string
      readonly remote: SocketAddress
      readonly datagram: Uint8Array
    }
  /**
   * Open a UDP socket on a free port of this address, beside the shared ones; answered by `spare-socket-opened` or
   * `spare-socket-failed`. What it receives comes as `datagram-received`.
   */
  | { readonly type: 'open-spare-socket'; readonly ip: string }
  | { readonly type: 'close-spare-socket'; readonly socket: SocketId }
  /**
   * Ask a connected server to send a UDP probe to this port of ours, from its address `at`; answered by
   * `udp-probe-answered`.
   */
  | {
      readonly type: 'ask-udp-probe'
      readonly server: string
      readonly at: string
      readonly port: number
      readonly from: ProbeSource
      readonly nonce: Uint8Array
    }
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn'
      readonly message: string
      readonly fields: Readonly<Record<string, string | number>>
    }

/** Takes effects in the order in which they are to be done. */
export type Emit = (effect: Effect) => void
