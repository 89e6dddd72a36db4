/**
 * What the paths in use to one peer carry, as an MTU of WireGuard's interface: asked while there is traffic over a path
 * that answers checks, and told once where the interface's own MTU is too large.
 *
 *   a packet of the interface's MTU  ─ WireGuard: + 32 ─► a datagram  ─ UDP and IPv4: + 28, or IPv6: + 48 ─► the path
 *
 * WireGuard pads packets to a multiple of 16 bytes, but not beyond the interface's MTU (see `src/wire/wireguard.ts`).
 */

import { familyOf } from '../../base/address.js'
import { after, elapsed, type Instant, type Now, SECOND } from '../../base/time.js'
import { MIN_TRANSPORT_LENGTH } from '../../wire/wireguard.js'
import type { Emit } from '../effects.js'
import type { PathAgent } from './agent.js'
import { MtuSearch, probeSize } from './mtu.js'
import type { Path } from './path.js'

/** A path that is in use for a moment only, while others are tried, is not asked. */
const SETTLED_MS = SECOND

/** Nothing for so long, in answer to packets of WireGuard's, is more than the way there and back. */
const SILENCE_MS = 750

/** What was found of so many paths is kept, for one that is used again. */
const MAX_PATHS = 4

/** IPv6's least MTU (RFC 8200 section 5). */
const LEAST_IPV6_MTU = 1_280
const UDP_HEADER = 8
const IP_HEADER = { 4: 20, 6: 40 } as const

/** WireGuard's interface, as far as packets' lengths go. */
export interface InterfaceMtu {
  readonly device: string
  readonly mtu: number
}

export interface MtuProbingParts {
  readonly agent: PathAgent
  readonly emit: Emit
  /** Undefined where nothing can be sent unfragmented: then no path is asked. */
  readonly interfaceMtu: () => InterfaceMtu | undefined
}

export class MtuProbing {
  readonly #parts: MtuProbingParts
  /** By route, the one used last at the end. */
  readonly #searches = new Map<string, MtuSearch>()
  #current: MtuSearch | undefined = undefined
  #currentRoute: string | undefined = undefined
  #isOn = false
  /** The MTU that was last said to be the right one; undefined where the interface's own was no problem. */
  #told: number | undefined = undefined

  constructor(parts: MtuProbingParts) {
    this.#parts = parts
  }

  /**
   * The largest MTU of the interface whose packets the path in use carries whole; at most the one that it has.
   * Undefined where that is not known.
   */
  get mtu(): number | undefined {
    const known = this.#parts.interfaceMtu()
    const carries = this.#current?.carries
    if (known === undefined || carries === undefined) return undefined
    return Math.min(known.mtu, carries - MIN_TRANSPORT_LENGTH)
  }

  /** The path in use may have changed, and whether there is traffic (`isActive`). */
  settle(isActive: boolean, now: Instant): void {
    const known = this.#parts.interfaceMtu()
    const path = this.#parts.agent.current
    if (known === undefined || path?.proof !== 'check') {
      this.#current = undefined
      this.#currentRoute = undefined
      this.#isOn = false
      return
    }
    const wanted = probeSize(known.mtu + MIN_TRANSPORT_LENGTH)
    this.#follow(path, wanted, now)
    this.#current?.want(wanted, now)
    const isOn = isActive && this.#parts.agent.isSound
    if (!isOn && this.#isOn) this.#current?.interrupted()
    this.#isOn = isOn
    this.#tell(known)
  }

  /** A check of this size was answered over the path in use. */
  answered(size: number, now: Instant): void {
    this.#current?.answered(size, now)
  }

  /** A check of this size could not leave. */
  tooLarge(size: number, now: Instant): void {
    this.#current?.tooLarge(size, now)
  }

  /** A small check was answered, and WireGuard's packets were not since `unheardSince`: perhaps they are too large. */
  doubt(unheardSince: Instant, now: Instant): void {
    if (elapsed(unheardSince, now) >= SILENCE_MS) this.#current?.doubt(now)
  }

  get nextWake(): Instant | undefined {
    return this.#isOn ? this.#current?.nextWake : undefined
  }

  /** Asks what is due, if there is traffic still. */
  wake(isActive: boolean, now: Now): void {
    this.settle(isActive, now.instant)
    const { agent } = this.#parts
    const path = agent.current
    const { answeredAt } = agent
    if (!this.#isOn || this.#current === undefined || path === undefined || answeredAt === undefined) return
    const step = this.#current.wake({ rttMs: path.rttMs, answeredAt }, now.instant)
    if (step.type === 'send') agent.askWithSize(step.size, now)
    else if (step.type === 'ask') agent.probe(now.instant)
  }

  #follow(path: Path, wanted: number, now: Instant): void {
    const route = `${path.socket} ${path.remote.ip} ${path.remote.port}`
    if (route === this.#currentRoute) return
    this.#currentRoute = route
    const known = this.#searches.get(route)
    this.#searches.delete(route)
    const base = LEAST_IPV6_MTU - UDP_HEADER - IP_HEADER[familyOf(path.remote.ip)]
    this.#current = known ?? new MtuSearch(wanted, base, after(now, SETTLED_MS))
    this.#searches.set(route, this.#current)
    // What it carried once it may carry no longer.
    known?.interrupted()
    known?.doubt(now)
    const [oldest] = this.#searches.keys()
    if (this.#searches.size > MAX_PATHS && oldest !== undefined) this.#searches.delete(oldest)
  }

  /** Says once that the interface's MTU is too large, and once that it is not so any longer. */
  #tell({ device, mtu }: InterfaceMtu): void {
    const right = this.mtu
    // While it is searched for anew, nothing has changed yet.
    if (right === undefined) return
    const told = right < mtu ? right : undefined
    if (told === this.#told) return
    this.#told = told
    const peer = this.#parts.agent.peer
    if (told === undefined) {
      this.#parts.emit({
        type: 'log',
        level: 'info',
        message: 'the path to a peer carries full packets of the interface',
        fields: { peer, mtu },
      })
      return
    }
    this.#parts.emit({
      type: 'log',
      level: 'warn',
      message: `the MTU of ${device} is too large for the path to a peer: ip link set ${device} mtu ${told}`,
      fields: { peer, mtu, carried: told },
    })
  }
}
