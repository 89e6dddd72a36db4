/**
 * A mesh that is as simple as one can be: a server in the middle of the internet stores records and passes knocks on, and
 * all members are equally far away. A look-up takes a round trip to it; a knock passes through it, and so does the answer.
 */

import { equals, fromString } from 'uint8arrays'
import { realCryptography } from '../../simulations/crypto/cryptography.js'
import { unsealing } from '../../simulations/crypto/unsealing.js'
import type { Member } from '../../simulations/discovery/member.js'
import { type RecordName, RecordNames, recordName } from '../../simulations/discovery/recordNames.js'
import { SHARED_PORT } from '../../simulations/hosts/engineLoop.js'
import { NETWORK } from '../../simulations/hosts/machine.js'
import type { MeshAccess } from '../../simulations/hosts/meshAccess.js'
import type { EventQueue } from '../../simulations/network/eventQueue.js'
import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import { admitStoredRecord, recordKey } from '../../src/engine/directory/admission.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input, RelayOffer, Witness } from '../../src/engine/inputs.js'
import { periodOf } from '../../src/wire/period.js'

const KNOCK_DEADLINE_MS = 4 * SECOND
const LOOK_UP_DEADLINE_MS = 5 * SECOND

type KnockEffect = Extract<Effect, { readonly type: 'knock' }>
type PublishEffect = Extract<Effect, { readonly type: 'publish' }>

const unseal = unsealing(realCryptography, NETWORK)

/** What goes wrong, as a test wants it. */
export interface MeshFaults {
  /** What a look-up gives: some sealed records, or `lost` for no answer before the deadline. */
  lookUp?: (asker: PublicKey, peer: PublicKey) => readonly Uint8Array[] | 'lost'
  /** True for a knock that never arrives. */
  losesKnock?: (from: PublicKey, to: PublicKey) => boolean
}

export interface OneServerMeshOptions {
  readonly queue: EventQueue
  /** From each member to the server, one way. */
  readonly delayMs: number
  /** What members are told of where plain Binding requests are answered. */
  readonly reflectors: readonly SocketAddress[]
  /** Which of them prove addresses. */
  readonly witnesses?: readonly Witness[]
  /** True where gossip reaches everybody at once; by default there is none. */
  readonly gossips?: boolean
}

export class OneServerMesh implements MeshAccess {
  readonly #queue: EventQueue
  readonly #delayMs: number
  readonly #reflectors: readonly SocketAddress[]
  readonly #witnesses: readonly Witness[]
  readonly #gossips: boolean
  readonly #members = new Set<Member>()
  readonly #records = new Map<RecordName, { readonly sequence: number; readonly bytes: Uint8Array }>()
  readonly #names = new RecordNames()
  readonly #knocks = new Map<number, (answer: Uint8Array | undefined) => void>()
  #lastKnock = 0
  /** How often anybody asked anything. */
  readonly counts = { lookUps: 0, knocks: 0, publications: 0, gossipedKnocks: 0 }
  readonly faults: MeshFaults = {}
  /** Member relays, as whoever joins from now on is told. */
  relays: readonly RelayOffer[] = []

  constructor({ queue, delayMs, reflectors, witnesses = [], gossips = false }: OneServerMeshOptions) {
    this.#queue = queue
    this.#delayMs = delayMs
    this.#reflectors = reflectors
    this.#witnesses = witnesses
    this.#gossips = gossips
  }

  join(member: Member): void {
    this.#members.add(member)
    this.#tell(member, true)
  }

  leave(member: Member): void {
    this.#members.delete(member)
    this.#tell(member, false)
  }

  /** Connections are not what is tested here: they are not lost when a member moves. */
  moved(): void {}

  waysChanged(): void {}

  /** The newest sealed record of a peer that is stored for the present day. */
  record(peer: PublicKey): Uint8Array | undefined {
    const name = this.#names.of(peer, periodOf(this.#queue.now.unix))
    return name === undefined ? undefined : this.#records.get(name)?.bytes
  }

  /** What is in it. */
  signedRecord(peer: PublicKey): Uint8Array | undefined {
    const sealed = this.record(peer)
    return sealed === undefined ? undefined : unseal(sealed, peer)
  }

  publish(member: Member, { period, key, sealedRecord, gossip }: PublishEffect): void {
    this.counts.publications += 1
    const name = recordName(key)
    this.#names.published(keyOf(member), period, name)
    if (gossip) this.#gossip(member, { type: 'record-gossiped', sealedRecord })
    this.#queue.in(this.#delayMs, () => {
      const record = admitStoredRecord(recordKey(key), sealedRecord, this.#queue.now.unix)
      const stored = !isDropped(record) && record.sequence >= (this.#records.get(name)?.sequence ?? 0)
      if (stored) this.#records.set(name, { sequence: record.sequence, bytes: sealedRecord })
      this.#queue.in(this.#delayMs, () =>
        member.handle({ type: 'publication-ended', period, acknowledgements: stored ? 1 : 0 }),
      )
    })
  }

  lookUp(member: Member, peer: PublicKey, blindedKeys: readonly Uint8Array[]): void {
    this.counts.lookUps += 1
    this.#queue.in(this.#delayMs, () => {
      const records = blindedKeys.flatMap((key) => this.#records.get(recordName(key))?.bytes ?? [])
      const found = this.faults.lookUp?.(keyOf(member), peer) ?? records
      const wait = found === 'lost' ? LOOK_UP_DEADLINE_MS - this.#delayMs : this.#delayMs
      this.#queue.in(wait, () => {
        if (found !== 'lost')
          for (const sealedRecord of found) member.handle({ type: 'record-found', peer, sealedRecord })
        member.handle({ type: 'look-up-ended', peer })
      })
    })
  }

  /** A look-up that nobody asked for, of what is there today. */
  lookUpUnasked(member: Member, peer: PublicKey): void {
    const name = this.#names.of(peer, periodOf(this.#queue.now.unix))
    this.lookUp(member, peer, name === undefined ? [] : [fromString(name, 'base64url')])
  }

  /** Nobody is reached over a stream. */
  openStream(_member: Member, _relay: Uint8Array, _handlers: unknown, done: (reason: string) => void): void {
    this.#queue.soon(() => done('this mesh has no streams'))
  }

  gossipKnock(member: Member, sealedKnock: Uint8Array): void {
    this.counts.gossipedKnocks += 1
    this.#gossip(member, { type: 'knock-gossiped', sealedKnock })
  }

  knock(member: Member, effect: KnockEffect): void {
    this.counts.knocks += 1
    let ended = false
    const end = (input: Input): void => {
      if (ended) return
      ended = true
      member.handle(input)
    }
    const fail = (reason: string): void => end({ type: 'knock-failed', peer: effect.peer, reason })
    this.#queue.in(KNOCK_DEADLINE_MS, () => fail('no answer in time'))
    this.#queue.in(this.#delayMs, () => {
      const target = [...this.#members].find(({ identity }) => equals(identity, effect.identity))
      if (target === undefined) {
        this.#queue.in(this.#delayMs, () => fail('it is not in the mesh'))
        return
      }
      if (this.faults.losesKnock?.(keyOf(member), keyOf(target)) === true) return
      this.#queue.in(this.#delayMs, () => {
        const id = ++this.#lastKnock
        this.#knocks.set(id, (answer) =>
          this.#queue.in(this.#delayMs + this.#delayMs, () => {
            if (answer === undefined) fail('it ended the stream')
            else end({ type: 'knock-answered', peer: effect.peer, answer })
          }),
        )
        target.handle({ type: 'knock-received', id, from: member.identity, knock: effect.knock })
      })
    })
  }

  answerKnock(id: number, answer: Uint8Array | undefined): void {
    this.#knocks.get(id)?.(answer)
    this.#knocks.delete(id)
  }

  #tell(member: Member, connected: boolean): void {
    member.handle({
      type: 'mesh-changed',
      connected,
      multiaddrs: connected ? [`/ip4/198.51.100.1/tcp/${SHARED_PORT}`] : [],
      reflectors: this.#reflectors,
      relays: this.relays,
      witnesses: this.#witnesses,
      gossips: connected && this.#gossips,
    })
  }

  #gossip(from: Member, input: Input): void {
    for (const member of this.#members) {
      if (member === from) continue
      this.#queue.in(2 * this.#delayMs, () => {
        if (this.#members.has(member)) member.handle(input)
      })
    }
  }
}

function keyOf({ name, publicKey }: Member): PublicKey {
  if (publicKey === undefined) throw new Error(`${name} has no key`)
  return publicKey
}
