/**
 * Reading sealed records with nothing but their author's public key, as everybody can who knows it: attackers do, who know
 * their victims, and those who look at the simulation from outside.
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import type { NodeKeys } from '../../src/crypto/nodeKeys.js'
import type { KnockCredentials } from '../../src/crypto/pair.js'
import { openKnock } from '../../src/crypto/sealedKnock.js'
import type { SealedKnockContent } from '../../src/wire/sealedKnock.js'
import type { Cryptography } from './cryptography.js'

/** What a gossiped knock says; undefined where it is none from the one to the other. */
export type UnsealKnock = (
  sealedKnock: Uint8Array,
  from: PublicKey,
  to: PublicKey,
) => SealedKnockContent | undefined

/** Reading gossiped knocks with the keys of those who make them, as only who looks from outside can. */
export function unsealingKnocks(keysOf: (publicKey: PublicKey) => NodeKeys | undefined): UnsealKnock {
  const known = new Map<string, KnockCredentials | undefined>()
  return (sealedKnock, from, to) => {
    const pair = `${from} ${to}`
    const credentials = known.has(pair) ? known.get(pair) : keysOf(from)?.pairKeys(to)?.knocks.outgoing
    known.set(pair, credentials)
    const content = credentials && openKnock(credentials, sealedKnock)
    return content === undefined || isDropped(content) ? undefined : content
  }
}

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
