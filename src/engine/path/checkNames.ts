/** Whose check is this? Every user name that a peer may use now, so that one map look-up tells. */

import { toString as toText } from 'uint8arrays'
import type { UnixTime } from '../../base/time.js'
import { epochOf, epochsAround, type PairKeys } from '../../crypto/pair.js'

export class CheckNames<Owner> {
  readonly #owners = new Map<Owner, PairKeys>()
  readonly #byName = new Map<string, Owner>()
  #epoch: number | undefined = undefined

  add(owner: Owner, keys: PairKeys): void {
    this.#owners.set(owner, keys)
    this.#epoch = undefined
  }

  remove(owner: Owner): void {
    this.#owners.delete(owner)
    this.#epoch = undefined
  }

  /** The owner of a user name; undefined for one of nobody's. */
  find(username: Uint8Array, now: UnixTime): Owner | undefined {
    this.#renew(now)
    return this.#byName.get(toText(username, 'base64'))
  }

  /** Names change with the epoch, and with who there is. */
  #renew(now: UnixTime): void {
    const epoch = epochOf(now)
    if (epoch === this.#epoch) return
    this.#epoch = epoch
    this.#byName.clear()
    for (const [owner, keys] of this.#owners) {
      for (const near of epochsAround(now))
        this.#byName.set(toText(keys.incoming.nameAt(near), 'base64'), owner)
    }
  }
}
