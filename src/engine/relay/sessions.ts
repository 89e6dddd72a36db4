/**
 * The sessions that a member relay has: each is a UDP port for one pair, on one local address a family.
 *
 *   opened ──both sides bound──► in use ──nothing passed and no bind for 90 s──► ended
 *     └── not both within 15 s ─────────────────────────────────────────────────► ended
 *
 * A session is known by its names and its key together: who saw the names on the way, and is a member himself, gets
 * another session under them, not this one. A bind moves its side to where it came from. Each must have a higher
 * sequence than that side's last, so a captured one, sent again from elsewhere, moves nothing. To where a side has moved
 * little is passed on until it has shown that it is there (bindCookies.ts).
 */

import { compare, concat, toString as toText } from 'uint8arrays'
import { type SocketAddress, senderBlock } from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import type { Random } from '../../base/random.js'
import type { TokenBucket } from '../../base/rateLimit.js'
import { after, earliest, elapsed, type Instant, later, type Now, SECOND } from '../../base/time.js'
import { type HmacSha256, hmacSha256 } from '../../crypto/hmacSha256.js'
import type { GrantTerms } from '../../wire/relayGrant.js'
import { verifyIntegrity } from '../../wire/stun/integrity.js'
import { decodeStun } from '../../wire/stun/message.js'
import { BINDING } from '../../wire/stun/registry.js'
import type { Emit } from '../effects.js'
import type { Input, LocalSocket, MachineRoute, RelaySessionId } from '../inputs.js'
import { leavesByTunnel } from '../path/reachability.js'
import { BindCookies, creditBind, endAt } from './bindCookies.js'
import { encodeBindAnswer } from './messages.js'
import type { RelayQuotas } from './quotas.js'
import { byteLimit, type RelayEntry, type RelaySide, type RelayTable } from './table.js'

/** In ms. */
const UNBOUND_MS = 15 * SECOND
const IDLE_MS = 90 * SECOND
/** Sessions that end this close to each other end together. */
const SWEEP_MS = SECOND

/** Sessions in a row that were given and that nobody came to, after which the log says so. */
const UNREACHED_TO_WARN = 8

/** Ended sessions that are remembered, some hundred bytes each, so that a captured request does not open them again. */
const MAX_ENDED = 4_096

/** One session. */
export interface RelaySession {
  readonly id: RelaySessionId
  readonly hmac: HmacSha256
  /** Undefined until its ports are open. */
  readonly addresses: readonly SocketAddress[] | undefined
}

/** Why there is no session: none is left for this source, or for anybody. */
export type NoSession = 'quota-reached' | 'no-capacity' | 'ended'

interface Side extends RelaySide {
  /** Of its last bind. */
  sequence: number
}

interface Session {
  readonly id: RelaySessionId
  /** Its names and key, as one text. */
  readonly identity: string
  /** Of the newest request for it. */
  issuedAt: number
  readonly hmac: HmacSha256
  readonly source: string
  readonly ips: readonly string[]
  readonly sides: readonly [Side, Side]
  readonly entry: RelayEntry
  readonly openedAt: Instant
  addresses: readonly SocketAddress[] | undefined
  /** True once both sides were bound. */
  isInUse: boolean
}

interface Source {
  sessions: number
  readonly limit: TokenBucket
}

export interface RelaySessionsParts {
  readonly onEnd: (id: RelaySessionId) => void
  readonly quotas: RelayQuotas
  readonly table: RelayTable
  readonly random: Random
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
}

export class RelaySessions {
  readonly #parts: RelaySessionsParts
  readonly #byId = new Map<RelaySessionId, Session>()
  readonly #byIdentity = new Map<string, Session>()
  readonly #sources = new Map<string, Source>()
  /** By identity, when the newest request for it was issued. */
  readonly #ended = new Map<string, number>()
  readonly #cookies: BindCookies
  #nextId = 0
  /** How many in a row nobody came to. */
  #unreached = 0
  #sweepAt: Instant | undefined = undefined

  constructor(parts: RelaySessionsParts) {
    this.#parts = parts
    this.#cookies = new BindCookies(parts.random)
  }

  /** How many there are, opened or being opened. */
  get size(): number {
    return this.#byId.size
  }

  /** When a session may end. */
  get nextWake(): Instant | undefined {
    return this.#sweepAt
  }

  /** The session with these names and this key, whoever asks; a new one, asked for from `from`, where there is none. */
  open(
    terms: GrantTerms,
    from: SocketAddress,
    ips: readonly string[],
    now: Instant,
  ): RelaySession | NoSession {
    const { names, key } = terms
    const [lower, higher] = compare(names[0], names[1]) < 0 ? names : [names[1], names[0]]
    const identity = toText(concat([lower, higher, key]), 'base64')
    const present = this.#byIdentity.get(identity)
    if (present !== undefined) {
      present.issuedAt = Math.max(present.issuedAt, terms.issuedAt)
      return present
    }
    if (terms.issuedAt <= (this.#ended.get(identity) ?? Number.NEGATIVE_INFINITY)) return 'ended'

    const { quotas, emit } = this.#parts
    const block = senderBlock(from.ip)
    if (this.#byId.size >= quotas.sessions || ips.length === 0) return 'no-capacity'
    if ((this.#sources.get(block)?.sessions ?? 0) >= quotas.sessionsPerSource) return 'quota-reached'
    const source = this.#takeSource(block, now)
    const id = this.#nextId++
    const sides: [Side, Side] = [sideOf(lower), sideOf(higher)]
    const session: Session = {
      id,
      identity,
      issuedAt: terms.issuedAt,
      hmac: hmacSha256(key),
      source: block,
      ips,
      sides,
      entry: {
        id,
        sides,
        limit: byteLimit(quotas.bytesPerSecondOfSession, now),
        sourceLimit: source.limit,
        usedAt: now,
        bytes: 0,
      },
      openedAt: now,
      addresses: undefined,
      isInUse: false,
    }
    this.#byId.set(id, session)
    this.#byIdentity.set(identity, session)
    this.#sweepAt = earliest(this.#sweepAt, endOf(session))
    emit({ type: 'open-relay', session: id, ips })
    return session
  }

  /** The ports are open. Returns the session; undefined where it has ended. */
  opened({ session: id, addresses }: Extract<Input, { type: 'relay-opened' }>): RelaySession | undefined {
    const session = this.#byId.get(id)
    if (session === undefined) {
      this.#parts.emit({ type: 'close-relay', session: id })
      return undefined
    }
    session.addresses = addresses
    this.#parts.table.add(session.entry)
    return session
  }

  /** No port could be opened. Returns the session that there was to be; undefined where it has ended. */
  failed(id: RelaySessionId): RelaySession | undefined {
    const session = this.#byId.get(id)
    if (session !== undefined) this.#forget(session)
    return session
  }

  /** A bind came in, as it seems. */
  bind(input: Extract<Input, { type: 'relay-datagram' }>, routes: readonly MachineRoute[], now: Now): void {
    const outcome = this.#bind(input, routes, now.instant)
    if (outcome !== undefined) this.#parts.drop(outcome)
  }

  #bind(
    { session: id, local, remote, datagram }: Extract<Input, { type: 'relay-datagram' }>,
    routes: readonly MachineRoute[],
    now: Instant,
  ): DropReason | undefined {
    const session = this.#byId.get(id)
    const message = decodeStun(datagram)
    if (isDropped(message)) return message.dropped
    const { username, bindSequence } = message
    const isBind = message.messageClass === 'request' && message.method === BINDING
    if (!isBind || username === undefined || message.unknownRequired.length > 0) return 'stun-unsupported'
    const side = session?.sides.find(({ name }) => compare(name, username) === 0)
    if (session === undefined || side === undefined) return 'stun-unknown-user'
    if (!verifyIntegrity(message, session.hmac)) return 'stun-bad-integrity'
    if (leavesByTunnel(routes, remote.ip)) return 'through-tunnel'
    // The same again is one whose answer was lost.
    const isRepeated =
      bindSequence === side.sequence &&
      side.end?.remote.ip === remote.ip &&
      side.end.remote.port === remote.port
    if (bindSequence === undefined || (bindSequence <= side.sequence && !isRepeated))
      return 'relay-stale-bind'
    side.sequence = bindSequence
    const end = endAt(local, remote, side.end)
    side.end = end
    // An address is of the side that bound there last, so that nothing is sent back to where it came from.
    const [one, other] = session.sides
    const opposite = side === one ? other : one
    if (opposite.end?.remote.ip === remote.ip && opposite.end.remote.port === remote.port)
      opposite.end = undefined
    session.isInUse ||= opposite.end !== undefined
    session.entry.usedAt = later(session.entry.usedAt, now)
    const cookie = this.#cookies.of(id, side.name, remote)
    // Who sent none has no room for one in his request, and gets none.
    const given = message.bindCookie === undefined ? undefined : cookie
    const answer = encodeBindAnswer(message.transactionId, remote, session.hmac, given)
    creditBind(end, cookie, message.bindCookie, isRepeated ? 0 : datagram.length, answer.length)
    this.#parts.emit({ type: 'send-relay', session: id, local, remote, datagram: answer })
    return undefined
  }

  /** Ends those that have no local address left. */
  socketsChanged(sockets: readonly LocalSocket[]): void {
    const present = new Set(sockets.map(({ address }) => address.ip))
    for (const session of [...this.#byId.values()])
      if (!session.ips.some((ip) => present.has(ip))) this.#end(session)
  }

  /** Ends those whose time is over. */
  wake(now: Instant): void {
    if (this.#sweepAt === undefined || now < this.#sweepAt) return
    let next: Instant | undefined
    for (const session of [...this.#byId.values()]) {
      const end = endOf(session)
      if (elapsed(end, now) >= 0) this.#end(session)
      else next = earliest(next, end)
    }
    // What is in use moves its end with every datagram, so it is not looked at for each of these moments.
    this.#sweepAt = next && later(next, after(now, SWEEP_MS))
  }

  #takeSource(block: string, now: Instant): Source {
    const { quotas } = this.#parts
    let source = this.#sources.get(block)
    if (source === undefined) {
      source = { sessions: 0, limit: byteLimit(quotas.bytesPerSecondOfSource, now) }
      this.#sources.set(block, source)
    }
    source.sessions += 1
    return source
  }

  #end(session: Session): void {
    const [oldest] = this.#ended.keys()
    if (oldest !== undefined && this.#ended.size >= MAX_ENDED) this.#ended.delete(oldest)
    this.#ended.set(session.identity, session.issuedAt)
    if (session.addresses !== undefined) this.#noteUse(session)
    this.#forget(session)
    this.#parts.onEnd(session.id)
    this.#parts.emit({ type: 'close-relay', session: session.id })
  }

  /** Who is given a session binds to it at once, unless a firewall of ours is in the way. */
  #noteUse({ sides }: Session): void {
    const isReached = sides.some(({ end }) => end !== undefined)
    this.#unreached = isReached ? 0 : this.#unreached + 1
    if (this.#unreached !== UNREACHED_TO_WARN) return
    const message =
      'nobody reaches the ports of relayed sessions: let UDP in, or give --relay-ports or --no-relay'
    this.#parts.emit({ type: 'log', level: 'warn', message, fields: { sessions: this.#unreached } })
  }

  #forget(session: Session): void {
    this.#byId.delete(session.id)
    this.#byIdentity.delete(session.identity)
    this.#parts.table.remove(session.id)
    const source = this.#sources.get(session.source)
    if (source === undefined) return
    source.sessions -= 1
    if (source.sessions === 0) this.#sources.delete(session.source)
  }
}

function sideOf(name: Uint8Array): Side {
  return { name: name.slice(), end: undefined, sequence: Number.NEGATIVE_INFINITY }
}

function endOf({ isInUse, openedAt, entry }: Session): Instant {
  return isInUse ? after(entry.usedAt, IDLE_MS) : after(openedAt, UNBOUND_MS)
}
