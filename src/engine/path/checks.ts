/**
 * Connectivity checks as they look on the wire (RFC 8445 section 7).
 *
 * A check is a STUN Binding request under the pair's opaque user name, with MESSAGE-INTEGRITY-SHA256 under the key of its
 * direction; its response is authenticated with the same key. Both say whether the sender holds a first message back, so
 * that the two never release theirs against each other.
 */

import type { SocketAddress } from '../../base/address.js'
import type { UnixTime } from '../../base/time.js'
import { epochOf, type PairKeys } from '../../crypto/pair.js'
import type { CandidateType } from '../../wire/candidate.js'
import { type DecodedStun, encodeStun, type StunMessage } from '../../wire/stun/message.js'
import { BINDING, ERROR_CODE } from '../../wire/stun/registry.js'

/** RFC 8445 section 5.1.2.2 recommends these type preferences; a mapped address is as good as a host's own. */
const TYPE_PREFERENCE: Readonly<Record<CandidateType, number>> = {
  host: 126,
  configured: 126,
  mapped: 120,
  'peer-reflexive': 110,
  'server-reflexive': 100,
  relayed: 0,
}

/** RFC 8445 section 5.1.2.1, with one component and one local preference. */
export function candidatePriority(type: CandidateType): number {
  return TYPE_PREFERENCE[type] * 2 ** 24 + 65_535 * 2 ** 8 + 255
}

/** Type and length of an attribute. */
const ATTRIBUTE_HEAD_LENGTH = 4

/** A check; where `size` is given, padded to so many bytes: a multiple of 4, as all messages of STUN. */
export function encodeCheck(
  keys: PairKeys,
  transactionId: Uint8Array,
  holdsFirstMessage: boolean,
  now: UnixTime,
  size?: number,
): Uint8Array {
  const check: StunMessage = {
    messageClass: 'request',
    method: BINDING,
    transactionId,
    username: keys.outgoing.nameAt(epochOf(now)),
    // What we would be to the peer if it learned of us by this check (RFC 8445 section 7.1.1).
    priority: candidatePriority('peer-reflexive'),
    holdsFirstMessage,
  }
  const datagram = encodeStun(check, keys.outgoing.hmac)
  if (size === undefined) return datagram
  const padding = Math.max(0, size - datagram.length - ATTRIBUTE_HEAD_LENGTH)
  return encodeStun({ ...check, padding }, keys.outgoing.hmac)
}

export function encodeCheckAnswer(
  keys: PairKeys,
  check: DecodedStun,
  from: SocketAddress,
  holdsFirstMessage: boolean,
): Uint8Array {
  return encodeStun(
    {
      messageClass: 'success',
      method: BINDING,
      transactionId: check.transactionId,
      mappedAddress: from,
      holdsFirstMessage,
    },
    keys.incoming.hmac,
  )
}

/** RFC 8489 section 6.3.1: 420 and the names of the attributes that we should have understood. */
export function encodeUnknownAttributes(request: DecodedStun, keys: PairKeys | undefined): Uint8Array {
  return encodeStun(
    {
      messageClass: 'error',
      method: request.method,
      transactionId: request.transactionId,
      error: { code: ERROR_CODE.unknownAttribute, reason: 'Unknown Attribute' },
      unknownAttributes: request.unknownRequired,
    },
    keys?.incoming.hmac,
  )
}
