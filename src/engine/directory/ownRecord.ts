/**
 * Our own record: what it says, when it is made anew, when it is published.
 *
 * A sequence number is max(last + 1, the time in ms), so an author who lost his disk is ahead of his own old records by
 * himself. One further ahead of the time than readers admit was believed by nobody, and does not count as the last.
 * A change of a reflexive *port* alone makes a new record for knocks, but no publication: mappings come and go.
 */

import { backoffMs } from '../../base/backoff.js'
import type { Random } from '../../base/random.js'
import {
  after,
  asUnixTime,
  earliest,
  elapsed,
  HOUR,
  type Instant,
  MINUTE,
  type Now,
  SECOND,
} from '../../base/time.js'
import type { NodeKeys } from '../../crypto/nodeKeys.js'
import { signRecord } from '../../crypto/signedRecord.js'
import type { Candidate } from '../../wire/candidate.js'
import { MAX_CANDIDATES, MAX_MULTIADDRS, type NatBehaviour, type PeerRecord } from '../../wire/record.js'
import type { Emit } from '../effects.js'
import { RECORD_SKEW_MS } from './admission.js'

/** What a record says besides its times and names. */
export interface OwnContent {
  readonly candidates: readonly Candidate[]
  readonly multiaddrs: readonly string[]
  readonly nat: NatBehaviour
}

/** Who writes the record. */
export interface Author {
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  /** The highest sequence number of an earlier run; 0 for none. */
  readonly lastSequence: number
}

/** A node that is gone is forgotten by the mesh after this long; readers whose clock is ahead, a skew earlier. */
const LIFETIME_MS = 2 * HOUR + RECORD_SKEW_MS

/** Storers come and go, and kad-dht never republishes. */
const REPUBLISH_MS = 10 * MINUTE

/** Changes that come together, as at start, are published together. */
const DEBOUNCE_MS = 100

const RETRY_MS = { first: 500, longest: 30 * SECOND } as const

type Publication =
  /** Nobody to publish to. */
  | { readonly name: 'offline' }
  | { readonly name: 'due'; readonly at: Instant; readonly failures: number }
  | { readonly name: 'under-way'; readonly failures: number; readonly changed: boolean }
  | { readonly name: 'done'; readonly at: Instant }

export class OwnRecord {
  readonly #author: Author
  readonly #emit: Emit
  #content: OwnContent = { candidates: [], multiaddrs: [], nat: { mapping: 'unknown', filtering: 'unknown' } }
  #signed: { readonly record: PeerRecord; readonly bytes: Uint8Array; readonly content: string } | undefined
  #sequence: number
  #version = 0
  #said = ''
  #published: string
  #publication: Publication = { name: 'offline' }

  constructor(author: Author, emit: Emit) {
    this.#author = author
    this.#sequence = author.lastSequence
    this.#published = publishedPart(this.#content)
    this.#emit = emit
  }

  /** Changes with the candidates that the record names. */
  get version(): number {
    return this.#version
  }

  /** What the record has to say now. */
  describe(content: OwnContent, now: Instant): void {
    this.#content = {
      candidates: content.candidates.slice(0, MAX_CANDIDATES),
      multiaddrs: content.multiaddrs.slice(0, MAX_MULTIADDRS),
      nat: content.nat,
    }
    const said = JSON.stringify(this.#content.candidates)
    if (said !== this.#said) this.#version += 1
    this.#said = said
    const published = publishedPart(this.#content)
    if (published !== this.#published) this.#publishSoon(now)
    this.#published = published
  }

  /** Whether there is anybody to publish to. Whoever has just joined a mesh publishes. */
  setOnline(online: boolean, now: Instant): void {
    if (!online) this.#publication = { name: 'offline' }
    else if (this.#publication.name === 'offline') this.#publication = { name: 'due', at: now, failures: 0 }
  }

  /** The signed record as it is now, for a knock or an answer to one. */
  signed(now: Now): Uint8Array {
    const content = JSON.stringify(this.#content)
    const known = this.#signed
    if (known?.content === content) {
      const age = elapsed(known.record.issuedAt, now.unix)
      if (age >= 0 && age < REPUBLISH_MS) return known.bytes
    }
    const believable = this.#sequence < now.unix + RECORD_SKEW_MS
    this.#sequence = Math.max(believable ? this.#sequence + 1 : 0, Math.floor(now.unix))
    const { keys, identity, random } = this.#author
    const issuedAt = asUnixTime(Math.floor(now.unix))
    const record: PeerRecord = {
      publicKey: keys.publicKey,
      sequence: this.#sequence,
      issuedAt,
      expiresAt: after(issuedAt, LIFETIME_MS),
      identity,
      ...this.#content,
    }
    const bytes = signRecord(record, keys, random)
    this.#signed = { record, bytes, content }
    return bytes
  }

  publicationEnded(acknowledgements: number, now: Instant): void {
    const former = this.#publication
    if (former.name !== 'under-way') return
    if (acknowledgements === 0) {
      const wait = backoffMs(RETRY_MS, former.failures)
      this.#publication = { name: 'due', at: after(now, wait), failures: former.failures + 1 }
    } else if (former.changed) {
      this.#publication = { name: 'due', at: after(now, DEBOUNCE_MS), failures: 0 }
    } else {
      this.#publication = { name: 'done', at: now }
    }
  }

  wake(now: Now): void {
    const due = this.#dueAt
    if (due === undefined || due > now.instant) return
    const failures = this.#publication.name === 'due' ? this.#publication.failures : 0
    this.#publication = { name: 'under-way', failures, changed: false }
    const signedRecord = this.signed(now)
    this.#emit({ type: 'publish', signedRecord, sequence: this.#sequence })
  }

  get nextWake(): Instant | undefined {
    return this.#dueAt
  }

  get #dueAt(): Instant | undefined {
    switch (this.#publication.name) {
      case 'due':
        return this.#publication.at
      case 'done':
        return after(this.#publication.at, REPUBLISH_MS)
      default:
        return undefined
    }
  }

  #publishSoon(now: Instant): void {
    const former = this.#publication
    if (former.name === 'done') {
      this.#publication = { name: 'due', at: after(now, DEBOUNCE_MS), failures: 0 }
    } else if (former.name === 'under-way') {
      this.#publication = { ...former, changed: true }
    } else if (former.name === 'due') {
      this.#publication = { ...former, at: earliest(former.at, after(now, DEBOUNCE_MS)) ?? former.at }
    }
  }
}

/** What must differ for a publication: everything but the ports of reflexive addresses. */
function publishedPart({ candidates, multiaddrs, nat }: OwnContent): string {
  const addresses = candidates.map(({ type, address }) =>
    type === 'server-reflexive' ? `${type} ${address.ip}` : `${type} ${address.ip} ${address.port}`,
  )
  return JSON.stringify([[...new Set(addresses)].sort(), [...multiaddrs].sort(), nat])
}
