/**
 * The STUN messages of a relay's sessions. No answer is longer than its request, so nothing is amplified.
 *
 * ```
 *  request                                              answer, under the session's key
 *  GRANT    SEALED                                       success: GRANTED; error: ERROR-CODE
 *  Binding  USERNAME, BIND-SEQUENCE, BIND-COOKIE,        success: XOR-MAPPED-ADDRESS, BIND-COOKIE
 *           MESSAGE-INTEGRITY-SHA256
 * ```
 *
 * A bind has USERNAME as its first attribute; the table knows it by that. Its BIND-COOKIE is what the last answer gave,
 * which shows that answers are heard where the bind comes from (bindCookies.ts); zeros before that, so that the answer is
 * no longer.
 */

import type { SocketAddress } from '../../base/address.js'
import type { HmacSha256 } from '../../crypto/hmacSha256.js'
import { COOKIE_LENGTH, type StunError } from '../../wire/stun/attributes.js'
import { encodeStun } from '../../wire/stun/message.js'
import { BINDING, GRANT } from '../../wire/stun/registry.js'

/** Asks for a session; `sealed` is what `sealGrant` made. */
export function encodeGrantAsk(transactionId: Uint8Array, sealed: Uint8Array): Uint8Array {
  return encodeStun({ messageClass: 'request', method: GRANT, transactionId, sealed })
}

/** The addresses of a session; `granted` is what `encodeGranted` made. */
export function encodeGrantSuccess(
  transactionId: Uint8Array,
  granted: Uint8Array,
  hmac: HmacSha256,
): Uint8Array {
  return encodeStun({ messageClass: 'success', method: GRANT, transactionId, granted }, hmac)
}

/** Why there is no session; the reason has at most {@link MAX_REFUSAL_LENGTH} bytes. */
export function encodeGrantRefusal(
  transactionId: Uint8Array,
  error: StunError,
  hmac: HmacSha256,
): Uint8Array {
  return encodeStun({ messageClass: 'error', method: GRANT, transactionId, error }, hmac)
}

/** The longest reason, in bytes, with which a refusal is no longer than what it refuses. */
export const MAX_REFUSAL_LENGTH = 160

/** In place of a cookie, where none was given yet. */
const NO_COOKIE = new Uint8Array(COOKIE_LENGTH)

/**
 * Binds the side of this name to where this message comes from; `sequence` is higher than in that side's last one, `cookie`
 * what the relay gave last.
 */
export function encodeBind(
  transactionId: Uint8Array,
  name: Uint8Array,
  sequence: number,
  hmac: HmacSha256,
  cookie: Uint8Array = NO_COOKIE,
): Uint8Array {
  return encodeStun(
    {
      messageClass: 'request',
      method: BINDING,
      transactionId,
      username: name,
      bindSequence: sequence,
      bindCookie: cookie,
    },
    hmac,
  )
}

/** The side is bound to `remote`; `cookie` is to come back from there, undefined where none need. */
export function encodeBindAnswer(
  transactionId: Uint8Array,
  remote: SocketAddress,
  hmac: HmacSha256,
  cookie: Uint8Array | undefined,
): Uint8Array {
  const answer = { messageClass: 'success', method: BINDING, transactionId, mappedAddress: remote } as const
  return encodeStun(cookie === undefined ? answer : { ...answer, bindCookie: cookie }, hmac)
}
