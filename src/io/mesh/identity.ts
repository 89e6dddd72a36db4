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
