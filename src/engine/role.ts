/**
 * Which part a node takes in the mesh: whether it serves (stores for others, relays streams, reflects) or is a client.
 *
 *                 dialled back, by two servers where there are two
 *     client ───────────────────────────────────────────────────────► serves
 *       ▲   asks when it joins or moves, and every 15 min                │  asks every 5 min
 *       └────────────────────────────────────────────────────────────────┘
 *        two probes in a row failed, 10 s apart; or no address is left
 *
 * One success is not enough: a server may say what it likes, and one in the same LAN sees what the world does not. Where no
 * server can be asked nothing is known, and nothing changes. A node that lost its role stays a client for a while, twice
 * as long each time: what comes and goes is worth less to others than nothing.
 *
 * With a role of the user's choice nothing is asked and nothing changes.
 */

import type { SocketAddress } from '../base/address.js'
import { backoffMs } from '../base/backoff.js'
import { forked, type Random, randomBelow } from '../base/random.js'
import { after, earliest, elapsed, HOUR, type Instant, MINUTE, SECOND } from '../base/time.js'
import type { Emit } from './effects.js'
import type { ReachabilityVerdict } from './inputs.js'

/** The role, or `auto`: found out by asking others. */
export type RoleOption = 'auto' | 'serves' | 'client'

/** How often is asked, in ms. */
const CLIENT_PROBE_MS = 15 * MINUTE
const SERVING_PROBE_MS = 5 * MINUTE
/** After a first success: what another server says. */
const SECOND_OPINION_MS = 2 * SECOND
/** After a first failure of a node that serves. */
const SECOND_CHANCE_MS = 10 * SECOND
const FAILURES_TO_STOP = 2
const SERVERS_TO_BELIEVE = 2
/** Where there was nobody to ask, or an answer that says nothing. */
const UNANSWERED = { first: 15 * SECOND, longest: CLIENT_PROBE_MS }
/** What changes comes in bursts. */
const SETTLED_MS = SECOND
/** A probe of which nothing is heard any more. */
const LOST_MS = 30 * SECOND
/** How long a node that lost its role stays a client at least. */
const DAMPING = { first: MINUTE, longest: HOUR }
/** A role that was held for so long was no flapping. */
const STEADY_MS = HOUR
/** Pauses are stretched by up to this share at random, so that a fleet does not ask in step. */
const JITTER = 0.2
const JITTER_STEPS = 1_000

export class Role {
  readonly #option: RoleOption
  readonly #emit: Emit
  readonly #random: Random | undefined
  #connected = false
  /** The machine's addresses, as one text to compare. */
  #addresses = ''
  #mapped: readonly SocketAddress[] | undefined = undefined
  #serves: boolean
  #reachable: boolean | undefined
  #servesSince: Instant | undefined = undefined
  /** Who said that we can be reached, since somebody last denied it. */
  readonly #believers = new Set<string>()
  #failures = 0
  #unanswered = 0
  /** How often the role was lost, and until when we are a client for that. */
  #losses = 0
  #clientUntil: Instant | undefined = undefined
  #probeAt: Instant | undefined = undefined
  #probing: { readonly until: Instant; readonly isStale: boolean } | undefined = undefined

  /** Draws nothing from `random` unless the role is found out. */
  constructor(option: RoleOption, random: Random, emit: Emit) {
    this.#option = option
    this.#emit = emit
    this.#random = option === 'auto' ? forked(random) : undefined
    this.#serves = option === 'serves'
    this.#reachable = option === 'auto' ? undefined : option === 'serves'
  }

  /** True while we serve the mesh. */
  get serves(): boolean {
    return this.#serves
  }

  /** Whether others reach us, as the user says or as it was found out; undefined as long as it was not. */
  get reachable(): boolean | undefined {
    return this.#reachable
  }

  /** When time alone makes a difference. */
  get nextWake(): Instant | undefined {
    if (this.#probing !== undefined) return this.#probing.until
    return this.#mayProbe ? this.#probeAt : undefined
  }

  /** The mesh has a server for us, or has none. */
  setConnected(connected: boolean, now: Instant): void {
    if (this.#option !== 'auto' || connected === this.#connected) return
    this.#connected = connected
    if (connected && !this.#serves) this.#probeWithin(SETTLED_MS, now)
    this.wake(now)
  }

  /** The IP addresses that the machine has. */
  setAddresses(ips: readonly string[], now: Instant): void {
    if (this.#option !== 'auto') return
    const addresses = [...new Set(ips)].sort().join(' ')
    if (addresses === this.#addresses) return
    this.#addresses = addresses
    this.#believers.clear()
    if (this.#probing !== undefined) this.#probing = { ...this.#probing, isStale: true }
    if (addresses === '') {
      this.#reachable = false
      this.#stopServing('no address is left', now)
    } else if (!this.#serves) this.#reachable = undefined
    this.#probeWithin(SETTLED_MS, now)
    this.wake(now)
  }

  /** Gateways have opened libp2p's port at these addresses: whether that is so, others are asked. */
  setMapped(mapped: readonly SocketAddress[], now: Instant): void {
    if (this.#option !== 'auto' || mapped === this.#mapped) return
    const isFirst = this.#mapped === undefined && mapped.length === 0
    this.#mapped = mapped
    if (isFirst) return
    this.#believers.clear()
    if (this.#probing !== undefined) this.#probing = { ...this.#probing, isStale: true }
    this.#probeWithin(SETTLED_MS, now)
    this.wake(now)
  }

  /** A probe has ended. */
  probed(verdict: ReachabilityVerdict, now: Instant): void {
    const probing = this.#probing
    if (probing === undefined) return
    this.#probing = undefined
    if (probing.isStale) this.#probeWithin(SETTLED_MS, now)
    else if (verdict.reachable === undefined) this.#unknown(now)
    else if (verdict.reachable) this.#reached(verdict, now)
    else this.#notReached(now)
    this.wake(now)
  }

  wake(now: Instant): void {
    if (this.#probing !== undefined && now >= this.#probing.until) {
      this.#probing = undefined
      this.#unknown(now)
    }
    if (!this.#mayProbe || this.#probing !== undefined) return
    if (this.#probeAt === undefined || now < this.#probeAt) return
    this.#probeAt = undefined
    this.#probing = { until: after(now, LOST_MS), isStale: false }
    this.#emit({ type: 'probe-reachability' })
  }

  get #mayProbe(): boolean {
    return this.#connected && this.#addresses !== ''
  }

  #unknown(now: Instant): void {
    const pause = backoffMs(UNANSWERED, this.#unanswered)
    this.#unanswered += 1
    const usual = this.#serves && this.#failures === 0 ? SERVING_PROBE_MS : pause
    this.#probeAfter(this.#failures > 0 ? SECOND_CHANCE_MS : usual, now)
  }

  #reached({ server, servers }: ReachabilityVerdict, now: Instant): void {
    this.#unanswered = 0
    this.#failures = 0
    if (this.#serves) {
      this.#probeAfter(SERVING_PROBE_MS, now)
      return
    }
    if (server !== undefined) this.#believers.add(server)
    if (this.#believers.size < Math.min(SERVERS_TO_BELIEVE, servers)) {
      this.#probeAfter(SECOND_OPINION_MS, now)
      return
    }
    this.#believers.clear()
    this.#reachable = true
    if (this.#clientUntil !== undefined && now < this.#clientUntil) {
      this.#probeAt = this.#clientUntil
      return
    }
    this.#serves = true
    this.#servesSince = now
    this.#emit({ type: 'serve', serves: true })
    this.#log('others can reach this node: it serves the mesh')
    this.#probeAfter(SERVING_PROBE_MS, now)
  }

  #notReached(now: Instant): void {
    this.#unanswered = 0
    this.#believers.clear()
    this.#failures += 1
    if (this.#serves && this.#failures < FAILURES_TO_STOP) {
      this.#probeAfter(SECOND_CHANCE_MS, now)
      return
    }
    this.#failures = 0
    this.#reachable = false
    this.#stopServing('others cannot reach it any more', now)
    this.#probeAfter(CLIENT_PROBE_MS, now)
    if (this.#clientUntil !== undefined && this.#clientUntil > now)
      this.#probeAt = earliest(this.#probeAt, this.#clientUntil)
  }

  #stopServing(reason: string, now: Instant): void {
    if (!this.#serves) return
    this.#serves = false
    if (this.#servesSince !== undefined && elapsed(this.#servesSince, now) >= STEADY_MS) this.#losses = 0
    this.#clientUntil = after(now, backoffMs(DAMPING, this.#losses))
    this.#losses += 1
    this.#servesSince = undefined
    this.#failures = 0
    this.#emit({ type: 'serve', serves: false })
    this.#log(`this node serves the mesh no more: ${reason}`)
  }

  /** Probes after `ms`, or sooner if that is due. */
  #probeWithin(ms: number, now: Instant): void {
    this.#probeAt = earliest(this.#probeAt, after(now, ms))
  }

  #probeAfter(ms: number, now: Instant): void {
    const steps = this.#random === undefined ? 0 : randomBelow(this.#random, JITTER_STEPS)
    this.#probeAt = after(now, ms + Math.round((ms * JITTER * steps) / JITTER_STEPS))
  }

  #log(message: string): void {
    this.#emit({ type: 'log', level: 'info', message, fields: {} })
  }
}
