/** A node's memory that survives its restart in a test. */

import type { NodeMemory } from '../../../src/io/mesh/nodeMemory.js'

export class InMemoryNodes implements NodeMemory {
  bytes: Uint8Array | undefined

  constructor(bytes?: Uint8Array) {
    this.bytes = bytes
  }

  async load(): Promise<Uint8Array | undefined> {
    return this.bytes
  }

  save(bytes: Uint8Array): void {
    this.bytes = bytes
  }
}
