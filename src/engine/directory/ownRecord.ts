/**
 * Our own record: what it says, and when it is made anew. When it is published, publications.ts decides.
 *
 * A change of a reflexive *port* alone makes a new record for knocks, but no publication: mappings come and go.
 */

import type { Random } from '../../base/random.js'
import { after, asUnixTime, elapsed, HOUR, MINUTE, type Now, type UnixTime } from '../../base/time.js'
import type { NodeKeys } from '../../crypto/nodeKeys.js'
import { signRecord } from '../../crypto/signedRecord.js'
import type { ProvedAddress } from '../../wire/addressProof.js'
import type { Candidate } from '../../wire/candidate.js'
import { RECORD_SKEW } from '../../wire/period.js'
import {
  encodeRecord,
  MAX_CANDIDATES,
  MAX_MULTIADDRS,
  MAX_RECORD_LENGTH,
  type NatBehaviour,
  type PeerRecord,
  RECORD_SIGNATURE_LENGTH,
} from '../../wire/record.js'
import type { OwnSequence } from './ownSequence.js'

/** What a record says besides its times and names. */
export interface OwnContent {
  readonly candidates: readonly Candidate[]
  readonly multiaddrs: readonly string[]
  readonly nat: NatBehaviour
  /** What others may verify of where we are. */
  readonly provedAddress?: ProvedAddress
}

/** Who writes the record. */
export interface Author {
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  readonly sequence: OwnSequence
}

/** A node that is gone is forgotten by the mesh after this long; readers whose clock is ahead, a skew earlier. */
const LIFETIME_MS = 2 * HOUR + RECORD_SKEW

/** A record that says the same is signed anew after this long: no less often than it is published. */
const RENEW_MS = 8 * MINUTE

/** What a signed record has besides the record: two tags and lengths, of three and two bytes, and the signature. */
const SIGNED_OVERHEAD = 3 + 2 + RECORD_SIGNATURE_LENGTH

const NOTHING: OwnContent = {
  candidates: [],
  multiaddrs: [],
  nat: { mapping: 'unknown', filtering: 'unknown' },
}

export class OwnRecord {
  readonly #author: Author
  #content = NOTHING
  #signed: { readonly record: PeerRecord; readonly bytes: Uint8Array; readonly content: string } | undefined
  #version = 0
  #said = ''
  #published = publishedPart(NOTHING)

  constructor(author: Author) {
    this.#author = author
  }

  /** Changes with the candidates that the record names. */
  get version(): number {
    return this.#version
  }

  /** What must differ for a publication to be worth it. */
  get published(): string {
    return this.#published
  }

  /** What the record has to say now, as far as there is room. True where that is worth a publication. */
  describe(content: OwnContent): boolean {
    this.#content = this.#fitted(content)
    const said = JSON.stringify(this.#content.candidates)
    if (said !== this.#said) this.#version += 1
    this.#said = said
    const former = this.#published
    this.#published = publishedPart(this.#content)
    return this.#published !== former
  }

  /** What we said before is refused as old: what is signed from now on has a new number. */
  outdate(): void {
    this.#signed = undefined
  }

  /** The signed record as it is now. */
  signed(now: Now): Uint8Array {
    const content = JSON.stringify(this.#content)
    const known = this.#signed
    if (known?.content === content) {
      const age = elapsed(known.record.issuedAt, now.unix)
      if (age >= 0 && age < RENEW_MS) return known.bytes
    }
    const { keys, random, sequence } = this.#author
    const record = this.#recordOf(this.#content, sequence.next(now.unix), asUnixTime(Math.floor(now.unix)))
    const bytes = signRecord(record, keys, random)
    this.#signed = { record, bytes, content }
    return bytes
  }

  #recordOf(content: OwnContent, sequence: number, issuedAt: UnixTime): PeerRecord {
    const { keys, identity } = this.#author
    const expiresAt = after(issuedAt, LIFETIME_MS)
    return { publicKey: keys.publicKey, sequence, issuedAt, expiresAt, identity, ...content }
  }

  /** What there is room for. All proofs but the newest go first, then the last multiaddrs, then the last candidates: the first are worth most. */
  #fitted({ candidates, multiaddrs, nat, provedAddress }: OwnContent): OwnContent {
    const content = {
      candidates: candidates.slice(0, MAX_CANDIDATES),
      multiaddrs: multiaddrs.slice(0, MAX_MULTIADDRS),
      nat,
      ...(provedAddress === undefined
        ? {}
        : { provedAddress: { ...provedAddress, proofs: [...provedAddress.proofs] } }),
    }
    while (this.#lengthOf(content) > MAX_RECORD_LENGTH) {
      const { proofs = [] } = content.provedAddress ?? {}
      if (proofs.length > 1) proofs.pop()
      else if (content.multiaddrs.length > 0) content.multiaddrs.pop()
      else content.candidates.pop()
    }
    return content
  }

  /** Of the signed record; its numbers and times have a fixed length, unless they are zero. */
  #lengthOf(content: OwnContent): number {
    return encodeRecord(this.#recordOf(content, 1, asUnixTime(1))).length + SIGNED_OVERHEAD
  }
}

/** What must differ for a publication: everything but the ports of reflexive addresses. */
function publishedPart({ candidates, multiaddrs, nat }: OwnContent): string {
  const addresses = candidates.map(({ type, address }) =>
    type === 'server-reflexive' ? `${type} ${address.ip}` : `${type} ${address.ip} ${address.port}`,
  )
  return JSON.stringify([[...new Set(addresses)].sort(), [...multiaddrs].sort(), nat])
}
