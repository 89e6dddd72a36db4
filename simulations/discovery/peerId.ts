/** Peer ids as libp2p writes them, without libp2p: they stand in the multiaddrs of records. */

import { concat, toString as toText } from 'uint8arrays'

/** Multihash `identity` of 36 bytes: a protobuf with key type 1 (Ed25519) and a key of 32 bytes (libp2p's peer id specification). */
const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

/** The peer id of a raw Ed25519 public key of 32 bytes. */
export function peerIdText(identity: Uint8Array): string {
  return toText(multihashOf(identity), 'base58btc')
}

export function multihashOf(identity: Uint8Array): Uint8Array {
  return concat([PREFIX, identity])
}

/** An identity as a key of a Map. */
export function identityKey(identity: Uint8Array): string {
  return toText(identity, 'base64')
}
