/**
 * A mesh that is as simple as one can be: a server in the middle of the internet stores records and passes knocks on, and
 * all members are equally far away. A look-up takes a round trip to it; a knock passes through it, and so does the answer.
 */

import { equals } from 'uint8arrays'
import type { Member } from '../../simulations/discovery/member.js'
import { SHARED_PORT } from '../../simulations/hosts/engineLoop.js'
import type { MeshAccess } from '../../simulations/hosts/meshAccess.js'
import type { EventQueue } from '../../simulations/network/eventQueue.js'
import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import { admitRecord, type OpenRecord } from '../../src/engine/directory/admission.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'

const KNOCK_DEADLINE_MS = 4 * SECOND
const LOOK_UP_DEADLINE_MS = 5 * SECOND

type KnockEffect = Extract<Effect, { readonly type: 'knock' }>

/** What goes wrong, as a test wants it. */
export interface MeshFaults {
  /** What a look-up gives: some records, or `lost` for no answer before the deadline. */
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
  /** By default as they are signed. */
  readonly openRecord?: OpenRecord
}

export class OneServerMesh implements MeshAccess {
  readonly #queue: EventQueue
  readonly #delayMs: number
  readonly #reflectors: readonly SocketAddress[]
  readonly #openRecord: OpenRecord | undefined
  readonly #members = new Set<Member>()
  readonly #records = new Map<PublicKey, { readonly sequence: number; readonly bytes: Uint8Array }>()
  readonly #knocks = new Map<number, (answer: Uint8Array | undefined) => void>()
  #lastKnock = 0
  /** How often anybody asked anything. */
  readonly counts = { lookUps: 0, knocks: 0, publications: 0 }
  readonly faults: MeshFaults = {}

  constructor({ queue, delayMs, reflectors, openRecord }: OneServerMeshOptions) {
    this.#queue = queue
    this.#delayMs = delayMs
    this.#reflectors = reflectors
    this.#openRecord = openRecord
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

  /** The newest record of a peer that is stored. */
  record(peer: PublicKey): Uint8Array | undefined {
    return this.#records.get(peer)?.bytes
  }

  publish(member: Member, bytes: Uint8Array): void {
    this.counts.publications += 1
    this.#queue.in(this.#delayMs, () => {
      const record = admitRecord(bytes, this.#queue.now.unix, this.#openRecord)
      const stored =
        !isDropped(record) &&
        record.publicKey === member.publicKey &&
        record.sequence >= (this.#records.get(record.publicKey)?.sequence ?? 0)
      if (stored) this.#records.set(record.publicKey, { sequence: record.sequence, bytes })
      this.#queue.in(this.#delayMs, () =>
        member.handle({ type: 'publication-ended', acknowledgements: stored ? 1 : 0 }),
      )
    })
  }

  lookUp(member: Member, peer: PublicKey): void {
    this.counts.lookUps += 1
    this.#queue.in(this.#delayMs, () => {
      const record = this.record(peer)
      const found = this.faults.lookUp?.(keyOf(member), peer) ?? (record === undefined ? [] : [record])
      const wait = found === 'lost' ? LOOK_UP_DEADLINE_MS - this.#delayMs : this.#delayMs
      this.#queue.in(wait, () => {
        if (found !== 'lost')
          for (const signedRecord of found) member.handle({ type: 'record-found', peer, signedRecord })
        member.handle({ type: 'look-up-ended', peer })
      })
    })
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
    })
  }
}

function keyOf({ name, publicKey }: Member): PublicKey {
  if (publicKey === undefined) throw new Error(`${name} has no key`)
  return publicKey
}
