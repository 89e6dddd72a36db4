/**
 * Whether the end that bound is where its bind says that it comes from, as QUIC asks it (RFC 9000 sections 8.1 and 9.3): a
 * member of the network can write any source address on a datagram, and have a relay send to it.
 *
 *   bind from a new address ──► answered there, with a cookie; up to three times what was sent is passed on to it
 *   bind with that cookie ────► verified: all is passed on to it
 *
 * A cookie is a MAC under a secret of the relay's, over the session, the side and the address, so the relay need not
 * remember any. What counts as sent are binds, and each once: data of an unproved address may be anybody's, also another
 * relay's, and two relays that pass one datagram back and forth would allow each other to go on.
 */

import { concat } from 'uint8arrays'
import { ipToBytes, type SocketAddress } from '../../base/address.js'
import type { Random } from '../../base/random.js'
import { isStreamAddress } from '../../base/streamAddress.js'
import { type HmacSha256, hmacSha256 } from '../../crypto/hmacSha256.js'
import { writeUint16 } from '../../wire/integers.js'
import { COOKIE_LENGTH } from '../../wire/stun/attributes.js'
import { equalInConstantTime } from '../../wire/stun/integrity.js'
import type { RelayEnd } from './table.js'

const SECRET_LENGTH = 32

/** RFC 9000 section 8.1: so many times the bytes that came may go to an address that is not verified. */
const UNVERIFIED_SHARE = 3

export class BindCookies {
  readonly #mac: HmacSha256

  constructor(random: Random) {
    this.#mac = hmacSha256(random.bytes(SECRET_LENGTH))
  }

  /** For the side of this name, of the session of this number, at this address; undefined where none is needed. */
  of(session: number, name: Uint8Array, { ip, port }: SocketAddress): Uint8Array | undefined {
    // What goes into a stream comes out where it was opened.
    if (isStreamAddress(ip)) return undefined
    const numbers = new Uint8Array(6)
    writeUint16(numbers, 0, port)
    writeUint16(numbers, 2, Math.floor(session / 2 ** 16))
    writeUint16(numbers, 4, session % 2 ** 16)
    return this.#mac(concat([numbers, name, ipToBytes(ip)])).slice(0, COOKIE_LENGTH)
  }
}

/** The end of a side that has just bound from there; `former` is the one that it had. */
export function endAt(local: string, remote: SocketAddress, former: RelayEnd | undefined): RelayEnd {
  const isSame = former !== undefined && former.remote.ip === remote.ip && former.remote.port === remote.port
  if (isSame && former.local === local) return former
  return { local, remote, credit: isSame ? former.credit : 0 }
}

/**
 * A bind of `received` bytes came from an end, with the cookie `echoed`, where `cookie` is the right one; it is answered
 * with `answered` bytes.
 */
export function creditBind(
  end: RelayEnd,
  cookie: Uint8Array | undefined,
  echoed: Uint8Array | undefined,
  received: number,
  answered: number,
): void {
  const isVerified = cookie === undefined || (echoed !== undefined && equalInConstantTime(echoed, cookie))
  if (isVerified) end.credit = Number.POSITIVE_INFINITY
  else end.credit = Math.max(0, end.credit + UNVERIFIED_SHARE * received - answered)
}
