/**
 * Carries out, for one peer, what its {@link Contact} decides: looks its record up, knocks on it over a stream, and by
 * gossip where no stream gets there.
 */

import { type Backoff, backoffMs } from '../../base/backoff.js'
import type { PublicKey } from '../../base/publicKey.js'
import type { TokenBucket } from '../../base/rateLimit.js'
import { after, earliest, type Instant, type Now, SECOND } from '../../base/time.js'
import { encodeKnock, type Knock, type RelayedSession } from '../../wire/knock.js'
import type { PeerRecord } from '../../wire/record.js'
import type { Emit } from '../effects.js'
import { directIpOf } from '../path/plausible.js'
import type { Reflection } from '../path/reflection.js'
import { Contact } from './contact.js'
import type { Directory, KnownRecord } from './directory.js'
import { Effort } from './effort.js'
import { KnockFallback } from './knockFallback.js'
import type { LookUps } from './lookUps.js'
import type { OwnRecord } from './ownRecord.js'
import type { SealedKnocks } from './sealedKnocks.js'

/** What of the mesh a pursuit needs. */
export interface Means {
  readonly directory: Directory
  readonly ownRecord: OwnRecord
  readonly lookUps: LookUps
  readonly sealedKnocks: SealedKnocks
  /** True where a node that serves the mesh is connected. */
  readonly isOnline: boolean
  /** True where somebody hears what we gossip. */
  readonly gossips: boolean
  /** Of gossiped knocks on all peers together: the whole mesh carries them. */
  readonly gossipBudget: TokenBucket
}

export interface PursuitParts {
  readonly means: Means
  readonly reflection: Reflection
  /** Sessions at relays, which knocks name. */
  readonly relaying: { readonly named: readonly RelayedSession[]; readonly news: number }
  readonly emit: Emit
  readonly log: (message: string) => void
  /** Whether an address that this record names may lead to its owner from here. */
  readonly isPlausible: (record: PeerRecord) => (ip: string) => boolean
}

/** Between knocks that only say where the two may meet at relays. */
const TELL_MS: Backoff = { first: 250, longest: 60 * SECOND, growth: 4 }

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class Pursuit {
  readonly contact = new Contact()
  /** For those who ask; nothing is decided by it. */
  readonly effort = new Effort()
  readonly #peer: PublicKey
  readonly #parts: PursuitParts
  readonly #fallback = new KnockFallback()
  /** What the last knock said of relays, and when the next one may leave for their sake alone. */
  #hasRecord = false
  #told = { news: 0, count: 0, nextAt: LONG_AGO }

  constructor(peer: PublicKey, parts: PursuitParts) {
    this.#peer = peer
    this.#parts = parts
  }

  /** Does what is to be done now. */
  pursue(now: Now): void {
    const { means, reflection, log } = this.#parts
    const record = this.#known(now)
    const steps = this.contact.pursue(
      {
        record,
        online: means.isOnline,
        ready: reflection.settled(now.instant),
        own: means.ownRecord.version,
      },
      now.instant,
    )
    if (steps.lookUp) {
      log('looking its record up')
      this.effort.lookUpBegun()
      means.lookUps.begin(this.#peer, now.unix)
    }
    const knock = steps.knock ?? this.#toTell(record?.record, now.instant)
    if (knock !== undefined) {
      this.effort.knockSent('stream', now.instant)
      this.#fallback.knocked(now.instant)
      this.#knock(knock, now)
    }
    // With nobody to ask for its record, none but those who hear gossip can tell the peer.
    if (record === undefined && !means.isOnline) this.#fallback.wanted(now.instant)
    this.#gossip(now)
  }

  /** Knocks although there is a path, with what is known of us by now: both are to look for a better one. */
  knock(now: Now): void {
    const record = this.#known(now)
    this.#parts.reflection.refresh(now.instant)
    if (record !== undefined) this.#knock(record.record, now)
  }

  /** There is a path. */
  succeed(): void {
    this.contact.succeed()
    this.effort.succeeded()
    this.#fallback.encourage()
  }

  /** There is news of the peer; see {@link Contact.heardOf}. */
  heardOf(hasMoved: boolean): void {
    if (this.contact.heardOf(hasMoved)) this.#fallback.encourage()
  }

  /** Something changed for the better. */
  encourage(): void {
    this.contact.encourage()
    this.#fallback.encourage()
  }

  lookUpEnded(now: Now): void {
    const known = this.#known(now)
    this.contact.lookUpEnded(known, now.instant)
    this.effort.lookUpEnded()
    if (known === undefined && this.contact.isUnderWay) this.#fallback.wanted(now.instant)
  }

  knockAnswered(now: Instant): void {
    this.contact.knockAnswered(now)
    this.effort.knockAnswered()
    this.#fallback.answered()
  }

  /** `closed`: its node took the knock, and ended without an answer. */
  knockFailed(why: string, closed: boolean, now: Instant): void {
    this.contact.knockFailed(why, now)
    this.effort.knockFailed(why, closed)
    this.#fallback.failed(now)
  }

  /** True where an answer by gossip is the answer to a knock of ours. */
  awaitsAnswer(now: Instant): boolean {
    return this.#fallback.awaitsAnswer(now)
  }

  get nextWake(): Instant | undefined {
    const { relaying, means } = this.#parts
    const isToTell = this.#hasRecord && means.isOnline && relaying.news !== this.#told.news
    const nextWake = earliest(this.contact.nextWake, isToTell ? this.#told.nextAt : undefined)
    return means.gossips ? earliest(nextWake, this.#fallback.nextWake) : nextWake
  }

  /** The record to knock on because a relay granted a session that the peer does not know of. */
  #toTell(record: PeerRecord | undefined, now: Instant): PeerRecord | undefined {
    this.#hasRecord = record !== undefined
    const { relaying, means } = this.#parts
    if (relaying.news === this.#told.news || !means.isOnline || now < this.#told.nextAt) return undefined
    if (record !== undefined) this.contact.knockedBeside(record)
    return record
  }

  /** A knock leaves, and says all there is to say of relays. */
  #tells(now: Instant): void {
    const { news, nextAt } = this.#told
    // One that says nothing of relays keeps none waiting that does.
    if (news === this.#parts.relaying.news) return
    // After a long pause the next one may follow soon.
    const count = now >= after(nextAt, TELL_MS.longest) ? 0 : this.#told.count
    this.#told = {
      news: this.#parts.relaying.news,
      count: count + 1,
      nextAt: after(now, backoffMs(TELL_MS, count)),
    }
  }

  #ownKnock(now: Now): Knock {
    const { means, relaying } = this.#parts
    return { version: 1, signedRecord: means.ownRecord.signed(now), relayed: relaying.named }
  }

  #known(now: Now): KnownRecord | undefined {
    return this.#parts.means.directory.get(this.#peer, now.unix)
  }

  #knock(record: PeerRecord, now: Now): void {
    const { emit, log } = this.#parts
    log('knocking')
    this.#tells(now.instant)
    const own = this.#ownKnock(now)
    const sealedKnock = this.#parts.means.sealedKnocks.seal(this.#peer, 'knock', own, now.unix)
    emit({
      type: 'knock',
      peer: this.#peer,
      ...this.#way(record),
      knock: encodeKnock(own),
      ...(sealedKnock === undefined ? {} : { sealedKnock }),
    })
  }

  /** Where libp2p may reach the owner of a record. */
  #way(record: PeerRecord): { readonly identity: Uint8Array; readonly multiaddrs: readonly string[] } {
    const isPlausible = this.#parts.isPlausible(record)
    const multiaddrs = record.multiaddrs.filter((multiaddr) => {
      const ip = directIpOf(multiaddr)
      return ip === undefined || isPlausible(ip)
    })
    return { identity: record.identity, multiaddrs }
  }

  /** No stream got to the peer, or not soon: whoever hears gossip passes the knock on. */
  #gossip(now: Now): void {
    const { means, emit, log } = this.#parts
    if (!this.contact.isUnderWay) this.#fallback.settle()
    // Whoever has just moved is not heard for a moment: the knock waits for that.
    if (!means.gossips) return
    if (!this.#fallback.wake(now.instant) || !means.gossipBudget.take(now.instant)) return
    const sealedKnock = means.sealedKnocks.seal(this.#peer, 'knock', this.#ownKnock(now), now.unix)
    if (sealedKnock === undefined) return
    log('knocking by gossip')
    this.effort.knockSent('gossip', now.instant)
    emit({ type: 'gossip-knock', sealedKnock })
  }
}
