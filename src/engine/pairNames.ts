/** Whose is this check, or this gossiped knock? Every name that a peer may use now, so that one map look-up tells. */

import { toString as toText } from 'uint8arrays'
import type { UnixTime } from '../base/time.js'
import { epochOf, epochsAround } from '../crypto/pair.js'

/** What changes its name each epoch. */
export interface Named {
  nameAt(epoch: number): Uint8Array
}

export class PairNames<Owner> {
  readonly #owners = new Map<Owner, Named>()
  readonly #byName = new Map<string, Owner>()
  #epoch: number | undefined = undefined

  /** `incoming` are the credentials of what the owner sends. */
  add(owner: Owner, incoming: Named): void {
    this.#owners.set(owner, incoming)
    this.#epoch = undefined
  }

  remove(owner: Owner): void {
    this.#owners.delete(owner)
    this.#epoch = undefined
  }

  /** The owner of a name; undefined for one of nobody's. */
  find(name: Uint8Array, now: UnixTime): Owner | undefined {
    this.#renew(now)
    return this.#byName.get(toText(name, 'base64'))
  }

  /** Names change with the epoch, and with who there is. */
  #renew(now: UnixTime): void {
    const epoch = epochOf(now)
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#byName.clear()
    for (const [owner, incoming] of this.#owners) {
      for (const near of epochsAround(now)) this.#byName.set(toText(incoming.nameAt(near), 'base64'), owner)
    }
  }
}
