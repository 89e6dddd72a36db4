/**
 * The newest signed record of each own peer, kept for the next run: with it a node finds its peers without asking anybody,
 * and takes no older one. On the disk `/peers/<public key in base64url>`.
 */

import { toString as toText } from 'uint8arrays'
import { type PublicKey, publicKeyBytes } from '../base/publicKey.js'
import type { PersistentMap } from './persistentMap.js'

const PREFIX = '/peers/'

export class PeerMemory {
  readonly #map: PersistentMap
  readonly #names: Set<string>

  /** Takes over what an earlier run left. */
  constructor(map: PersistentMap) {
    this.#map = map
    this.#names = new Set(map.under(PREFIX).map(([name]) => name))
  }

  /** What is kept of all peers. It comes from a disk: to be verified like what comes from others. */
  all(): readonly Uint8Array[] {
    return [...this.#names].flatMap((name) => this.#map.get(name) ?? [])
  }

  /** Keeps a record in place of the one before. */
  put(peer: PublicKey, signedRecord: Uint8Array): void {
    if (this.#map.set(nameOf(peer), signedRecord)) this.#names.add(nameOf(peer))
  }

  /** Forgets all others: there are never more records than peers of the interface. */
  keepOnly(peers: Iterable<PublicKey>): void {
    const kept = new Set([...peers].map(nameOf))
    for (const name of this.#names) if (!kept.has(name)) this.#forget(name)
  }

  #forget(name: string): void {
    this.#names.delete(name)
    this.#map.delete(name)
  }
}

function nameOf(peer: PublicKey): string {
  return `${PREFIX}${toText(publicKeyBytes(peer), 'base64url')}`
}
