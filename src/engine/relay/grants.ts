/**
 * Who gets a session: the desk of a member relay.
 *
 *   GRANT ─► rate limit ─► unseal ─► time, proof ─► quotas ─► ports are opened ─► answered
 *
 * What is no request sealed to us gets no answer. Whoever sealed one is told why it is refused, under the key that he
 * sent: with 403 where he has no right to it, 486 where his address has all that one may have, 508 where nobody gets any
 * (RFC 8656 section 19). Sessions that exist are kept, however many are asked for.
 */

import { familyOf, isGlobal, type SocketAddress, senderBlock } from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import { elapsed, HOUR, type Instant, type Now } from '../../base/time.js'
import { type HmacSha256, hmacSha256 } from '../../crypto/hmacSha256.js'
import { grantMac, openGrant } from '../../crypto/relayGrant.js'
import type { RelayKeys } from '../../crypto/relayKeys.js'
import { isPublishable } from '../../wire/publishedAddress.js'
import { encodeGranted, type GrantRequest, MAX_GRANTED_ADDRESSES } from '../../wire/relayGrant.js'
import type { StunError } from '../../wire/stun/attributes.js'
import { equalInConstantTime } from '../../wire/stun/integrity.js'
import type { DecodedStun } from '../../wire/stun/message.js'
import { ERROR_CODE } from '../../wire/stun/registry.js'
import type { Emit } from '../effects.js'
import type { Input, LocalSocket, RelaySessionId } from '../inputs.js'
import type { Route } from '../path/path.js'
import { encodeGrantRefusal, encodeGrantSuccess } from './messages.js'
import type { NoSession, RelaySession, RelaySessions } from './sessions.js'

/** Requests that are unsealed of each source, and in all: one is an X25519 operation. */
const ASKED = {
  each: { perSecond: 20, burst: 100 },
  all: { perSecond: 300, burst: 600 },
  maxSources: 4_096,
} as const

/** How far the clocks of the asker and ours may differ, in ms. */
const SKEW_MS = 2 * HOUR

export interface GrantDeskParts {
  readonly sessions: RelaySessions
  readonly keys: () => RelayKeys
  /** The MAC under the key of a closed network; undefined in an open one. */
  readonly membership: HmacSha256 | undefined
  /** The MAC that we share with a peer of our own interface; undefined for anybody else. */
  readonly peerProof: (peer: PublicKey) => HmacSha256 | undefined
  /** Whether new sessions are given now. */
  readonly serves: () => boolean
  readonly sockets: () => readonly LocalSocket[]
  readonly emit: Emit
  /** Whether an answer may go out there; counts a drop where it may not. */
  readonly canAnswer: (to: Route) => boolean
}

/** A request that waits for its session's ports. */
interface Waiting {
  readonly transactionId: Uint8Array
  readonly from: Route
  /** Our own IP at which it came in. */
  readonly asked: string
}

const REFUSALS: Readonly<Record<Exclude<NoSession, 'ended'>, StunError>> = {
  'quota-reached': {
    code: ERROR_CODE.quotaReached,
    reason: 'your address has as many sessions as one may have here',
  },
  'no-capacity': { code: ERROR_CODE.insufficientCapacity, reason: 'no session is left here' },
}
const NO_PORT: StunError = { code: ERROR_CODE.insufficientCapacity, reason: 'no port can be opened here' }

export class GrantDesk {
  readonly #parts: GrantDeskParts
  readonly #limiter: SourceLimiter
  /** The newest request for each session that is being opened. */
  readonly #waiting = new Map<RelaySessionId, Waiting>()
  /** Sessions that were given, and requests that were told why not, since the start. */
  granted = 0
  refused = 0

  constructor(parts: GrantDeskParts, now: Instant) {
    this.#parts = parts
    this.#limiter = new SourceLimiter(ASKED, now)
  }

  /** A request with the method GRANT came in. */
  asked(request: DecodedStun, from: Route, now: Now): DropReason | undefined {
    const { serves, sockets, canAnswer, keys, sessions } = this.#parts
    const socket = sockets().find(({ id }) => id === from.socket)
    if (!serves() || socket === undefined || request.unknownRequired.length > 0) return 'stun-unsupported'
    if (request.sealed === undefined) return 'relay-grant-malformed'
    if (!this.#limiter.admit(senderBlock(from.remote.ip), now.instant)) return 'relay-grant-rate-limited'
    if (!canAnswer(from)) return undefined
    const grant = openGrant(keys(), request.sealed)
    if (isDropped(grant)) return grant.dropped
    const asked = socket.address.ip
    const waiting = { transactionId: request.transactionId, from, asked }
    const denied = this.#whyNot(grant, now)
    if (denied !== undefined) {
      this.#refuse(waiting, { code: ERROR_CODE.forbidden, reason: denied }, hmacSha256(grant.key))
      return undefined
    }
    const session = sessions.open(grant, from.remote, addressesFor(asked, sockets()), now.instant)
    if (session === 'ended') return 'relay-grant-stale'
    if (typeof session === 'string') this.#refuse(waiting, REFUSALS[session], hmacSha256(grant.key))
    else if (session.addresses === undefined) this.#waiting.set(session.id, waiting)
    else this.#grant(waiting, session, session.addresses)
    return undefined
  }

  opened(input: Extract<Input, { type: 'relay-opened' }>): void {
    const waiting = this.#take(input.session)
    const session = this.#parts.sessions.opened(input)
    if (session === undefined || waiting === undefined) return
    this.granted += 1
    this.#grant(waiting, session, input.addresses)
  }

  failed({ session: id, reason }: Extract<Input, { type: 'relay-failed' }>): void {
    const waiting = this.#take(id)
    const session = this.#parts.sessions.failed(id)
    const message = 'no port could be opened for a session that we were to relay'
    this.#parts.emit({ type: 'log', level: 'warn', message, fields: { reason } })
    if (session !== undefined && waiting !== undefined) this.#refuse(waiting, NO_PORT, session.hmac)
  }

  /** A session ended whose ports never opened, or just now. */
  ended(id: RelaySessionId): void {
    this.#waiting.delete(id)
  }

  #take(id: RelaySessionId): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  /** For the asker to read; undefined where he may have a session. */
  #whyNot(grant: GrantRequest, now: Now): string | undefined {
    const { keys, membership, peerProof } = this.#parts
    const { proof } = grant
    if (Math.abs(elapsed(grant.issuedAt, now.unix)) > SKEW_MS) return 'your clock and ours are hours apart'
    if (membership !== undefined && proof.type !== 'network')
      return 'this network has a key: prove that you have it'
    if (membership === undefined && proof.type !== 'peer')
      return 'this network is open: only for peers of our own interface'
    const hmac = proof.type === 'peer' ? peerProof(proof.publicKey) : membership
    if (hmac === undefined) return 'you are no peer of our interface'
    const isProved = equalInConstantTime(grantMac(hmac, keys().publicKey, grant), proof.mac)
    return isProved ? undefined : 'the proof does not fit: another network key, or made for another relay'
  }

  #grant(
    { transactionId, from, asked }: Waiting,
    session: RelaySession,
    opened: readonly SocketAddress[],
  ): void {
    const addresses = opened
      .filter((address) => address.ip === asked || isPublishable(address))
      .sort((a, b) => rank(a, asked) - rank(b, asked))
      .slice(0, MAX_GRANTED_ADDRESSES)
    if (addresses.length === 0) {
      this.#refuse({ transactionId, from, asked }, NO_PORT, session.hmac)
      return
    }
    const datagram = encodeGrantSuccess(transactionId, encodeGranted(addresses, asked), session.hmac)
    this.#parts.emit({ type: 'send', ...from, datagram })
  }

  #refuse({ transactionId, from }: Waiting, error: StunError, hmac: HmacSha256): void {
    this.refused += 1
    this.#parts.emit({ type: 'send', ...from, datagram: encodeGrantRefusal(transactionId, error, hmac) })
  }
}

/**
 * The local addresses of a session that is asked for at `asked`: that one, and of the other family the one that means
 * most to others.
 */
function addressesFor(asked: string, sockets: readonly LocalSocket[]): readonly string[] {
  const others = sockets
    .map(({ address }) => address)
    .filter((address) => familyOf(address.ip) !== familyOf(asked) && isPublishable(address))
    .map(({ ip }) => ip)
  const other = others.find(isGlobal) ?? others[0]
  return other === undefined ? [asked] : [asked, other]
}

/** The address that was asked first, then what means the same to everybody. */
function rank({ ip }: SocketAddress, asked: string): number {
  if (ip === asked) return 0
  return isGlobal(ip) ? 1 : 2
}
