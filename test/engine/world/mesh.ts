/**
 * The mesh as an engine sees it: one server in the middle of the internet stores records and passes knocks on. A look-up
 * takes a round trip to it; a knock passes through it, and so does the answer.
 */

import { equals } from 'uint8arrays'
import { isDropped } from '../../../src/base/drops.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { SECOND } from '../../../src/base/time.js'
import { admitRecord } from '../../../src/engine/directory/admission.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { Input } from '../../../src/engine/inputs.js'
import type { EventQueue } from './eventQueue.js'

const KNOCK_DEADLINE_MS = 4 * SECOND
const LOOK_UP_DEADLINE_MS = 5 * SECOND

/** A node that is in the mesh. */
export interface Member {
  readonly publicKey: PublicKey
  readonly identity: Uint8Array
  readonly delayMs: number
  handle(input: Input): void
}

export type KnockEffect = Extract<Effect, { type: 'knock' }>

/** What goes wrong, as a test wants it. */
export interface MeshFaults {
  /** What a look-up gives: some records, or `lost` for no answer before the deadline. */
  lookUp?: (asker: PublicKey, peer: PublicKey) => readonly Uint8Array[] | 'lost'
  /** True for a knock that never arrives. */
  losesKnock?: (from: PublicKey, to: PublicKey) => boolean
}

export class Mesh {
  readonly #queue: EventQueue
  readonly #members = new Set<Member>()
  readonly #records = new Map<PublicKey, { readonly sequence: number; readonly bytes: Uint8Array }>()
  readonly #knocks = new Map<number, (answer: Uint8Array | undefined) => void>()
  #lastKnock = 0
  /** How often anybody asked anything. */
  readonly counts = { lookUps: 0, knocks: 0, publications: 0 }
  readonly faults: MeshFaults = {}

  constructor(queue: EventQueue) {
    this.#queue = queue
  }

  join(member: Member): void {
    this.#members.add(member)
  }

  leave(member: Member): void {
    this.#members.delete(member)
  }

  /** The newest record of a peer that is stored. */
  record(peer: PublicKey): Uint8Array | undefined {
    return this.#records.get(peer)?.bytes
  }

  publish(member: Member, bytes: Uint8Array): void {
    this.counts.publications += 1
    this.#queue.in(member.delayMs, () => {
      const record = admitRecord(bytes, this.#queue.now.unix)
      const stored =
        !isDropped(record) &&
        record.publicKey === member.publicKey &&
        record.sequence >= (this.#records.get(member.publicKey)?.sequence ?? 0)
      if (stored) this.#records.set(member.publicKey, { sequence: record.sequence, bytes })
      this.#queue.in(member.delayMs, () =>
        member.handle({ type: 'publication-ended', acknowledgements: stored ? 1 : 0 }),
      )
    })
  }

  lookUp(member: Member, peer: PublicKey): void {
    this.counts.lookUps += 1
    this.#queue.in(member.delayMs, () => {
      const record = this.record(peer)
      const found = this.faults.lookUp?.(member.publicKey, peer) ?? (record === undefined ? [] : [record])
      const wait = found === 'lost' ? LOOK_UP_DEADLINE_MS - member.delayMs : member.delayMs
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
    this.#queue.in(member.delayMs, () => {
      const target = [...this.#members].find(({ identity }) => equals(identity, effect.identity))
      if (target === undefined) {
        this.#queue.in(member.delayMs, () => fail('it is not in the mesh'))
        return
      }
      if (this.faults.losesKnock?.(member.publicKey, target.publicKey) === true) return
      this.#queue.in(target.delayMs, () => {
        const id = ++this.#lastKnock
        this.#knocks.set(id, (answer) =>
          this.#queue.in(target.delayMs + member.delayMs, () => {
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
}
