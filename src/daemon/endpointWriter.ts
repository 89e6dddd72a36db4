/** Sets endpoints in WireGuard in batches: what the engine asks for in one go is one call of `wg`. */

import type { SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { causeOf } from '../base/userError.js'
import { setEndpoints } from '../io/wireguard/endpoints.js'
import type { Logger } from './logger.js'

export class EndpointWriter {
  readonly #interface: string
  readonly #noted: () => Promise<void>
  readonly #log: Logger
  #waiting = new Map<PublicKey, SocketAddress>()
  #writing: Promise<void> | undefined
  #stopped = false

  /** `noted` resolves when the endpoints to be put back are on disk: before that none is overwritten. */
  constructor(interfaceName: string, noted: () => Promise<void>, log: Logger) {
    this.#interface = interfaceName
    this.#noted = noted
    this.#log = log
  }

  set(publicKey: PublicKey, endpoint: SocketAddress): void {
    if (this.#stopped) return
    this.#waiting.set(publicKey, endpoint)
    this.#writing ??= this.#write()
  }

  /** Resolves when everything asked for so far was written. */
  async written(): Promise<void> {
    await this.#writing
  }

  /** Writes no more, and resolves when what was begun is done. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    await this.#writing
  }

  async #write(): Promise<void> {
    await Promise.resolve()
    while (this.#waiting.size > 0) {
      // What is asked for meanwhile may not be noted yet: it goes with the next batch.
      const batch = [...this.#waiting].map(([publicKey, endpoint]) => ({ publicKey, endpoint }))
      this.#waiting = new Map()
      await this.#noted()
      if (this.#stopped) break
      try {
        await setEndpoints(this.#interface, batch)
      } catch (error) {
        // The interface is read again soon, and what is not as it should be is set again.
        this.#log.warn({ cause: causeOf(error) }, 'cannot set the endpoints of peers')
      }
    }
    this.#writing = undefined
  }
}
