/** Libp2p identities: Ed25519 keys, as raw public keys of 32 bytes, and as the peer ids that libp2p writes. */

import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'

/** The identity that a node has whose key is made from this seed of 32 bytes. */
export async function identityOfSeed(seed: Uint8Array): Promise<Uint8Array> {
  const { publicKey } = await generateKeyPairFromSeed('Ed25519', seed)
  return publicKey.raw
}

/** The peer id of an identity. */
export function peerIdOfIdentity(identity: Uint8Array): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(identity))
}

/** The identity of a peer id as text; undefined for one of another kind of key. */
export function identityOfPeerId(text: string): Uint8Array | undefined {
  const peerId = peerIdFromString(text)
  return peerId.type === 'Ed25519' ? peerId.publicKey.raw : undefined
}

/** The identity of a peer that is known to have one. Throws TypeError for a peer id of another kind of key. */
export function identityOfPeer(peer: PeerId): Uint8Array {
  if (peer.type !== 'Ed25519') throw new TypeError('the identity is not an Ed25519 key')
  return peer.publicKey.raw
}
