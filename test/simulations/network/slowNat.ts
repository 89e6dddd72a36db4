/** A NAT as one would write it down at once: a list, and a look at all of it for everything. */

import type { Dependence, NatSpec } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'

interface Entry {
  readonly inner: string
  readonly remote: string
  readonly outer: string
  readonly innerAddress: SocketAddress
  readonly outerAddress: SocketAddress
  usedAt: number
  readonly letIn: Map<string, number>
}

export class SlowNat {
  readonly #spec: NatSpec
  #entries: Entry[] = []

  constructor(spec: NatSpec) {
    this.#spec = spec
  }

  get outerSockets(): readonly SocketAddress[] {
    return this.#entries.map(({ outerAddress }) => outerAddress)
  }

  count(now: number, innerIp?: string): number {
    this.#expire(now)
    return this.#entries.filter(({ innerAddress: { ip } }) => innerIp === undefined || ip === innerIp).length
  }

  /** The outer address of what is sent; `choose` is asked where a new mapping is made. */
  outbound(
    inner: SocketAddress,
    remote: SocketAddress,
    now: number,
    choose: () => SocketAddress,
  ): SocketAddress | undefined {
    this.#expire(now)
    const seen = seenBy(this.#spec.mapping, remote)
    let entry = this.#entries.find((one) => one.inner === text(inner) && one.remote === seen)
    if (entry === undefined) {
      if (this.#entries.length >= this.#spec.maxMappings) return undefined
      const outerAddress = choose()
      const outer = text(outerAddress)
      entry = {
        inner: text(inner),
        remote: seen,
        outer,
        innerAddress: inner,
        outerAddress,
        usedAt: now,
        letIn: new Map(),
      }
      this.#entries.push(entry)
    }
    entry.usedAt = now
    entry.letIn.set(seenBy(this.#spec.filtering, remote), now)
    return entry.outerAddress
  }

  inbound(remote: SocketAddress, outer: SocketAddress, now: number): SocketAddress | undefined {
    this.#expire(now)
    const entry = this.#entries.find((one) => one.outer === text(outer))
    if (entry === undefined) return undefined
    const asked = seenBy(this.#spec.filtering, remote)
    const isOpen = this.#spec.filtering === 'endpoint-independent'
    if (!isOpen && !entry.letIn.has(asked)) return undefined
    if (this.#spec.refreshedBy === 'both') {
      entry.usedAt = now
      entry.letIn.set(asked, now)
    }
    return entry.innerAddress
  }

  forget(): void {
    this.#entries = []
  }

  #expire(now: number): void {
    const isOver = (usedAt: number) => now - usedAt > this.#spec.lifetimeMs
    this.#entries = this.#entries.filter(({ usedAt }) => !isOver(usedAt))
    for (const { letIn } of this.#entries)
      for (const [remote, usedAt] of [...letIn]) if (isOver(usedAt)) letIn.delete(remote)
  }
}

function seenBy(dependence: Dependence, { ip, port }: SocketAddress): string {
  if (dependence === 'endpoint-independent') return 'anybody'
  return dependence === 'address-dependent' ? ip : `${ip} ${port}`
}

function text({ ip, port }: SocketAddress): string {
  return `${ip} ${port}`
}
