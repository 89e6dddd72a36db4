/**
 * The nodes of the mesh that are known, on disk: `<stateDir>/<interface>.nodes` (0600), replaced as a whole. What it holds
 * is only told by {@link ../io/mesh/nodeMemory}, which takes rubbish for nothing.
 */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { causeOf, codeOf } from '../base/userError.js'
import type { NodeMemory } from '../io/mesh/nodeMemory.js'
import { replaceFile, type Warn } from './state.js'

/** What is longer was not written by us. */
const MAX_FILE_BYTES = 1024 * 1024

export class NodesFile implements NodeMemory {
  readonly #path: string
  readonly #log: Warn
  #unsaved: Uint8Array | undefined
  #saving: Promise<void> | undefined
  #warned = false

  /** The file of the node of this name. */
  constructor(stateDir: string, name: string, log: Warn) {
    this.#path = join(stateDir, `${name}.nodes`)
    this.#log = log
  }

  /** Undefined where there is none. Rejects where it cannot be read. */
  async load(): Promise<Uint8Array | undefined> {
    try {
      const { size } = await stat(this.#path)
      return size <= MAX_FILE_BYTES ? await readFile(this.#path) : undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  save(bytes: Uint8Array): void {
    this.#unsaved = bytes
    this.#saving ??= this.#write()
  }

  /** Fulfilled when what was saved is on disk, or was warned of. */
  async flush(): Promise<void> {
    await this.#saving
  }

  async #write(): Promise<void> {
    while (this.#unsaved !== undefined) {
      const bytes = this.#unsaved
      this.#unsaved = undefined
      try {
        await replaceFile(this.#path, bytes)
        this.#warned = false
      } catch (error) {
        const context = { file: this.#path, cause: causeOf(error) }
        if (!this.#warned) this.#log.warn(context, 'cannot write which nodes are known')
        this.#warned = true
      }
    }
    this.#saving = undefined
  }
}
