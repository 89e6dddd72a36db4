/**
 * Everything STUN that comes in on a shared socket: what it is, whether it may be believed, and what is answered.
 *
 *   request without a user name   a plain Binding request: reflected, if we serve that; or for a session at our relay
 *   request with one              a check, under a name of one of our pairs: answered
 *   response                      to a question to a reflector, to a check of ours, or from a member relay
 *
 * Nothing that is not authenticated, or not an answer to a fresh question of ours, has any effect but a counted drop.
 */

import { senderBlock } from '../../base/address.js'
import type { DropReason } from '../../base/drops.js'
import { isDropped } from '../../base/drops.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Instant, Now } from '../../base/time.js'
import { type AddressProof, PROOF_PADDING } from '../../wire/addressProof.js'
import { verifyIntegrity } from '../../wire/stun/integrity.js'
import { type DecodedStun, decodeStun, encodeStun } from '../../wire/stun/message.js'
import { BINDING, GRANT } from '../../wire/stun/registry.js'
import type { Emit } from '../effects.js'
import type { PairNames } from '../pairNames.js'
import { isFromAsked, type RelayRequest } from '../relay/clientSession.js'
import type { CheckSubject, PathAgent } from './agent.js'
import { encodeCheckAnswer, encodeUnknownAttributes } from './checks.js'
import { type Route, sameRoute } from './path.js'
import type { Reflection } from './reflection.js'
import { isLate, type Transactions } from './transactions.js'

/** Reflections for each source address, and for all. An answer is hardly longer than the question. */
const REFLECTIONS = {
  each: { perSecond: 20, burst: 50 },
  all: { perSecond: 2_000, burst: 2_000 },
  maxSources: 4_096,
} as const

/** Who may check us, and is checked. */
export interface CheckedPeer {
  readonly agent: PathAgent
  readonly holdsFirstMessage: boolean
}

export interface StunDeskParts<Checked extends CheckedPeer> {
  /** Whether plain Binding requests of anybody are answered now. */
  readonly reflects: () => boolean
  /** A proof for whoever asks from there under a name; undefined where it is to go without. */
  readonly prove?: ((ip: string, name: Uint8Array, now: Now) => AddressProof | undefined) | undefined
  readonly names: PairNames<Checked>
  readonly transactions: Transactions<CheckSubject>
  /** What we asked of member relays. */
  readonly relayRequests: Transactions<RelayRequest>
  readonly reflection: Reflection
  readonly emit: Emit
  readonly drop: (reason: DropReason) => void
  /** Takes a request for a session of our relay. */
  readonly askedForSession: (request: DecodedStun, from: Route, now: Now) => DropReason | undefined
  /** Whether an answer may go out there; counts a drop where it may not. */
  readonly canAnswer: (to: Route) => boolean
}

/** What a message meant, beyond what was answered. */
export type StunEvent<Checked> =
  | { readonly type: 'checked'; readonly by: Checked; readonly holdsFirstMessage: boolean }
  | {
      readonly type: 'check-answered'
      readonly agent: PathAgent
      readonly sentAt: Instant
      readonly holdsFirstMessage: boolean
      /** Of a padded check: its length in bytes. */
      readonly size: number | undefined
    }
  | { readonly type: 'reflected' }
  | { readonly type: 'relay-answered'; readonly request: RelayRequest; readonly response: DecodedStun }

export class StunDesk<Checked extends CheckedPeer> {
  readonly #parts: StunDeskParts<Checked>
  readonly #reflections: SourceLimiter

  constructor(parts: StunDeskParts<Checked>, now: Instant) {
    this.#parts = parts
    this.#reflections = new SourceLimiter(REFLECTIONS, now)
  }

  /** Takes a datagram that is framed as STUN. */
  received(datagram: Uint8Array, from: Route, now: Now): StunEvent<Checked> | undefined {
    const message = decodeStun(datagram)
    const outcome = isDropped(message) ? message.dropped : this.#understand(message, from, now)
    if (typeof outcome !== 'string') return outcome
    this.#parts.drop(outcome)
    return undefined
  }

  #understand(message: DecodedStun, from: Route, now: Now): StunEvent<Checked> | DropReason | undefined {
    switch (message.messageClass) {
      case 'request':
        if (message.method === GRANT) return this.#parts.askedForSession(message, from, now)
        return message.username === undefined
          ? this.#reflect(message, from, now)
          : this.#check(message, message.username, from, now)
      case 'success':
      case 'error':
        return this.#response(message, from, now.instant)
      case 'indication':
        return 'stun-unsupported'
    }
  }

  #reflect(request: DecodedStun, from: Route, now: Now): DropReason | undefined {
    const { reflects, canAnswer, emit } = this.#parts
    if (!reflects() || request.method !== BINDING) return 'stun-unsupported'
    if (!this.#reflections.admit(senderBlock(from.remote.ip), now.instant)) return 'stun-rate-limited'
    if (!canAnswer(from)) return undefined
    const datagram =
      request.unknownRequired.length > 0
        ? encodeUnknownAttributes(request, undefined)
        : this.#reflected(request, from, now)
    emit({ type: 'send', ...from, datagram })
    return undefined
  }

  /** With a proof where one is asked for, and the answer is no longer than the question with it. */
  #reflected(request: DecodedStun, { remote }: Route, now: Now): Uint8Array {
    const { transactionId, proofWanted, padding = 0 } = request
    const isPadded = proofWanted !== undefined && padding >= PROOF_PADDING
    const addressProof = isPadded ? this.#parts.prove?.(remote.ip, proofWanted, now) : undefined
    return encodeStun({
      messageClass: 'success',
      method: BINDING,
      transactionId,
      mappedAddress: remote,
      ...(addressProof === undefined ? {} : { addressProof }),
    })
  }

  #check(
    check: DecodedStun,
    username: Uint8Array,
    from: Route,
    now: Now,
  ): StunEvent<Checked> | DropReason | undefined {
    const { names, canAnswer, emit } = this.#parts
    const by = names.find(username, now.unix)
    if (by === undefined) return 'stun-unknown-user'
    const { keys } = by.agent
    if (!verifyIntegrity(check, keys.incoming.hmac)) return 'stun-bad-integrity'
    if (!canAnswer(from)) return undefined
    if (check.method !== BINDING) return 'stun-unsupported'
    if (check.unknownRequired.length > 0) {
      emit({ type: 'send', ...from, datagram: encodeUnknownAttributes(check, keys) })
      return 'stun-unsupported'
    }
    const datagram = encodeCheckAnswer(keys, check, from.remote, by.holdsFirstMessage)
    emit({ type: 'send', ...from, datagram })
    return { type: 'checked', by, holdsFirstMessage: check.holdsFirstMessage ?? false }
  }

  #response(response: DecodedStun, from: Route, now: Instant): StunEvent<Checked> | DropReason {
    const { reflection, transactions, relayRequests } = this.#parts
    if (reflection.isOurs(response)) {
      return reflection.answered(response, from, now)?.dropped ?? { type: 'reflected' }
    }
    if (relayRequests.get(response.transactionId) !== undefined)
      return this.#relayResponse(response, from, now)
    const transaction = transactions.get(response.transactionId)
    if (transaction === undefined || isLate(transaction, now)) return 'stun-unknown-transaction'
    const { agent, route, size } = transaction.subject
    if (!verifyIntegrity(response, agent.keys.outgoing.hmac)) return 'stun-bad-integrity'
    // RFC 8445 section 7.2.5.2.1: the answer comes from where the check went, to where it left.
    if (!sameRoute(from, route)) return 'stun-unknown-transaction'
    transactions.end(response.transactionId)
    if (response.messageClass !== 'success') return 'stun-unsupported'
    const holdsFirstMessage = response.holdsFirstMessage ?? false
    return { type: 'check-answered', agent, sentAt: transaction.sentAt, holdsFirstMessage, size }
  }

  /** Both a grant and a bind are answered under the session's own key, which nobody has but the two and their relay. */
  #relayResponse(response: DecodedStun, from: Route, now: Instant): StunEvent<Checked> | DropReason {
    const { relayRequests } = this.#parts
    const transaction = relayRequests.get(response.transactionId)
    if (transaction === undefined || isLate(transaction, now)) return 'stun-unknown-transaction'
    const request = transaction.subject
    if (!verifyIntegrity(response, request.session.keys.hmac)) return 'stun-bad-integrity'
    if (!isFromAsked(request, from)) return 'stun-unknown-transaction'
    relayRequests.end(response.transactionId)
    return { type: 'relay-answered', request, response }
  }
}
