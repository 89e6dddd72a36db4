/** The links between a site and the outside: one for all behind a NAT; else each host has its own, from its door. */

import { forked, type Random } from '../../src/base/random.js'
import type { LinkSpec } from '../topology.js'
import { Line } from './link.js'
import { LOCAL_MS } from './segment.js'

export class Lines {
  /** What is not a host's own. */
  readonly shared: Line
  /** Whether hosts have their own. */
  readonly areOwn: boolean
  /** From anything in the site to where its link begins, in milliseconds. */
  readonly toLinkMs: number
  readonly #random: Random
  readonly #own = new Set<Line>()
  #spec: LinkSpec

  constructor(spec: LinkSpec, areOwn: boolean, random: Random) {
    this.#spec = spec
    this.#random = random
    this.areOwn = areOwn
    this.toLinkMs = areOwn ? 0 : LOCAL_MS
    this.shared = new Line(spec, forked(random))
  }

  get spec(): LinkSpec {
    return this.#spec
  }

  /** A host comes; undefined where it has no line of its own. */
  add(): Line | undefined {
    if (!this.areOwn) return undefined
    const line = new Line(this.#spec, forked(this.#random))
    this.#own.add(line)
    return line
  }

  remove(line: Line): void {
    this.#own.delete(line)
  }

  /** All become other links. */
  set(spec: LinkSpec): void {
    this.#spec = spec
    this.shared.set(spec)
    for (const line of this.#own) line.set(spec)
  }
}
