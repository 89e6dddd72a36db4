/**
 * Which address of a peer is proved: reflectors that the mesh told us of say that the peer took their answers there, in
 * proofs that its record carries. A peer that names somebody else's address has none.
 *
 * A reflector counts from when we were told of it until many others were: both ends seldom know the same ones at a time.
 */

import { equals, toString as toText } from 'uint8arrays'
import { HOUR, type UnixTime } from '../../base/time.js'
import { proofName, verifiesAddress } from '../../crypto/addressProof.js'
import type { VerifyIdentity } from '../../crypto/identity.js'
import type { AddressProof } from '../../wire/addressProof.js'
import type { PeerRecord } from '../../wire/record.js'
import type { Witness } from '../inputs.js'

/** By our clock, before and after: renewed ones are much younger, and clocks may differ by as much. */
const VALID_MS = 2 * HOUR

/** A witness is a key of 32 bytes; the one named longest ago is forgotten first. */
const MAX_WITNESSES = 64

export class AddressWitnesses {
  readonly #verify: VerifyIdentity
  readonly #known = new Set<string>()
  /** Of each record, the proofs that are right, as far as the witnesses were known then. */
  readonly #verified = new WeakMap<
    PeerRecord,
    { readonly asOf: number; readonly proofs: readonly AddressProof[] }
  >()
  #version = 0

  constructor(verify: VerifyIdentity) {
    this.#verify = verify
  }

  /** The mesh tells of these now. */
  told(witnesses: readonly Witness[]): void {
    for (const { identity } of witnesses) {
      const name = toText(identity, 'base64')
      if (!this.#known.delete(name)) this.#version += 1
      this.#known.add(name)
    }
    for (const name of this.#known) {
      if (this.#known.size <= MAX_WITNESSES) break
      this.#known.delete(name)
      this.#version += 1
    }
  }

  /** Whether a known reflector says that the author of a record takes what is sent to `ip`. */
  prove(record: PeerRecord, ip: string, now: UnixTime): boolean {
    if (record.provedAddress?.ip !== ip) return false
    return this.#right(record).some(({ time }) => Math.abs(now - time) <= VALID_MS)
  }

  /** Signatures are verified once for a record, unless other reflectors are known by then. */
  #right(record: PeerRecord): readonly AddressProof[] {
    const known = this.#verified.get(record)
    if (known?.asOf === this.#version) return known.proofs
    const { provedAddress, publicKey, identity } = record
    if (provedAddress === undefined) return []
    const { ip, salt } = provedAddress
    const name = proofName(publicKey, salt)
    const proofs = provedAddress.proofs.filter(
      (proof) =>
        this.#known.has(toText(proof.signer, 'base64')) &&
        // Nobody is a witness in his own cause.
        !equals(proof.signer, identity) &&
        verifiesAddress(proof, ip, name, this.#verify),
    )
    this.#verified.set(record, { asOf: this.#version, proofs })
    return proofs
  }
}
