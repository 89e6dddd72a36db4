/**
 * Carries out, for one peer, what its {@link Contact} decides: looks its record up, knocks on it over a stream, and by
 * gossip where no stream gets there.
 */

import type { PublicKey } from '../../base/publicKey.js'
import type { TokenBucket } from '../../base/rateLimit.js'
import { earliest, type Instant, type Now } from '../../base/time.js'
import { encodeKnock } from '../../wire/knock.js'
import type { PeerRecord } from '../../wire/record.js'
import type { Emit } from '../effects.js'
import { directIpOf } from '../path/plausible.js'
import type { Reflection } from '../path/reflection.js'
import { Contact } from './contact.js'
import type { Directory, KnownRecord } from './directory.js'
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
  readonly emit: Emit
  readonly log: (message: string) => void
  /** Whether an address that this record names may lead to its owner from here. */
  readonly isPlausible: (record: PeerRecord) => (ip: string) => boolean
}

export class Pursuit {
  readonly contact = new Contact()
  readonly #peer: PublicKey
  readonly #parts: PursuitParts
  readonly #fallback = new KnockFallback()

  constructor(peer: PublicKey, parts: PursuitParts) {
    this.#peer = peer
    this.#parts = parts
  }

  /** Does what is to be done now. */
  pursue(now: Now): void {
    const { means, reflection, log } = this.#parts
    const record = this.#known(now)
    const { lookUp, knock } = this.contact.pursue(
      {
        record,
        online: means.isOnline,
        ready: reflection.settled(now.instant),
        own: means.ownRecord.version,
      },
      now.instant,
    )
    if (lookUp) {
      log('looking its record up')
      means.lookUps.begin(this.#peer, now.unix)
    }
    if (knock !== undefined) {
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
    if (known === undefined && this.contact.isUnderWay) this.#fallback.wanted(now.instant)
  }

  knockAnswered(now: Instant): void {
    this.contact.knockAnswered(now)
    this.#fallback.answered()
  }

  knockFailed(why: string, now: Instant): void {
    this.contact.knockFailed(why, now)
    this.#fallback.failed(now)
  }

  /** True where an answer by gossip is the answer to a knock of ours. */
  awaitsAnswer(now: Instant): boolean {
    return this.#fallback.awaitsAnswer(now)
  }

  get nextWake(): Instant | undefined {
    const { nextWake } = this.contact
    return this.#parts.means.gossips ? earliest(nextWake, this.#fallback.nextWake) : nextWake
  }

  #known(now: Now): KnownRecord | undefined {
    return this.#parts.means.directory.get(this.#peer, now.unix)
  }

  #knock(record: PeerRecord, now: Now): void {
    const { means, emit, log } = this.#parts
    log('knocking')
    const knock = encodeKnock({ version: 1, signedRecord: means.ownRecord.signed(now) })
    emit({ type: 'knock', peer: this.#peer, ...this.#way(record), knock })
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
    const signedRecord = means.ownRecord.signed(now)
    const sealedKnock = means.sealedKnocks.seal(this.#peer, 'knock', signedRecord, now.unix)
    if (sealedKnock === undefined) return
    log('knocking by gossip')
    emit({ type: 'gossip-knock', sealedKnock })
  }
}
