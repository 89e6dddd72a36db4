/**
 * What a node remembers of other nodes of the mesh for its next run: one value whose form is its owner's. On the disk
 * `/nodes`.
 */

import type { PersistentMap } from './persistentMap.js'

const NAME = '/nodes'

export class NodeMemory {
  readonly #map: PersistentMap

  constructor(map: PersistentMap) {
    this.#map = map
  }

  /** What was saved last, also by an earlier run. It comes from a disk: to be read like what comes from others. */
  async load(): Promise<Uint8Array | undefined> {
    return this.#map.get(NAME)
  }

  /**
   * Saves it soon; of several calls the last one counts. False where it is longer than `MAX_VALUE_LENGTH`, and what was
   * saved before stays.
   */
  async save(bytes: Uint8Array): Promise<boolean> {
    return this.#map.set(NAME, bytes)
  }
}
