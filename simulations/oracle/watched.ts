/** What invariants see of a world. The simulated one has all of this and more; a test gives as little. */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Now } from '../../src/base/time.js'
import type { Node } from '../../src/engine/node.js'
import type { Unseal, UnsealKnock } from '../crypto/unsealing.js'
import type { LinkSpec, SiteSpec } from '../topology.js'

/** An engine, as far as it can be looked into. */
export type WatchedNode = Pick<Node, 'forwarding' | 'knownRecord' | 'nextWake'>

export interface WatchedSite {
  readonly index: number
  readonly spec: SiteSpec
  /** What follows is as it is now; in `spec` it is as it was at first. */
  readonly link: LinkSpec
  readonly isUp: boolean
  readonly passesUdp: boolean
  /** Of a partition. */
  readonly side: number
  readonly gateway: { mappingsOf(innerIp: string): number; openPortsOf(innerIp: string): number } | undefined
}

export interface WatchedPlace {
  /** Undefined for a public address of its own. */
  readonly site: { readonly index: number } | undefined
  readonly ips: readonly string[]
}

export interface WatchedDaemon {
  readonly node: WatchedNode
  /** Those that stand in for UDP, and the most that waits in one, in bytes. */
  readonly streams: { readonly open: number; readonly queued: number }
}

export interface WatchedMachine {
  readonly name: string
  readonly publicKey: PublicKey
  /** Where it is attached now; the first one carries its default route. */
  readonly places: readonly WatchedPlace[]
  /** How often what its daemon has on disk was lost. */
  readonly diskLosses: number
  /** Another one after each start; undefined while none runs. */
  readonly daemon: WatchedDaemon | undefined
  readonly clock: { readonly now: Now; readonly asleep: boolean }
  /** True where no daemon runs, and the last one ended as it should. */
  readonly hasEnded: boolean
}

export interface WatchedServer {
  readonly place: WatchedPlace
  /** True while it runs, answers, and stores what it is given. */
  readonly serves: boolean
  /** True while it relays as it should. */
  readonly relays: boolean
  readonly mesh: {
    /** The record of a node that it has. */
    record(key: PublicKey): Uint8Array | undefined
  }
}

export interface WatchedWorld {
  readonly unseal: Unseal
  readonly unsealKnock: UnsealKnock
  /** Milliseconds since the world began. */
  readonly queue: { readonly elapsed: number }
  readonly machines: readonly WatchedMachine[]
  readonly servers: readonly WatchedServer[]
  readonly internet: {
    readonly sites: readonly WatchedSite[]
    /** The side of a partition on which a server is. */
    sideOf(place: WatchedPlace): number
  }
}
