/**
 * A member that knocks where it should not. libp2p proves identities, so it can knock in nobody's name but its own; what
 * it sends is anything.
 *
 *   borrowed   somebody's real record        stranger   a valid record of a key that is nobody's peer
 *   forged     one with a bit changed        junk       random bytes
 *   replayed   a knock that it received
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { type Random, randomBelow } from '../../src/base/random.js'
import type { Input } from '../../src/engine/inputs.js'
import { encodeKnock } from '../../src/wire/knock.js'
import type { PeerRecord } from '../../src/wire/record.js'
import type { EventQueue } from '../network/eventQueue.js'
import { type StrangersRecord, withOneBitChanged } from './forgery.js'
import type { Member } from './member.js'
import type { Mesh } from './mesh.js'

export const HOSTILE_KNOCKS = ['borrowed', 'forged', 'replayed', 'stranger', 'junk'] as const

export type HostileKnock = (typeof HOSTILE_KNOCKS)[number]

const JUNK_LENGTH = 300
/** Knocks that it received and remembers. */
const MAX_CAPTURED = 64

export interface HostileMemberOptions {
  readonly name: string
  readonly identity: Uint8Array
  readonly mesh: Pick<Mesh, 'lookUp' | 'knock' | 'answerKnock' | 'open'>
  readonly queue: EventQueue
  readonly random: Random
  readonly ips: readonly string[]
  readonly streamDelay: (to: string) => number | undefined
  readonly strangersRecord: StrangersRecord
}

export class HostileMember implements Member {
  readonly name: string
  readonly publicKey = undefined
  readonly identity: Uint8Array
  readonly ips: readonly string[]
  /** How its knocks ended. */
  readonly outcomes = { answered: 0, failed: 0 }
  readonly #options: HostileMemberOptions
  readonly #records = new Map<PublicKey, Uint8Array>()
  readonly #captured: Uint8Array[] = []

  constructor(options: HostileMemberOptions) {
    this.#options = options
    this.name = options.name
    this.identity = options.identity
    this.ips = options.ips
  }

  streamDelay(to: string): number | undefined {
    return this.#options.streamDelay(to)
  }

  handle(input: Input): void {
    switch (input.type) {
      case 'record-found':
        this.#records.set(input.peer, input.signedRecord)
        break
      case 'knock-received':
        if (this.#captured.length < MAX_CAPTURED) this.#captured.push(input.knock)
        this.#options.mesh.answerKnock(input.id, undefined)
        break
      case 'knock-answered':
        this.outcomes.answered += 1
        break
      case 'knock-failed':
        this.outcomes.failed += 1
        break
    }
  }

  /** Records are public to whoever knows the key: it looks these up, to have them when it attacks. */
  spyOn(...keys: readonly PublicKey[]): void {
    for (const key of keys) this.#options.mesh.lookUp(this, key)
  }

  /** Knocks `count` times, one every `everyMs`. Nothing of it reaches anybody before the victim's record is known. */
  attack(victim: PublicKey, kind: HostileKnock, count: number, everyMs: number): void {
    for (let turn = 0; turn < count; turn++)
      this.#options.queue.in(turn * everyMs, () => this.#knock(victim, kind))
  }

  #knock(victim: PublicKey, kind: HostileKnock): void {
    const record = this.#recordOf(victim)
    const knock = this.#made(kind, victim)
    if (record === undefined || knock === undefined) return
    const { identity, multiaddrs } = record
    this.#options.mesh.knock(this, { type: 'knock', peer: victim, identity, multiaddrs, knock })
  }

  #recordOf(key: PublicKey): PeerRecord | undefined {
    const bytes = this.#records.get(key)
    const record = bytes && this.#options.mesh.open(bytes)
    return record === undefined || isDropped(record) ? undefined : record
  }

  #made(kind: HostileKnock, victim: PublicKey): Uint8Array | undefined {
    const { random, strangersRecord } = this.#options
    switch (kind) {
      case 'borrowed':
        return asKnock(this.#another(victim))
      case 'forged': {
        const real = this.#another(victim)
        return asKnock(real && withOneBitChanged(real, random))
      }
      case 'replayed':
        return this.#captured[randomBelow(random, Math.max(1, this.#captured.length))]
      case 'stranger':
        return asKnock(strangersRecord(random))
      case 'junk':
        return random.bytes(randomBelow(random, JUNK_LENGTH))
    }
  }

  /** A record of somebody else than the victim, a peer of it maybe; of the victim, if there is no other. */
  #another(victim: PublicKey): Uint8Array | undefined {
    for (const [key, bytes] of this.#records) if (key !== victim) return bytes
    return this.#records.get(victim)
  }
}

function asKnock(signedRecord: Uint8Array | undefined): Uint8Array | undefined {
  return signedRecord && encodeKnock({ version: 1, signedRecord })
}
