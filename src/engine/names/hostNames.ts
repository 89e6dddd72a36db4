/**
 * Names of hosts that the user gave for peers: what they resolve to, and when they are asked for again. Shared by all
 * peers of a node, so that peers of one name cost one question.
 *
 *   asked ─► in flight, one question a name ─► resolved: addresses, for as long as the TTL says
 *                                          └─► failed: the former addresses are kept, and pauses grow
 *
 * When a name is worth a question its peers know (namedPeer.ts).
 */

import { canonicalIp, familyOf, isGlobal } from '../../base/address.js'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, HOUR, type Instant, later, MINUTE, SECOND } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { Input } from '../inputs.js'

/** A host by its name, or by its canonical address, and a UDP port. */
export interface NamedHost {
  readonly host: string
  readonly port: number
}

/** Of what a name resolves to so many addresses are tried. */
export const MAX_ADDRESSES = 16

/** A TTL is taken for no less and no more than this; some name servers answer 0, and a host may move all the same. */
const TTL_MS = { least: 5 * SECOND, most: HOUR } as const
/** What comes without a TTL, as from a hosts file, is good for so long. */
const NO_TTL_MS = MINUTE

/** Between any two questions for one name, whoever asks. */
const PAUSE_MS = 1 * SECOND
/** After failures. */
const FAILED_AGAIN_MS: Backoff = { first: 1 * SECOND, longest: 60 * SECOND }

/** A reason comes from libraries, and is shown on terminals. */
const MAX_REASON_LENGTH = 200

/** What is known of one name. */
export interface KnownName {
  /** The order in which to try them: families take turns, IPv6 first (RFC 8305 section 4). */
  readonly ips: readonly string[]
  /** When it last was resolved; undefined for an address that stands for itself, and before the first answer. */
  readonly resolvedAt: Instant | undefined
  /** When that is to be believed no longer; undefined where it never was resolved, or needs not be. */
  readonly expiresAt: Instant | undefined
  /** Why the last question failed; undefined where it was answered. */
  readonly failure: string | undefined
  /** When it may be asked for again; undefined while it is, and for an address. */
  readonly askableAt: Instant | undefined
}

export type NameAnswer = Extract<Input, { readonly type: 'name-resolved' | 'name-failed' }>

interface NameState extends KnownName {
  readonly failures: number
}

const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export class HostNames {
  readonly #emit: Emit
  readonly #names = new Map<string, NameState>()

  constructor(emit: Emit, hosts: Iterable<string> = []) {
    this.#emit = emit
    for (const host of hosts) this.#add(host)
  }

  /** What is known of a name; undefined for one that was not given at the start. */
  get(host: string): KnownName | undefined {
    return this.#names.get(host)
  }

  /** Asks for a name, or has its peer wait for the question under way. False where it may not be asked for yet. */
  ask(host: string, now: Instant): boolean {
    const known = this.#names.get(host)
    if (known === undefined) return false
    if (known.askableAt === undefined) return true
    if (known.askableAt > now) return false
    this.#names.set(host, { ...known, askableAt: undefined })
    this.#emit({ type: 'resolve-name', name: host })
    return true
  }

  /** A question was answered, or was not. True where the addresses have changed. */
  answered(answer: NameAnswer, now: Instant): boolean {
    if (answer.type === 'name-resolved') return this.#resolved(answer.name, answer.ips, answer.ttlMs, now)
    this.#failed(answer.name, answer.reason, now)
    return false
  }

  /**
   * A name was resolved. What is no address does not count, and what is too much is left out; with none left it failed.
   * True where its addresses have changed.
   */
  #resolved(host: string, ips: readonly string[], ttlMs: number | undefined, now: Instant): boolean {
    const former = this.#names.get(host)
    if (former === undefined || isLiteral(former)) return false
    const ordered = inOrder(ips)
    if (ordered.length === 0) {
      this.#failed(host, 'it has no address', now)
      return false
    }
    const goodMs =
      ttlMs === undefined || Number.isNaN(ttlMs)
        ? NO_TTL_MS
        : Math.min(TTL_MS.most, Math.max(TTL_MS.least, ttlMs))
    const isNews = ordered.join() !== former.ips.join()
    this.#names.set(host, {
      ips: isNews ? ordered : former.ips,
      resolvedAt: now,
      expiresAt: after(now, goodMs),
      failure: undefined,
      askableAt: after(now, PAUSE_MS),
      failures: 0,
    })
    if (isNews) {
      const fields = { name: host, addresses: ordered.join(' ') }
      this.#emit({ type: 'log', level: 'debug', message: 'the name of a peer was resolved', fields })
    }
    return isNews
  }

  /** A name was not resolved. What it led to before is kept: the host may still be there. */
  #failed(host: string, reason: string, now: Instant): void {
    const former = this.#names.get(host)
    if (former === undefined || isLiteral(former)) return
    const failure = reason.slice(0, MAX_REASON_LENGTH).replace(/\p{Cc}+/gu, ' ')
    this.#names.set(host, {
      ...former,
      failure,
      askableAt: after(now, backoffMs(FAILED_AGAIN_MS, former.failures)),
      failures: former.failures + 1,
    })
    const level = former.failures === 0 ? 'warn' : 'debug'
    const message = 'the name of a peer could not be resolved; it is tried again while it is needed'
    this.#emit({ type: 'log', level, message, fields: { name: host, cause: failure } })
  }

  /** When it is to be asked for again because its TTL ended, where there is traffic; undefined while it is, or need not be. */
  renewAt(host: string): Instant | undefined {
    const known = this.#names.get(host)
    if (known?.expiresAt === undefined || known.askableAt === undefined) return undefined
    return later(known.expiresAt, known.askableAt)
  }

  #add(host: string): void {
    const ip = canonicalIp(host)
    this.#names.set(host, {
      ips: ip === undefined ? [] : [ip],
      resolvedAt: undefined,
      expiresAt: undefined,
      failure: undefined,
      askableAt: ip === undefined ? LONG_AGO : undefined,
      failures: 0,
    })
  }
}

/** An address stands for itself. */
function isLiteral({ ips, resolvedAt }: NameState): boolean {
  return ips.length > 0 && resolvedAt === undefined
}

/**
 * The order in which addresses are tried: families take turns, IPv6 first, as in RFC 8305 section 4; within a family
 * those first that mean the same to everybody. Name servers shuffle what they answer; here the same addresses are always
 * in the same order, so that only other ones are news.
 */
function inOrder(ips: readonly string[]): readonly string[] {
  const canonical = [...new Set(ips.map(canonicalIp).filter((ip) => ip !== undefined))]
  const sorted = canonical.sort((a, b) => Number(isGlobal(b)) - Number(isGlobal(a)) || (a < b ? -1 : 1))
  const [six, four] = ([6, 4] as const).map((family) => sorted.filter((ip) => familyOf(ip) === family))
  const turns: string[] = []
  for (let turn = 0; turn < sorted.length; turn++) {
    for (const family of [six, four]) {
      const ip = family?.[turn]
      if (ip !== undefined) turns.push(ip)
    }
  }
  return turns.slice(0, MAX_ADDRESSES)
}
