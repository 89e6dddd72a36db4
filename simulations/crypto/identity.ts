/**
 * What identities sign in the simulation, with either cryptography: identities are bytes that were drawn, to which no
 * private key is known, so a keyed hash of the identity stands for Ed25519. Only its owner is handed what signs.
 */

import { equals } from 'uint8arrays'
import type { IdentityKeys, VerifyIdentity } from '../../src/crypto/identity.js'
import { identitySignatureOf } from './secrets.js'

/** For whoever is known by this identity. */
export function standInIdentity(identity: Uint8Array): IdentityKeys {
  return { identity, sign: (message) => identitySignatureOf(identity, message) }
}

/** Verifies what {@link standInIdentity} signs. */
export const verifyStandInIdentity: VerifyIdentity = (identity, message, signature) =>
  equals(identitySignatureOf(identity, message), signature)
