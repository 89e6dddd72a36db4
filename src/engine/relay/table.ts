/**
 * The way of every datagram through a relay: one look-up.
 *
 *   from the address where one side is bound ──► to the address where the other is, unaltered
 *   STUN under one of the session's two names ─► to the node: a bind
 *   a request of STUN that is no check ────────► dropped, counted: an answer to it would be of the relay's own address
 *   anything else ─────────────────────────────► dropped, counted
 *
 * Nothing is ever sent to an address that has not bound, little to one that has not shown that it hears it (bindCookies.ts),
 * and nothing is longer or more than what came in. What passes is
 * limited in bytes a second of the session, of who asked for it, and in all.
 */

import type { SocketAddress } from '../../base/address.js'
import type { DropReason } from '../../base/drops.js'
import { TokenBucket } from '../../base/rateLimit.js'
import type { Instant } from '../../base/time.js'
import { readUint16 } from '../../wire/integers.js'
import { RELAY_NAME_LENGTH } from '../../wire/relayGrant.js'
import { isStun } from '../../wire/stun/message.js'
import { ATTRIBUTE, BINDING, HEADER_LENGTH } from '../../wire/stun/registry.js'
import type { RelaySessionId } from '../inputs.js'

/** Where a side is bound: our local address at which its bind came in, and where that came from. */
export interface RelayEnd {
  readonly local: string
  readonly remote: SocketAddress
  /** How many bytes may be passed on to it; infinite where it is verified. A float, and changed in place. */
  credit: number
}

/** One side of a session. */
export interface RelaySide {
  /** 16 bytes. */
  readonly name: Uint8Array
  end: RelayEnd | undefined
}

/** What the table knows of a session. */
export interface RelayEntry {
  readonly id: RelaySessionId
  readonly sides: readonly [RelaySide, RelaySide]
  readonly limit: TokenBucket
  /** Of all sessions that were asked for from where this one was. */
  readonly sourceLimit: TokenBucket
  /** When a datagram was passed on, or a side was bound. */
  usedAt: Instant
  bytes: number
}

/** How much may pass at once, as a share of a second's bytes; and the least, which is one datagram and some more. */
const BURST_SHARE = 0.25
const MIN_BURST = 65_536

/** A limit in bytes a second. */
export function byteLimit(bytesPerSecond: number, now: Instant): TokenBucket {
  return new TokenBucket(bytesPerSecond, Math.max(MIN_BURST, bytesPerSecond * BURST_SHARE), now)
}

export class RelayTable {
  readonly #entries = new Map<RelaySessionId, RelayEntry>()
  readonly #limit: TokenBucket | undefined
  readonly #drop: (reason: DropReason) => void
  /** What was passed on since the start. */
  bytes = 0
  datagrams = 0

  /** Without a limit for all, of a node that is no relay, there are no sessions either. */
  constructor(limit: TokenBucket | undefined, drop: (reason: DropReason) => void) {
    this.#limit = limit
    this.#drop = drop
  }

  add(entry: RelayEntry): void {
    this.#entries.set(entry.id, entry)
  }

  remove(id: RelaySessionId): void {
    this.#entries.delete(id)
  }

  /**
   * What becomes of a datagram that came to a session's port from `ip`, canonical, and `port`: it is sent on to an end,
   * from the session's port on the local address of that end; or the node decides; or it was dropped (undefined).
   */
  passed(
    id: RelaySessionId,
    ip: string,
    port: number,
    datagram: Uint8Array,
    now: Instant,
  ): RelayEnd | 'for-node' | undefined {
    const entry = this.#entries.get(id)
    // Of a session that has ended, in the moment before its port is closed.
    if (entry === undefined) return undefined
    const [one, other] = entry.sides
    if (isStun(datagram)) {
      if (hasNameOf(datagram, one.name) || hasNameOf(datagram, other.name)) return 'for-node'
      if (isPlainRequest(datagram)) return this.#dropped('relay-plain-request')
    }
    const to = isAt(one.end, ip, port) ? other : isAt(other.end, ip, port) ? one : undefined
    if (to === undefined) return this.#dropped('relay-unbound-sender')
    if (to.end === undefined) return this.#dropped('relay-other-unbound')
    const { length } = datagram
    if (to.end.credit < length) return this.#dropped('relay-unverified')
    if (
      !entry.limit.take(now, length) ||
      !entry.sourceLimit.take(now, length) ||
      !this.#limit?.take(now, length)
    )
      return this.#dropped('relay-over-quota')
    to.end.credit -= length
    entry.usedAt = now
    entry.bytes += length
    this.bytes += length
    this.datagrams += 1
    return to.end
  }

  #dropped(reason: DropReason): undefined {
    this.#drop(reason)
    return undefined
  }
}

function isAt(end: RelayEnd | undefined, ip: string, port: number): boolean {
  return end !== undefined && end.remote.port === port && end.remote.ip === ip
}

const AT_NAME = HEADER_LENGTH + 4

/** C1 and C0 of a STUN type (RFC 8489 section 5): neither is set in a request. */
const CLASS_BITS = 0x0110

/** True for STUN whose first attribute is USERNAME with this value, as in all that we encode. */
function hasNameOf(datagram: Uint8Array, name: Uint8Array): boolean {
  if (datagram.length < AT_NAME + RELAY_NAME_LENGTH || !hasNameFirst(datagram)) return false
  if (readUint16(datagram, HEADER_LENGTH + 2) !== RELAY_NAME_LENGTH) return false
  for (let at = 0; at < RELAY_NAME_LENGTH; at++) if (datagram[AT_NAME + at] !== name[at]) return false
  return true
}

/**
 * True for a request of STUN that is no Binding request with USERNAME as its first attribute, as checks are. What answers one says where it came from, or goes by
 * that: to pass it on would have a reflector prove that a side of the session is at the relay's address, and another relay
 * count the side's requests as the relay's.
 */
function isPlainRequest(datagram: Uint8Array): boolean {
  const type = readUint16(datagram, 0)
  return (type & CLASS_BITS) === 0 && (type !== BINDING || !hasNameFirst(datagram))
}

function hasNameFirst(datagram: Uint8Array): boolean {
  return datagram.length >= AT_NAME && readUint16(datagram, HEADER_LENGTH) === ATTRIBUTE.username
}
