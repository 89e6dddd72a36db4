/** The WireGuard interfaces of this machine: their addresses are no way to its outside, and routes into them loop. */

import { causeOf } from '../base/userError.js'
import { listInterfaces } from '../io/wireguard/wgTool.js'
import { WireGuardError } from '../io/wireguard/wireguardError.js'
import type { Logger } from './logger.js'

export class Tunnels {
  readonly #own: readonly string[]
  readonly #log: Logger
  #known: readonly string[] = []

  /** `own` is the interface beside which the node runs; undefined for none. */
  constructor(own: string | undefined, log: Logger) {
    this.#own = own === undefined ? [] : [own]
    this.#log = log
  }

  /**
   * Their names now, our own always among them. Where there is no `wg`, as on a bootstrap node, there are none; where
   * it fails, those that were there before are.
   */
  async names(): Promise<ReadonlySet<string>> {
    try {
      this.#known = await listInterfaces()
    } catch (error) {
      if (error instanceof WireGuardError && error.kind === 'tool-missing') this.#known = []
      this.#log.debug({ cause: causeOf(error) }, 'cannot list the WireGuard interfaces')
    }
    return new Set([...this.#known, ...this.#own])
  }
}
