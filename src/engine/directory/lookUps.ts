/** Look-ups of records, whoever wants them: of one author only one is under way at a time. */

import type { PublicKey } from '../../base/publicKey.js'
import type { UnixTime } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { BlindedKeys } from './blindedKeys.js'

export class LookUps {
  readonly #blindedKeys: BlindedKeys
  readonly #emit: Emit
  readonly #underWay = new Set<PublicKey>()

  constructor(blindedKeys: BlindedKeys, emit: Emit) {
    this.#blindedKeys = blindedKeys
    this.#emit = emit
  }

  /** Asks the mesh for an author's record, unless that is being done. */
  begin(peer: PublicKey, now: UnixTime): void {
    if (this.#underWay.has(peer)) return
    this.#underWay.add(peer)
    this.#emit({ type: 'look-up', peer, keys: this.#blindedKeys.of(peer, now) })
  }

  ended(peer: PublicKey): void {
    this.#underWay.delete(peer)
  }

  isUnderWay(peer: PublicKey): boolean {
    return this.#underWay.has(peer)
  }
}
