/**
 * What a node has to do with the mesh: which records it looks up, believes and keeps fresh, where its own is published,
 * who knocks, and what gossip brings.
 *
 *   record-found, record-gossiped ─► sealing ─► directory ─► the peer
 *   knock-received, -passed, -gossiped ─► knock door ─► directory ─► the peer; answered once we know where we are
 *   mesh-changed ─► publications, freshness: what is to be said, and to be asked
 */

import type { DropReason } from '../base/drops.js'
import { type Dropped, drop, isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import { forked, type Random } from '../base/random.js'
import { TokenBucket } from '../base/rateLimit.js'
import { earliest, type Instant, type Now } from '../base/time.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import type { PairKeys } from '../crypto/pair.js'
import type { RecordSealing } from '../crypto/sealedRecord.js'
import { openSignedRecord } from '../crypto/signedRecord.js'
import type { Candidate } from '../wire/candidate.js'
import { decodeKnockAnswer, type Knock, type RelayedSession } from '../wire/knock.js'
import { decodeSealedRecord } from '../wire/sealedRecord.js'
import type { OpenRecord } from './directory/admission.js'
import { BlindedKeys } from './directory/blindedKeys.js'
import { Directory } from './directory/directory.js'
import { Freshness } from './directory/freshness.js'
import { KnockDoor } from './directory/knockDoor.js'
import { LookUps } from './directory/lookUps.js'
import { OwnAppearance } from './directory/ownAppearance.js'
import type { OwnRecord } from './directory/ownRecord.js'
import type { Means } from './directory/pursuit.js'
import { type GossipedKnock, SealedKnocks } from './directory/sealedKnocks.js'
import type { Emit } from './effects.js'
import type { Input, LocalSocket } from './inputs.js'
import { Externals } from './loopback/externals.js'
import type { Takeover } from './loopback/takeover.js'
import type { Reflection } from './path/reflection.js'

/** Knocks that are gossiped on all peers together. Neighbours take as many as this of many such nodes. */
const GOSSIPED_KNOCKS = { perSecond: 0.5, burst: 10 } as const

export interface DiscoveryOptions {
  readonly keys: NodeKeys
  /** The libp2p identity: a raw Ed25519 public key. */
  readonly identity: Uint8Array
  readonly random: Random
  /** Seals our own records and opens those of peers. */
  readonly sealing: RecordSealing
  /** The highest sequence number that an earlier run published under; 0 for none. */
  readonly lastSequence: number
  /** Signed records of peers that an earlier run was told to remember: nothing older is believed. */
  readonly remembered?: readonly Uint8Array[]
  /** Opens signed records; by default as they are signed. A simulation may do it without the arithmetic. */
  readonly openRecord?: OpenRecord
}

/** What discovery tells a peer. */
export interface DiscoveredPeer {
  readonly key: PublicKey
  /** True where it was knocked on by gossip, and has not answered yet. */
  awaitsAnswer(now: Instant): boolean
  recordKnown(isNews: boolean, now: Now): void
  lookUpEnded(now: Now): void
  knocked(relayed: readonly RelayedSession[], now: Now): void
  knockAnswered(relayed: readonly RelayedSession[], now: Now): void
  /** Sessions at relays that the answer to its knock names; undefined while that had better wait for one. */
  relayedForAnswer(now: Instant): readonly RelayedSession[] | undefined
  /** `closed`: its node took the knock, and ended without an answer. */
  knockFailed(why: string, now: Now, closed?: boolean): void
  reclaimed(now: Now): void
  surroundingsChanged(now: Now): void
  settle(now: Now): void
}

export interface DiscoveryParts<Peer extends DiscoveredPeer> {
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
  readonly peers: ReadonlyMap<PublicKey, Peer>
  readonly takeover: Takeover
  readonly reflection: Reflection
}

/** What the mesh may tell a node. */
type MeshInput = Extract<
  Input,
  {
    readonly type:
      | 'mesh-changed'
      | 'record-found'
      | 'record-gossiped'
      | 'look-up-ended'
      | 'knock-received'
      | 'knock-gossiped'
      | 'knock-passed'
      | 'knock-answered'
      | 'knock-failed'
      | 'publication-ended'
  }
>

export class Discovery<Peer extends DiscoveredPeer> implements Means {
  readonly directory: Directory
  readonly lookUps: LookUps
  readonly sealedKnocks: SealedKnocks
  readonly gossipBudget: TokenBucket
  readonly #parts: DiscoveryParts<Peer>
  readonly #ownKey: PublicKey
  readonly #sealing: RecordSealing
  readonly #blindedKeys: BlindedKeys
  readonly #own: OwnAppearance
  readonly #freshness: Freshness
  readonly #externals = new Externals()
  readonly #knocks: KnockDoor
  #isOnline = false
  #gossips = false

  constructor(options: DiscoveryOptions, parts: DiscoveryParts<Peer>, now: Now) {
    const {
      keys,
      identity,
      random,
      sealing,
      lastSequence,
      remembered,
      openRecord = openSignedRecord,
    } = options
    const { emit } = parts
    this.#parts = parts
    this.#ownKey = keys.publicKey
    this.#sealing = sealing
    this.directory = new Directory({ emit, open: openRecord, remembered })
    this.#blindedKeys = new BlindedKeys(sealing)
    this.#blindedKeys.add(this.#ownKey, now.instant)
    this.lookUps = new LookUps(this.#blindedKeys, emit)
    this.sealedKnocks = new SealedKnocks(random)
    this.gossipBudget = new TokenBucket(GOSSIPED_KNOCKS.perSecond, GOSSIPED_KNOCKS.burst, now.instant)
    this.#knocks = new KnockDoor(this.directory, this.sealedKnocks, emit, now.instant)
    this.#freshness = new Freshness(
      forked(random),
      (peer, at) => this.directory.get(peer, at.unix)?.record,
      now.instant,
    )
    this.#own = new OwnAppearance(
      { keys, identity, random, sealing, lastSequence, open: openRecord, lookUps: this.lookUps, emit },
      now.instant,
    )
  }

  get ownRecord(): OwnRecord {
    return this.#own.record
  }

  /** True where a node that serves the mesh is connected. */
  get isOnline(): boolean {
    return this.#isOnline
  }

  /** True where somebody hears what we gossip. */
  get gossips(): boolean {
    return this.#gossips
  }

  add(peer: PublicKey, keys: PairKeys, now: Now): void {
    this.#blindedKeys.add(peer, now.instant)
    this.sealedKnocks.add(peer, keys)
  }

  remove(peer: PublicKey): void {
    this.#blindedKeys.remove(peer)
    this.sealedKnocks.remove(peer)
    this.#freshness.remove(peer)
    this.#externals.forget(peer)
    this.#knocks.forget(peer)
    this.directory.forget(peer)
  }

  /** Has a peer's record looked up in time: kept fresh, or where it is external now and then. */
  lookAfter({ key }: Peer, now: Now): void {
    const isExternal = this.#parts.takeover.isExternal(key)
    if (isExternal) this.#freshness.remove(key)
    else this.#freshness.add(key, now)
    if (this.#externals.isDue(key, isExternal, this.#isOnline, now.instant)) this.lookUps.begin(key, now.unix)
  }

  /** A peer that speaks to WireGuard's own port says that it runs Tunnelbore. */
  reclaim(peer: Peer, now: Now): void {
    const { takeover, emit } = this.#parts
    if (!takeover.reclaim(peer.key)) return
    this.lookAfter(peer, now)
    const message = 'a peer at a fixed endpoint runs Tunnelbore now'
    emit({ type: 'log', level: 'info', message, fields: { peer: peer.key } })
    peer.reclaimed(now)
  }

  socketsChanged(sockets: readonly LocalSocket[]): void {
    this.#own.sockets = sockets
  }

  /** Where gateways have opened our port. */
  setMapped(mapped: readonly Candidate[]): void {
    this.#own.mapped = mapped
  }

  /** Says of ourselves what is so now. */
  describe(now: Now): void {
    this.#own.describe(this.#parts.reflection.findings, now.instant)
  }

  handle(input: MeshInput, now: Now): void {
    switch (input.type) {
      case 'mesh-changed':
        this.#meshChanged(input, now)
        break
      case 'record-found':
        this.#recordFound(input.peer, input.sealedRecord, now)
        break
      case 'record-gossiped':
        this.#recordGossiped(input.sealedRecord, now)
        break
      case 'look-up-ended':
        this.#lookUpEnded(input.peer, now)
        break
      case 'knock-received':
        this.#knockReceived(input.id, input.from, input.knock, now)
        break
      case 'knock-gossiped':
        this.#sealedKnock(input.sealedKnock, undefined, now)
        break
      case 'knock-passed':
        this.#knockPassed(input, now)
        break
      case 'knock-answered':
        this.#knockAnswered(input, now)
        break
      case 'knock-failed':
        this.#parts.peers.get(input.peer)?.knockFailed(input.reason, now, input.closed)
        break
      case 'publication-ended':
        this.#own.publications.ended(input.period, input.acknowledgements, now)
        break
    }
  }

  /** Does what is due, and answers knocks once it is known where we are. */
  wake(now: Now): void {
    const { peers, reflection } = this.#parts
    if (this.#knocks.isAwaited && reflection.settled(now.instant)) {
      this.describe(now)
      const relayedFor = (peer: PublicKey) => {
        const known = peers.get(peer)
        return known === undefined ? [] : known.relayedForAnswer(now.instant)
      }
      this.#knocks.answer(this.ownRecord.signed(now), relayedFor, now)
    }
    this.#own.publications.wake(now)
    this.#blindedKeys.wake(now)
    const stale = this.#freshness.next(now.instant)
    if (stale !== undefined) this.lookUps.begin(stale, now.unix)
    const { nextWake } = this.#externals
    if (this.#isOnline && nextWake !== undefined && nextWake <= now.instant)
      for (const peer of peers.values()) this.lookAfter(peer, now)
  }

  get nextWake(): Instant | undefined {
    return [
      this.#own.publications.nextWake,
      this.#blindedKeys.nextWake,
      this.#freshness.nextWake,
      this.#isOnline ? this.#externals.nextWake : undefined,
    ].reduce(earliest, undefined)
  }

  #meshChanged(
    { connected, multiaddrs, reflectors, gossips }: Extract<Input, { type: 'mesh-changed' }>,
    now: Now,
  ): void {
    const joined = connected && !this.#isOnline
    this.#isOnline = connected
    this.#gossips = gossips
    this.#own.multiaddrs = multiaddrs
    this.#parts.reflection.change({ reflectors }, now.instant)
    this.describe(now)
    this.#own.publications.setOnline(connected, gossips, now)
    this.#freshness.setOnline(connected, now)
    this.#blindedKeys.want(gossips, now.instant)
    for (const peer of this.#parts.peers.values()) {
      if (joined) peer.surroundingsChanged(now)
      else peer.settle(now)
      this.lookAfter(peer, now)
    }
  }

  // Records

  #recordFound(author: PublicKey, sealedRecord: Uint8Array, now: Now): void {
    const opened = this.#sealing.open(sealedRecord, author)
    if (isDropped(opened)) {
      this.#parts.drop(opened.dropped)
      return
    }
    if (author === this.#ownKey) {
      this.#own.found(opened, now)
      return
    }
    const { peers } = this.#parts
    const accepted = this.directory.accept(
      opened.signedRecord,
      (key) => key === author && peers.has(key),
      now,
    )
    const peer = this.#heardOf(author, accepted, now)
    if (peer === undefined || isDropped(accepted)) return
    if (accepted.newer) this.reclaim(peer, now)
    peer.recordKnown(accepted.newer, now)
  }

  /** Most of what is gossiped is nobody's here. */
  #recordGossiped(sealedRecord: Uint8Array, now: Now): void {
    const sealed = decodeSealedRecord(sealedRecord)
    if (isDropped(sealed)) {
      this.#parts.drop(sealed.dropped)
      return
    }
    const author = this.#blindedKeys.find(sealed.blindedKey)
    if (author === undefined) this.#parts.drop('record-unknown-author')
    else this.#recordFound(author, sealedRecord, now)
  }

  #lookUpEnded(author: PublicKey, now: Now): void {
    this.lookUps.ended(author)
    if (author === this.#ownKey) this.#own.publications.lookedUp()
    else this.#parts.peers.get(author)?.lookUpEnded(now)
  }

  /** Counts a drop; or takes note of a record that was accepted, and returns whose it is. */
  #heardOf(author: PublicKey, accepted: object | Dropped, now: Now): Peer | undefined {
    if (isDropped(accepted)) {
      this.#parts.drop(accepted.dropped)
      return undefined
    }
    this.#freshness.recordKnown(author, now)
    return this.#parts.peers.get(author)
  }

  // Knocks

  #knockReceived(id: number, from: Uint8Array, bytes: Uint8Array, now: Now): void {
    const received = this.#knocks.receive(id, from, bytes, (key) => this.#parts.peers.has(key), now)
    if (isDropped(received)) this.#parts.drop(received.dropped)
    else this.#knocked(received.peer, received.knock, now)
  }

  /** One that was passed on waits for its answer, and is ended where there will be none. */
  #knockPassed({ id, sealedKnock }: Extract<Input, { type: 'knock-passed' }>, now: Now): void {
    if (!this.#sealedKnock(sealedKnock, id, now))
      this.#parts.emit({ type: 'answer-knock', id, answer: undefined })
  }

  /** True where it is a knock, and waits for its answer. */
  #sealedKnock(sealedKnock: Uint8Array, id: number | undefined, now: Now): boolean {
    const opened = this.#opened(sealedKnock, now)
    if (opened === undefined) return false
    const { peer, kind, knock } = opened
    if (kind === 'knock') {
      const dropped = this.#knocks.receiveSealed(opened, id, now)
      if (dropped === undefined) this.#knocked(peer, knock, now)
      else this.#parts.drop(dropped.dropped)
      return dropped === undefined
    }
    const isAsked = id === undefined && this.#parts.peers.get(peer)?.awaitsAnswer(now.instant) === true
    if (isAsked) this.#answerReceived(peer, knock, now)
    else this.#parts.drop('knock-unasked')
    return false
  }

  #opened(sealedKnock: Uint8Array, now: Now): GossipedKnock | undefined {
    const opened = this.sealedKnocks.open(sealedKnock, now.unix)
    if (!isDropped(opened)) return opened
    this.#parts.drop(opened.dropped)
    return undefined
  }

  #knocked(sender: PublicKey, { relayed = [] }: Knock, now: Now): void {
    const peer = this.#heardOf(sender, {}, now)
    if (peer === undefined) return
    this.reclaim(peer, now)
    this.#parts.reflection.renew(now.instant)
    peer.knocked(relayed, now)
  }

  #knockAnswered(input: Extract<Input, { type: 'knock-answered' }>, now: Now): void {
    const key = input.peer
    const peer = this.#parts.peers.get(key)
    if (peer === undefined) return
    const answer =
      input.sealed === true ? this.#sealedAnswer(key, input.answer, now) : decodeKnockAnswer(input.answer)
    if (isDropped(answer)) this.#parts.drop(answer.dropped)
    else if (this.#answerReceived(key, answer, now)) return
    peer.knockFailed('its answer was not usable', now)
  }

  #sealedAnswer(key: PublicKey, sealedKnock: Uint8Array, now: Now): Knock | Dropped {
    const opened = this.sealedKnocks.open(sealedKnock, now.unix)
    if (isDropped(opened)) return opened
    return opened.peer === key && opened.kind === 'answer' ? opened.knock : drop('knock-unasked')
  }

  /** True where the answer could be used. */
  #answerReceived(key: PublicKey, { signedRecord, relayed = [] }: Knock, now: Now): boolean {
    const accepted = this.directory.accept(signedRecord, (author) => author === key, now)
    const peer = this.#heardOf(key, accepted, now)
    if (peer === undefined) return false
    this.reclaim(peer, now)
    peer.knockAnswered(relayed, now)
    return true
  }
}
