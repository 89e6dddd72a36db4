/**
 * Reading sealed records with nothing but their author's public key, as everybody can who knows it: attackers do, who know
 * their victims, and those who look at the simulation from outside.
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { Cryptography } from './cryptography.js'

/** The signed record inside; undefined where it is none of this author's. */
export type Unseal = (sealedRecord: Uint8Array, author: PublicKey) => Uint8Array | undefined

export function unsealing(
  cryptography: Pick<Cryptography, 'nodeKeys' | 'recordSealing'>,
  network: string,
): Unseal {
  // Whoever reads has keys of his own, which play no part in it.
  const sealing = cryptography.recordSealing(cryptography.nodeKeys(new Uint8Array(32).fill(1)), network)
  return (sealedRecord, author) => {
    const opened = sealing.open(sealedRecord, author)
    return isDropped(opened) ? undefined : opened.signedRecord
  }
}
