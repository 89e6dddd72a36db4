/** What a node wants done. The shell does it, in this order, and decides nothing. */

import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import type { SocketId } from './inputs.js'

export type Effect =
  /** Send from a shared socket. */
  | {
      readonly type: 'send'
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
  /** Look the peer's record up in the DHT; answered by `record-found` and `look-up-ended`. */
  | { readonly type: 'look-up'; readonly peer: PublicKey }
  /** Knock over libp2p; answered by `knock-answered` or `knock-failed`. */
  | {
      readonly type: 'knock'
      readonly peer: PublicKey
      readonly identity: Uint8Array
      readonly multiaddrs: readonly string[]
      readonly knock: Uint8Array
    }
  /** Answer a knock that was received; without an answer, just end it. */
  | { readonly type: 'answer-knock'; readonly id: number; readonly answer: Uint8Array | undefined }
  /** Store our own record in the DHT; answered by `publication-ended`. */
  | { readonly type: 'publish'; readonly signedRecord: Uint8Array; readonly sequence: number }
  /** Ask others whether they reach us; answered by `reachability-probed`. */
  | { readonly type: 'probe-reachability' }
  /** Begin to serve the mesh (DHT, circuit relay, reflection), or stop. Not emitted for the role at the start. */
  | { readonly type: 'serve'; readonly serves: boolean }
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn'
      readonly message: string
      readonly fields: Readonly<Record<string, string | number>>
    }

/** Takes effects in the order in which they are to be done. */
export type Emit = (effect: Effect) => void
