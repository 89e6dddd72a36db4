/** Says in the log how it stands with the nodes given with `--bootstrap`, once for each change. */

import type { Logger } from './logger.js'
import type { BootstrapStatus } from './status.js'

export class BootstrapLog {
  readonly #log: Logger
  /** The last thing said of each node. */
  readonly #said = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  /** How it stands now. A node that is tried for the first time is not worth a line. */
  tell(nodes: readonly BootstrapStatus[]): void {
    for (const { multiaddr, connected, lastError } of nodes) {
      const state = connected ? 'connected' : lastError
      if (state === undefined || this.#said.get(multiaddr) === state) continue
      this.#said.set(multiaddr, state)
      if (connected) this.#log.info({ multiaddr }, 'connected to a bootstrap node')
      else
        this.#log.warn(
          { multiaddr, cause: lastError },
          'a bootstrap node is not connected; it is tried again',
        )
    }
  }
}
