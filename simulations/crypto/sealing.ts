/**
 * What sealing records is made of in the stand-in: src/crypto/sealedRecord.ts with keyed hashes in place of HKDF, of
 * blinding and of ChaCha20-Poly1305.
 *
 * ```
 *   parameter   = mix(A, blinding-parameter, network; the period as the number)
 *   content key = mix(A, sealed-content, salt || blinded key || network)
 * ```
 */

import { concat, fromString } from 'uint8arrays'
import { type PublicKey, publicKeyBytes } from '../../src/base/publicKey.js'
import type { SealingPrimitives, VerifyBlinded } from '../../src/crypto/sealedRecord.js'
import { edwardsPoint } from '../../src/crypto/xeddsa.js'
import type { SealedRecordHead } from '../../src/wire/sealedRecord.js'
import { mix } from './mixing.js'
import { blindedKeyOf, PURPOSE, seal, unseal } from './secrets.js'

/** `owned` are public keys that are known to be somebody's: the others are tried in earnest. */
export function standInPrimitives(
  network: string,
  owned: ReadonlySet<PublicKey>,
  verify: VerifyBlinded,
): SealingPrimitives {
  const name = fromString(network)
  const contentKey = (author: PublicKey, { blindedKey, salt }: SealedRecordHead) =>
    mix(publicKeyBytes(author), PURPOSE.sealedContent, concat([salt, blindedKey, name]), 32)
  return {
    blindingParameter: (author, period) =>
      mix(publicKeyBytes(author), PURPOSE.blindingParameter, name, 32, period),
    blind(author, parameter) {
      const bytes = publicKeyBytes(author)
      if (!owned.has(author) && edwardsPoint(bytes) === undefined) return undefined
      return blindedKeyOf(bytes, parameter)
    },
    sealContent: (author, head, content, associated) => seal(contentKey(author, head), content, associated),
    openContent: (author, head, sealedContent, associated) =>
      unseal(contentKey(author, head), sealedContent, associated),
    verify,
  }
}
