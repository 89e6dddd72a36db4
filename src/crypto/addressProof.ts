/**
 * Giving and verifying address proofs: a reflector's libp2p identity (Ed25519) signs
 *
 * ```
 * "tunnelbore address proof v1\0" || time, u64 BE || name 16 || IP address 4 or 16
 *
 * name = the first 16 bytes of SHA-256("tunnelbore address proof name v1\0" || WireGuard public key 32 || salt 16)
 * ```
 *
 * Whoever forges its source never gets the answer. The name binds the proof to one node, so that nobody can pass it off as
 * his own; the reflector cannot tell from it whose it is, for the salt is in the node's record alone.
 */

import { createHash } from 'node:crypto'
import { concat, fromString } from 'uint8arrays'
import { ipToBytes } from '../base/address.js'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import type { UnixTime } from '../base/time.js'
import { type AddressProof, encodeProofTime, PROOF_NAME_LENGTH } from '../wire/addressProof.js'
import type { IdentityKeys, VerifyIdentity } from './identity.js'

/** What a node is called by those who prove its address: {@link PROOF_NAME_LENGTH} bytes. The salt has 16. */
export function proofName(publicKey: PublicKey, salt: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(NAME_LABEL).update(publicKeyBytes(publicKey)).update(salt)
  return new Uint8Array(hash.digest().subarray(0, PROOF_NAME_LENGTH))
}

/** That whoever goes by `name` (16 bytes) asked from `ip`. `time` is a whole millisecond. */
export function proveAddress(
  { identity, sign }: IdentityKeys,
  ip: string,
  name: Uint8Array,
  time: UnixTime,
): AddressProof {
  return { signer: identity, time, signature: sign(signedBytes(ip, name, time)) }
}

/** True where a proof is its signer's, of this address, for whoever goes by `name`. Its time is not judged. */
export function verifiesAddress(
  { signer, time, signature }: AddressProof,
  ip: string,
  name: Uint8Array,
  verify: VerifyIdentity,
): boolean {
  return verify(signer, signedBytes(ip, name, time), signature)
}

const LABEL = fromString('tunnelbore address proof v1\0')
const NAME_LABEL = fromString('tunnelbore address proof name v1\0')

function signedBytes(ip: string, name: Uint8Array, time: UnixTime): Uint8Array {
  return concat([LABEL, encodeProofTime(time), name, ipToBytes(ip)])
}
