/**
 * What names a node's port mappings at its gateway (PCP's mapping nonce, RFC 6887 section 11.2). It is the same at each
 * start, so that a node takes over what a killed run of it left behind; who knows it could change the mappings.
 */

import { hkdfSync } from 'node:crypto'
import { fromString } from 'uint8arrays'

const LABEL = fromString('tunnelbore port mapping v1\0')
const NONCE_LENGTH = 12

/** 12 bytes. `seed` is the node's {@link NodeKeys.identitySeed}. */
export function mappingNonce(seed: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', seed, new Uint8Array(0), LABEL, NONCE_LENGTH))
}
