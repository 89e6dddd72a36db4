/** What is logged of gateways: each thing once, as long as the gateway is there. */

import type { Emit } from '../effects.js'
import type { MappingSite } from './mappedPort.js'

/** A gateway that names another address each time is not listened to for ever. */
const MAX_SAID = 64

export class GatewayLog {
  readonly #emit: Emit
  readonly #said = new Set<string>()

  constructor(emit: Emit) {
    this.#emit = emit
  }

  /** `what` names the thing. */
  say(
    site: MappingSite,
    what: string,
    level: 'info' | 'warn',
    message: string,
    fields: Readonly<Record<string, string | number>>,
  ): void {
    const saying = `${prefixOf(site)}${what}`
    if (this.#said.has(saying) || this.#said.size >= MAX_SAID) return
    this.#said.add(saying)
    this.#emit({ type: 'log', level, message, fields })
  }

  forget(site: MappingSite): void {
    const prefix = prefixOf(site)
    for (const said of this.#said) if (said.startsWith(prefix)) this.#said.delete(said)
  }
}

function prefixOf({ gateway, local }: MappingSite): string {
  return `${gateway} ${local} `
}
