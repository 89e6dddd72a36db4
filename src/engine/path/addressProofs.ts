/**
 * Proofs of where we are, for our record: with what reflectors are asked anyway, those that the mesh told us of are asked
 * for a proof where we have none of them that is young.
 *
 *   question (name, padded) ─► answer (proof) ─► verified, kept ─► the record: the newest of each reflector, for one address
 *
 * The name is made of our key and a salt, and both change when we ask from elsewhere: who sees the questions cannot follow
 * us by it.
 */

import { equals } from 'uint8arrays'
import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../../base/address.js'
import { type Dropped, drop } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import { elapsed, type Instant, MINUTE } from '../../base/time.js'
import { proofName, verifiesAddress } from '../../crypto/addressProof.js'
import type { VerifyIdentity } from '../../crypto/identity.js'
import {
  type AddressProof,
  MAX_ADDRESS_PROOFS,
  PROOF_PADDING,
  PROOF_SALT_LENGTH,
  type ProvedAddress,
} from '../../wire/addressProof.js'
import { isPublishable } from '../../wire/publishedAddress.js'
import type { StunAttributes } from '../../wire/stun/attributes.js'
import type { Witness } from '../inputs.js'
import type { Route } from './path.js'

/** A proof counts for two hours, with clocks that are an hour and a half apart. */
const RENEW_MS = 30 * MINUTE

export interface AddressProofParts {
  readonly ownKey: PublicKey
  readonly random: Random
  readonly verify: VerifyIdentity
}

interface Kept {
  readonly proof: AddressProof
  readonly ip: string
  readonly at: Instant
}

export class AddressProofs {
  readonly #parts: AddressProofParts
  #witnesses: readonly Witness[] = []
  /** By the route of the question. */
  readonly #kept = new Map<string, Kept>()
  #asked: ReadonlySet<string> = new Set()
  #alias: { readonly salt: Uint8Array; readonly name: Uint8Array } | undefined = undefined

  constructor(parts: AddressProofParts) {
    this.#parts = parts
  }

  /** Who gives proofs, as the mesh tells now. */
  told(witnesses: readonly Witness[]): void {
    this.#witnesses = witnesses
  }

  /** These routes are asked from now on. Where none of them was before, we are elsewhere, under another name. */
  ask(routes: readonly Route[]): void {
    const names = new Set(routes.map(nameOf))
    for (const name of [...this.#kept.keys()]) if (!names.has(name)) this.#kept.delete(name)
    if (![...names].some((name) => this.#asked.has(name))) this.#alias = undefined
    this.#asked = names
  }

  /** What a question over this route says beside. */
  question(route: Route, now: Instant): Pick<StunAttributes, 'proofWanted' | 'padding'> {
    if (this.#witnessesAt(route.remote).length === 0) return {}
    const kept = this.#kept.get(nameOf(route))
    if (kept !== undefined && elapsed(kept.at, now) < RENEW_MS) return {}
    return { proofWanted: this.#own().name, padding: PROOF_PADDING }
  }

  /** An answer over this route saw us at `ip`. Dropped where the proof in it is wrong; the rest of the answer counts. */
  answered(
    route: Route,
    { ip }: SocketAddress,
    proof: AddressProof | undefined,
    now: Instant,
  ): Dropped | undefined {
    const name = nameOf(route)
    // The mapping is at another address now.
    if (this.#kept.get(name)?.ip !== ip) this.#kept.delete(name)
    if (proof === undefined) return undefined
    // No record may name it, so it is of no use.
    if (!isPublishable({ ip, port: 1 })) return drop('address-proof-bad')
    const isWitness = this.#witnessesAt(route.remote).some(({ identity }) => equals(identity, proof.signer))
    if (this.#alias === undefined || !isWitness) return drop('address-proof-bad')
    if (!verifiesAddress(proof, ip, this.#alias.name, this.#parts.verify)) return drop('address-proof-bad')
    this.#kept.set(name, { proof, ip, at: now })
    return undefined
  }

  /** For our record: of the first of these addresses that is proved, else of any. */
  proved(ips: readonly string[]): ProvedAddress | undefined {
    const all = [...this.#kept.values()].sort((a, b) => b.at - a.at)
    const ip = ips.find((each) => all.some((kept) => kept.ip === each)) ?? all[0]?.ip
    if (ip === undefined || this.#alias === undefined) return undefined
    const proofs: AddressProof[] = []
    for (const kept of all) {
      const isNews = !proofs.some(({ signer }) => equals(signer, kept.proof.signer))
      if (kept.ip === ip && isNews && proofs.length < MAX_ADDRESS_PROOFS) proofs.push(kept.proof)
    }
    return { ip, salt: this.#alias.salt, proofs }
  }

  #own(): { readonly salt: Uint8Array; readonly name: Uint8Array } {
    if (this.#alias === undefined) {
      const salt = this.#parts.random.bytes(PROOF_SALT_LENGTH)
      this.#alias = { salt, name: proofName(this.#parts.ownKey, salt) }
    }
    return this.#alias
  }

  /** Several, where one names another's address as its own: only that other's signature fits then. */
  #witnessesAt(remote: SocketAddress): readonly Witness[] {
    return this.#witnesses.filter(({ addresses }) =>
      addresses.some((address) => sameSocketAddress(address, remote)),
    )
  }
}

function nameOf({ socket, remote }: Route): string {
  return `${socket} ${formatSocketAddress(remote)}`
}
