/**
 * Whoever is in the mesh together with a peer knows the peer's record, traffic or not: it looks for it, and a look-up that
 * begins when both are there for a while finds it, whatever day it is by either clock. And an author who lost his disk gets
 * ahead of his own old record: what he publishes is refused by nobody.
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { MINUTE } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { decodeSealedRecord } from '../../src/wire/sealedRecord.js'
import type { Conditions } from './conditions.js'
import { type Host, type Ledger, NEVER, type Side } from './ledger.js'
import type { WatchedNode } from './watched.js'

const NAME = 'informed'
const OWN_NAME = 'gets-ahead'

/** A publication that nobody acknowledged is repeated every 30 s at least (src/engine/directory/publication.ts). */
const THERE_MS = 1 * MINUTE
/** An author publishes four times to no avail before he asks why (src/engine/directory/publications.ts). */
const BEHIND_MS = 2 * MINUTE

interface Present {
  readonly node: WatchedNode
  /** Since when a server is connected; undefined where none is. */
  joinedAt: number | undefined
  /** By peer: when the look-up began that is the latest. */
  readonly lookUps: Map<PublicKey, number>
  /** Peers at endpoints that the user or another program set. */
  external: ReadonlySet<PublicKey>
  /** The highest number that it published under in this run. */
  sequence: number
  /** Since when the mesh has had a newer record. */
  behindSince: number | undefined
}

export class Informed {
  readonly statistics = { lookUps: 0 }
  readonly #ledger: Ledger
  readonly #conditions: Conditions
  readonly #present = new WeakMap<Host, Present>()
  /** Since when both are there, and share a server. */
  readonly #thereSince = new WeakMap<Side, number>()

  constructor(ledger: Ledger, conditions: Conditions) {
    this.#ledger = ledger
    this.#conditions = conditions
  }

  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    const present = this.#of(host)
    if (present === undefined) return
    if (input.type === 'mesh-changed')
      present.joinedAt = input.connected ? (present.joinedAt ?? this.#ledger.now) : undefined
    else if (input.type === 'interface-read')
      present.external = new Set(
        input.peers
          .filter(({ endpoint }) => endpoint !== undefined && !endpoint.ip.startsWith('127.'))
          .map(({ publicKey }) => publicKey),
      )
    else if (input.type === 'look-up-ended') this.#lookedUp(host, present, input.peer)
    for (const effect of effects) {
      if (effect.type === 'look-up') present.lookUps.set(effect.peer, this.#ledger.now)
      else if (effect.type === 'publish') present.sequence = Math.max(present.sequence, effect.sequence)
    }
  }

  sweep(): void {
    for (const host of this.#ledger.hosts) {
      const present = this.#of(host)
      if (present === undefined) continue
      this.#lookAtOwn(host, present)
      for (const side of host.sides.values()) this.#lookAt(side, present)
    }
  }

  #lookAt(side: Side, present: Present): void {
    if (!this.#isThere(side, present)) {
      this.#thereSince.delete(side)
      return
    }
    const since = this.#thereSince.get(side) ?? this.#ledger.now
    this.#thereSince.set(side, since)
    if (!this.#isLong(since) || this.#knows(side)) return
    const lookedUpAt = present.lookUps.get(side.peer.machine.publicKey) ?? NEVER
    if (lookedUpAt < (present.joinedAt ?? NEVER))
      this.#report(side, `it never looked for the record of ${side.peer.name}, and does not know it`)
  }

  #lookedUp(host: Host, present: Present, key: PublicKey): void {
    this.statistics.lookUps += 1
    const begunAt = present.lookUps.get(key)
    const side = host.sides.get(key)
    if (side === undefined || begunAt === undefined || !this.#isThere(side, present)) return
    const since = this.#thereSince.get(side)
    if (since === undefined || begunAt - since < THERE_MS || !this.#isLong(since)) return
    if (!this.#knows(side))
      this.#report(side, `it looked the record of ${side.peer.name} up, which is there, and found none`)
  }

  /** An author whose numbers are below those of a record of his that honest servers have. */
  #lookAtOwn(host: Host, present: Present): void {
    const newest = this.#conditions
      .reachableServers(host)
      .map(({ mesh }) => mesh.record(host.machine.publicKey))
      .map((bytes) => (bytes === undefined ? undefined : decodeSealedRecord(bytes)))
      .reduce(
        (most, found) => (found === undefined || isDropped(found) ? most : Math.max(most, found.sequence)),
        0,
      )
    const isBehind = present.joinedAt !== undefined && !host.machine.clock.asleep && newest > present.sequence
    if (!isBehind || this.#ledger.happenedAt > (present.behindSince ?? NEVER)) present.behindSince = undefined
    if (!isBehind) return
    present.behindSince ??= this.#ledger.now
    if (this.#ledger.now - present.behindSince > BEHIND_MS)
      this.#ledger.report(
        OWN_NAME,
        host.name,
        `it publishes under ${present.sequence}, and the mesh has a record of its own under ${newest}`,
      )
  }

  #isThere(side: Side, present: Present): boolean {
    const { host, peer } = side
    const key = peer.machine.publicKey
    const other = this.#of(peer)
    if (present.joinedAt === undefined || other?.joinedAt === undefined) return false
    if (!side.isOnInterface || present.external.has(key)) return false
    if (host.machine.clock.asleep || peer.machine.clock.asleep) return false
    return this.#conditions.isGoodNetwork(side) && this.#conditions.shareServer(side)
  }

  /** So long, and nothing was done to the world meanwhile. */
  #isLong(since: number): boolean {
    const { now, happenedAt } = this.#ledger
    return now - since > THERE_MS && now - happenedAt > THERE_MS
  }

  #knows({ host, peer }: Side): boolean {
    return host.node?.knownRecord(peer.machine.publicKey, host.machine.clock.now) !== undefined
  }

  #of(host: Host): Present | undefined {
    const { node } = host
    if (node === undefined || host.machine.daemon?.node !== node) return undefined
    const known = this.#present.get(host)
    if (known?.node === node) return known
    const present: Present = {
      node,
      joinedAt: undefined,
      lookUps: new Map(),
      external: new Set(),
      sequence: 0,
      behindSince: undefined,
    }
    this.#present.set(host, present)
    return present
  }

  #report({ host }: Side, message: string): void {
    this.#ledger.report(NAME, host.name, message)
  }
}
