/** Keeps the forwarding table in step with what is proved of one peer's paths. */

import { formatSocketAddress, sameSocketAddress } from '../../base/address.js'
import type { PathAgent } from '../path/agent.js'
import { sameRoute } from '../path/path.js'
import type { Proved } from '../path/proved.js'
import type { Flow, Forwarding } from './forwarding.js'

export interface ProvedPathsParts {
  readonly agent: PathAgent
  readonly flow: Flow
  readonly forwarding: Forwarding
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
}

export class ProvedPaths {
  readonly #parts: ProvedPathsParts
  /** What the flow and the forwarding table were last made to agree with. */
  readonly #settledFor = { proved: undefined as Proved | undefined, releases: 0 }

  constructor(parts: ProvedPathsParts) {
    this.#parts = parts
  }

  settle(): void {
    const { forwarding, flow, log } = this.#parts
    const { proved } = this.#parts.agent
    if (proved === this.#settledFor.proved && forwarding.releases === this.#settledFor.releases) return
    const former = flow.path
    const path = proved.current
    flow.path = path
    if (path !== undefined && (former === undefined || !sameRoute(former, path))) {
      log('a path is in use', {
        type: path.type,
        remote: formatSocketAddress(path.remote),
        proof: path.proof,
      })
    }
    for (const remote of [...flow.remotes]) {
      if (!proved.remotes.some((known) => sameSocketAddress(known.remote, remote))) forwarding.unmap(remote)
    }
    for (const { remote, answeredAt } of proved.remotes) forwarding.map(remote, flow, answeredAt)
    this.#settledFor.proved = proved
    this.#settledFor.releases = forwarding.releases
  }
}
