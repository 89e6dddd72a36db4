/**
 * Bounded demands: how much an engine wants done at once, how much it asks of the mesh and gossips to it, how many mappings
 * it takes of its gateway, how many addresses of a peer it holds.
 */

import type { PublicKey } from '../../src/base/publicKey.js'
import { TokenBucket } from '../../src/base/rateLimit.js'
import { asInstant, MINUTE, SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { DEFAULT_PUNCH_LIMITS } from '../../src/engine/path/punchLimits.js'
import { MAX_CANDIDATES } from '../../src/wire/record.js'
import type { NatSpec } from '../topology.js'
import type { Host, Ledger } from './ledger.js'
import type { WatchedNode, WatchedPlace } from './watched.js'

const NAME = 'bounded'

/** What one call of the engine wants done: a few things for each peer, and a burst of checks; and sockets closed, all at once. */
const EFFECTS = { atLeast: 64, eachPeer: 32 } as const

/** Whoever wants one, it is the same (engine/directory/lookUps.ts). */
const LOOK_UPS = 1

/**
 * A knock is repeated, while one is under way, each time that our own addresses turn out to be others: reflectors are
 * asked once a second at most, three of them by each socket, and each answer may be another. A knock takes 4 s at most.
 */
const KNOCKS = { besides: 4, eachSocket: 12 } as const

/**
 * Of a gateway that maps by destination: for each peer the candidates of a record, which may be others at each effort,
 * and at most as many efforts as there are in the life of a mapping; three reflectors a socket; WireGuard's own port.
 */
const MAPPINGS = {
  eachEffort: MAX_CANDIDATES,
  effortMs: 12 * SECOND,
  eachSocket: 3,
  /** Sessions at relays of one peer, of two efforts. */
  relays: 8,
  besides: 8,
} as const
/** Of birthday punching, for each peer: an effort a minute at most (engine/path/birthday.ts), whose sockets map to one address. */
const PUNCHING = { eachEffort: DEFAULT_PUNCH_LIMITS.sockets, effortMs: MINUTE } as const
/** Where a gateway maps endpoint-independently: our port and WireGuard's. */
const ENDPOINTS = 2

/** Ports for UDP that its gateway holds open for it: one, and what a killed run or a conflict left behind. */
const OPEN_PORTS = 3

/** News of ours: five at once, and one in 10 s (src/engine/directory/publication.ts), of two periods around midnight. */
const GOSSIPED_RECORDS = { perSecond: 0.2, burst: 12 } as const
/** Of each peer a knock in 5 s (knockFallback.ts), and as many answers as knocks are let in (knockDoor.ts). */
const GOSSIPED_KNOCKS = { perSecond: 0.8, burst: 8 } as const

/** Proved addresses of a peer (engine/loopback/forwarding.ts). */
const REMOTES = 64

interface UnderWay {
  readonly node: WatchedNode | undefined
  readonly lookUps: Map<PublicKey, number>
  readonly knocks: Map<PublicKey, number>
  readonly gossipedRecords: TokenBucket
  /** From the first one on, when it has its peers. */
  gossipedKnocks: TokenBucket | undefined
}

export class ErrandBounds {
  /** The most that was seen of each. */
  readonly statistics = { effects: 0, knocks: 0, mappings: 0, remotes: 0 }
  readonly #ledger: Ledger
  readonly #underWay = new WeakMap<Host, UnderWay>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    // All sockets of an effort are closed when it ends.
    const wanted = effects.filter(({ type }) => type !== 'close-socket').length
    if (wanted > this.statistics.effects) this.statistics.effects = wanted
    if (wanted > EFFECTS.atLeast + EFFECTS.eachPeer * host.sides.size)
      this.#report(host, `${wanted} things are to be done at once, after ${input.type}`)
    const underWay = this.#of(host)
    if (input.type === 'look-up-ended') count(underWay.lookUps, input.peer, -1)
    else if (input.type === 'knock-answered' || input.type === 'knock-failed')
      count(underWay.knocks, input.peer, -1)
    for (const effect of effects) {
      if (effect.type === 'look-up' && count(underWay.lookUps, effect.peer, 1) > LOOK_UPS)
        this.#report(host, `more than ${LOOK_UPS} look-ups of one peer are under way`)
      else if (effect.type === 'knock') this.#knocks(host, count(underWay.knocks, effect.peer, 1))
      else if (effect.type === 'publish' && effect.gossip)
        this.#gossips(host, underWay.gossipedRecords, 'record')
      else if (effect.type === 'gossip-knock') {
        const { perSecond, burst } = GOSSIPED_KNOCKS
        const peers = host.sides.size
        underWay.gossipedKnocks ??= new TokenBucket(
          perSecond * peers,
          burst * peers,
          asInstant(this.#ledger.now),
        )
        this.#gossips(host, underWay.gossipedKnocks, 'knock')
      }
    }
  }

  #gossips(host: Host, allowance: TokenBucket, what: string): void {
    if (!allowance.take(asInstant(this.#ledger.now)))
      this.#report(host, `it gossips a ${what} again, and has gossiped more than enough`)
  }

  #knocks(host: Host, underWay: number): void {
    if (underWay > this.statistics.knocks) this.statistics.knocks = underWay
    const allowed = KNOCKS.besides + KNOCKS.eachSocket * host.sockets
    if (underWay > allowed) this.#report(host, `more than ${allowed} knocks on one peer are under way`)
  }

  /** Looks at gateways, and at what engines hold. */
  sweep(): void {
    for (const host of this.#ledger.hosts) {
      for (const place of host.machine.places) this.#lookAtGateway(host, place)
      for (const { flow, peer } of host.sides.values()) {
        const held = flow?.remotes.length ?? 0
        if (held > this.statistics.remotes) this.statistics.remotes = held
        if (held > REMOTES) this.#report(host, `it holds ${held} addresses of ${peer.name}`)
      }
    }
  }

  #lookAtGateway(host: Host, { site, ips }: WatchedPlace): void {
    const watched = site === undefined ? undefined : this.#ledger.world.internet.sites[site.index]
    if (watched?.gateway === undefined) return
    const allowed = this.#mayMap(host, watched.spec.nat)
    for (const ip of ips) {
      const taken = watched.gateway.mappingsOf(ip)
      if (taken > this.statistics.mappings) this.statistics.mappings = taken
      const open = watched.gateway.openPortsOf(ip)
      if (open > OPEN_PORTS)
        this.#report(host, `${open} open ports at its gateway, where ${OPEN_PORTS} are enough`)
      if (open > 0 && host.machine.hasEnded)
        this.#ledger.report('released', host.name, 'it has ended, and its port at the gateway is open still')
      if (taken > allowed) this.#report(host, `${taken} mappings of its gateway, where ${allowed} are enough`)
    }
  }

  #mayMap(host: Host, nat: NatSpec | undefined): number {
    if (nat === undefined) return ENDPOINTS
    const { eachEffort, effortMs, eachSocket, relays, besides } = MAPPINGS
    const punching =
      PUNCHING.eachEffort * (1 + Math.ceil(nat.lifetimeMs / PUNCHING.effortMs)) * host.sides.size
    // Behind another one that maps by destination it has a mapping for each socket.
    if (nat.mapping === 'endpoint-independent') return ENDPOINTS + punching
    const efforts = 1 + Math.ceil(nat.lifetimeMs / effortMs)
    return (eachEffort * efforts + relays) * host.sides.size + eachSocket * host.sockets + punching + besides
  }

  /** What was under way ends with the daemon. */
  #of(host: Host): UnderWay {
    const known = this.#underWay.get(host)
    if (known !== undefined && known.node === host.node) return known
    const now = asInstant(this.#ledger.now)
    const underWay: UnderWay = {
      node: host.node,
      lookUps: new Map(),
      knocks: new Map(),
      gossipedRecords: new TokenBucket(GOSSIPED_RECORDS.perSecond, GOSSIPED_RECORDS.burst, now),
      gossipedKnocks: undefined,
    }
    this.#underWay.set(host, underWay)
    return underWay
  }

  #report(host: Host, message: string): void {
    this.#ledger.report(NAME, host.name, message)
  }
}

function count(counts: Map<PublicKey, number>, key: PublicKey, by: 1 | -1): number {
  const value = Math.max(0, (counts.get(key) ?? 0) + by)
  counts.set(key, value)
  return value
}
