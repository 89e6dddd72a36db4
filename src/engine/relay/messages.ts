/**
 * The STUN messages of a relay's sessions. No answer is longer than its request, so nothing is amplified.
 *
 * ```
 *  request                                              answer, under the session's key
 *  GRANT    SEALED                                       success: GRANTED; error: ERROR-CODE
 *  Binding  USERNAME, BIND-SEQUENCE, MESSAGE-INTEGRITY…  success: XOR-MAPPED-ADDRESS
 * ```
 *
 * A bind has USERNAME as its first attribute; the table knows it by that.
 */

import type { SocketAddress } from '../../base/address.js'
import type { HmacSha256 } from '../../crypto/hmacSha256.js'
import type { StunError } from '../../wire/stun/attributes.js'
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

/** Binds the side of this name to where this message comes from; `sequence` is higher than in that side's last one. */
export function encodeBind(
  transactionId: Uint8Array,
  name: Uint8Array,
  sequence: number,
  hmac: HmacSha256,
): Uint8Array {
  return encodeStun(
    { messageClass: 'request', method: BINDING, transactionId, username: name, bindSequence: sequence },
    hmac,
  )
}

/** The side is bound to `remote`. */
export function encodeBindAnswer(
  transactionId: Uint8Array,
  remote: SocketAddress,
  hmac: HmacSha256,
): Uint8Array {
  return encodeStun({ messageClass: 'success', method: BINDING, transactionId, mappedAddress: remote }, hmac)
}
