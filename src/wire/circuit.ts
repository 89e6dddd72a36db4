/**
 * A reservation at a circuit relay, as circuit-relay-v2 has it (libp2p specifications, relay/circuit-v2.md, "Reservation"):
 * protobuf (`protobuf/circuit.proto`). The voucher is not read: nobody asks us for it.
 *
 * ```
 *  request            answer
 *    1  type 0          1  type         2
 *                       3  reservation    1  expire  Unix time in seconds
 *                                         2  addrs   the relay's multiaddrs
 *                       5  status       100, or why not
 * ```
 */

import { type Dropped, drop } from '../base/drops.js'
import { asUnixTime, SECOND, type UnixTime } from '../base/time.js'
import { HopReservationMessage } from './protobuf/circuit.js'
import { decodeProtobuf } from './protons.js'

/** The longest answer that is read, in bytes. */
export const MAX_RESERVATION_LENGTH = 4096

const RESERVE = 0
const STATUS = 2
const OK = 100

export interface CircuitReservation {
  readonly expiresAt: UnixTime
  /** What the relay says are its addresses: multiaddrs in bytes, not looked at. */
  readonly addresses: readonly Uint8Array[]
}

/** The bytes of a request. */
export function encodeReserve(): Uint8Array {
  return HopReservationMessage.encode({ type: RESERVE })
}

/** Reads an answer: `refused` where it says no. Dropped as `reservation-malformed` where it is none, or too long. */
export function decodeReservation(bytes: Uint8Array): CircuitReservation | 'refused' | Dropped {
  if (bytes.length > MAX_RESERVATION_LENGTH) return drop('reservation-malformed')
  const message = decodeProtobuf(HopReservationMessage.decode, bytes)
  if (message?.type !== STATUS) return drop('reservation-malformed')
  if (message.status !== OK) return 'refused'
  const { reservation } = message
  if (reservation === undefined) return drop('reservation-malformed')
  const expiresAt = Number(reservation.expire) * SECOND
  if (!Number.isSafeInteger(expiresAt)) return drop('reservation-malformed')
  return { expiresAt: asUnixTime(expiresAt), addresses: reservation.addrs }
}
