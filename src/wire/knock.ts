/**
 * Knocks: "start checking with me now". A knock carries its sender's signed record and is answered with the
 * receiver's. Both are protobuf (`protobuf/knock.proto`) of one layout; which is which is told by who speaks first.
 *
 * ```
 *  knock                                   relayed session                        address
 *    1  version        1                     1  nonce      16 bytes                 1  ip    4 or 16 bytes
 *    2  signed record  its bytes:            2  addresses  at most 2                2  port
 *                      see record.ts
 *    3  relayed        at most 4 sessions
 * ```
 *
 * A relayed session is a pair of ports at a member relay that is meant for these two: see crypto/relaySession.ts. One
 * without addresses was asked for and is not granted yet, so that the other need not ask for one as well.
 */

import { withArrayBuffer } from 'uint8arrays'
import { ipToBytes, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { KnockAnswerMessage, KnockMessage, type RelayedSessionMessage } from './protobuf/knock.js'
import { decodeProtobuf } from './protons.js'
import { isPublishable, publishedAddress } from './publishedAddress.js'
import { MAX_RECORD_LENGTH } from './record.js'

/** A request to start checking. */
export interface Knock {
  readonly version: 1
  /** The sender's, encoded. A decoded one is a view. */
  readonly signedRecord: Uint8Array
  /** Where the two may meet at relays, at most {@link MAX_RELAYED_SESSIONS}; absent for none. */
  readonly relayed?: readonly RelayedSession[]
}

/** What a knock is answered with: the same of the receiver. */
export type KnockAnswer = Knock

/** A session at a member relay, for the pair. */
export interface RelayedSession {
  /** 16 bytes, from which both derive the session's key and names. A decoded one is a view. */
  readonly nonce: Uint8Array
  /** Where the relay takes what is for the other: at most {@link MAX_SESSION_ADDRESSES}; none while it is being asked. */
  readonly addresses: readonly SocketAddress[]
}

export const MAX_RELAYED_SESSIONS = 4

/** One of each family. */
export const MAX_SESSION_ADDRESSES = 2

export const SESSION_NONCE_LENGTH = 16

/** A session in a knock: nonce, and two IPv6 addresses, each with its tag and length. */
const MAX_SESSION_LENGTH = 2 + 2 + SESSION_NONCE_LENGTH + MAX_SESSION_ADDRESSES * (2 + 2 + 16 + 1 + 3)

/** The longest knock, or answer to one, that is sent or read, in bytes: record, sessions, and room for later fields. */
export const MAX_KNOCK_LENGTH = MAX_RECORD_LENGTH + MAX_RELAYED_SESSIONS * MAX_SESSION_LENGTH + 64

/**
 * The bytes of a knock. Throws a RangeError where it is longer than {@link MAX_KNOCK_LENGTH}, or names too many
 * sessions, or one with a nonce or addresses that it may not have.
 */
export function encodeKnock(knock: Knock): Uint8Array {
  return bounded(KnockMessage.encode(toMessage(knock)))
}

/**
 * Reads a knock. Dropped as `knock-malformed` (also where it is too long, or a session breaks a rule) or
 * `knock-unknown-version`. The record inside is not read.
 */
export function decodeKnock(bytes: Uint8Array): Knock | Dropped {
  return accept(bytes, KnockMessage.decode)
}

/** The bytes of an answer; throws as {@link encodeKnock} does. */
export function encodeKnockAnswer(answer: KnockAnswer): Uint8Array {
  return bounded(KnockAnswerMessage.encode(toMessage(answer)))
}

/** Reads an answer; dropped as {@link decodeKnock} does. */
export function decodeKnockAnswer(bytes: Uint8Array): KnockAnswer | Dropped {
  return accept(bytes, KnockAnswerMessage.decode)
}

function bounded(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_KNOCK_LENGTH)
    throw new RangeError(`a knock has at most ${MAX_KNOCK_LENGTH} bytes, not ${bytes.length}`)
  return bytes
}

function toMessage({ version, signedRecord, relayed = [] }: Knock): KnockMessage {
  if (relayed.length > MAX_RELAYED_SESSIONS)
    throw new RangeError(
      `a knock names at most ${MAX_RELAYED_SESSIONS} relayed sessions, not ${relayed.length}`,
    )
  return { version, signedRecord: withArrayBuffer(signedRecord), relayed: relayed.map(sessionMessage) }
}

function sessionMessage({ nonce, addresses }: RelayedSession): RelayedSessionMessage {
  if (nonce.length !== SESSION_NONCE_LENGTH)
    throw new RangeError(`a session's nonce has ${SESSION_NONCE_LENGTH} bytes, not ${nonce.length}`)
  if (addresses.length > MAX_SESSION_ADDRESSES)
    throw new RangeError(`a session has at most ${MAX_SESSION_ADDRESSES} addresses, not ${addresses.length}`)
  return {
    nonce: withArrayBuffer(nonce),
    addresses: addresses.map((address) => {
      if (!isPublishable(address))
        throw new RangeError(`${address.ip} port ${address.port} is not for others`)
      return { ip: withArrayBuffer(ipToBytes(address.ip)), port: address.port }
    }),
  }
}

function accept(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => KnockMessage | KnockAnswerMessage,
): Knock | Dropped {
  if (bytes.length > MAX_KNOCK_LENGTH) return drop('knock-malformed')
  const message = decodeProtobuf(decode, bytes)
  if (message === undefined) return drop('knock-malformed')
  if (message.version !== 1) return drop('knock-unknown-version')
  const relayed: RelayedSession[] = []
  for (const each of message.relayed) {
    const session = sessionOf(each)
    if (session === undefined) return drop('knock-malformed')
    relayed.push(session)
  }
  const { signedRecord } = message
  return relayed.length === 0 ? { version: 1, signedRecord } : { version: 1, signedRecord, relayed }
}

function sessionOf({ nonce, addresses }: RelayedSessionMessage): RelayedSession | undefined {
  if (nonce.length !== SESSION_NONCE_LENGTH) return undefined
  const read: SocketAddress[] = []
  for (const { ip, port } of addresses) {
    const address = publishedAddress(ip, port)
    if (address === undefined) return undefined
    read.push(address)
  }
  return { nonce, addresses: read }
}
