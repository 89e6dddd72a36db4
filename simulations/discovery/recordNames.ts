/**
 * Under which names records lie in the mesh: of a blinded key, as text. Members and servers see no more than these. Which
 * author a name belongs to is remembered for whoever looks at the simulation from outside.
 */

import { toString as toText } from 'uint8arrays'
import type { PublicKey } from '../../src/base/publicKey.js'

/** A blinded key in base64url, as `admitSealedRecord` of src/engine/directory/admission.ts gives it. */
export type RecordName = string

/** Periods of an author that are remembered: those that are read at once, and the next one. */
const MAX_PERIODS = 3

export function recordName(blindedKey: Uint8Array): RecordName {
  return toText(blindedKey, 'base64url')
}

export class RecordNames {
  readonly #byAuthor = new Map<PublicKey, Map<number, RecordName>>()

  /** An author published under a name. */
  published(author: PublicKey, period: number, name: RecordName): void {
    let byPeriod = this.#byAuthor.get(author)
    if (byPeriod === undefined) {
      byPeriod = new Map()
      this.#byAuthor.set(author, byPeriod)
    }
    byPeriod.set(period, name)
    if (byPeriod.size > MAX_PERIODS) byPeriod.delete(Math.min(...byPeriod.keys()))
  }

  /** The name of an author's records of a period, where there were any. */
  of(author: PublicKey, period: number): RecordName | undefined {
    return this.#byAuthor.get(author)?.get(period)
  }
}
