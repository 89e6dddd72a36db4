/** Gives proofs to those who ask where they are, within what signing may cost. Beyond it they are answered without. */

import { senderBlock } from '../../base/address.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import { asUnixTime, type Now } from '../../base/time.js'
import { proveAddress } from '../../crypto/addressProof.js'
import type { IdentityKeys } from '../../crypto/identity.js'
import type { AddressProof } from '../../wire/addressProof.js'

/** A signature takes 50 µs. A node asks once in half an hour and from each of its addresses; many share a gateway's. */
const PROOFS = {
  each: { perSecond: 2, burst: 20 },
  all: { perSecond: 50, burst: 50 },
  maxSources: 4_096,
} as const

export class AddressProofDesk {
  readonly #keys: IdentityKeys
  readonly #limiter: SourceLimiter

  constructor(keys: IdentityKeys, { instant }: Now) {
    this.#keys = keys
    this.#limiter = new SourceLimiter(PROOFS, instant)
  }

  /** A proof that whoever goes by this name asked from `ip`; undefined beyond the limits. */
  give(ip: string, name: Uint8Array, { instant, unix }: Now): AddressProof | undefined {
    if (!this.#limiter.admit(senderBlock(ip), instant)) return undefined
    return proveAddress(this.#keys, ip, name, asUnixTime(Math.floor(unix)))
  }
}
