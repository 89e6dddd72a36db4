/**
 * Whether a node can be reached from outside, asked of others: protobuf (`protobuf/reach.proto`). Three messages:
 *
 * ```
 *  asker ── reach request ──► server ── dial-back request ──► another server ── TCP, noise ──► asker
 *        ◄── reach answer ──         ◄──── reach answer ─────
 *
 *  reach request        dial-back request                 reach answer
 *    1  version  1        1  version   1                    1  version  1
 *    2  port              2  ip        4 or 16 bytes         2  verdict  0 not tried, 1 reachable, 2 unreachable
 *                         3  port                           3  by       0 the server asked, 1 another
 *                         4  identity  32 bytes             4  ip       where the asker was looked for
 * ```
 *
 * The asker chooses a port and nothing else: the address is the one at which the server sees it.
 */

import { withArrayBuffer } from 'uint8arrays'
import { canonicalIp, familyOf, ipFromBytes, ipToBytes, isPort, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { DialBackRequestMessage, ReachAnswerMessage, ReachRequestMessage } from './protobuf/reach.js'
import { decodeProtobuf } from './protons.js'

/** The longest of these messages that is sent or read, in bytes; there is room for later fields. */
export const MAX_REACH_LENGTH = 256

const IDENTITY_LENGTH = 32

/** "Can my TCP port be reached at the address at which you see me?" */
export interface ReachRequest {
  readonly port: number
}

/** "Dial this, and expect that identity." */
export interface DialBackRequest {
  readonly address: SocketAddress
  /** A raw Ed25519 public key. A decoded one is a view. */
  readonly identity: Uint8Array
}

/** `not-tried`: too many asked, or nobody could dial. */
export type ReachVerdict = 'not-tried' | 'reachable' | 'unreachable'

export interface ReachAnswer {
  readonly verdict: ReachVerdict
  /** Who dialled: `same` is the server that was asked, `another` one to which the asker has no connection. */
  readonly by: 'same' | 'another'
  /** Where the asker was looked for; undefined where it was not. */
  readonly ip: string | undefined
}

/** In the order of their codes. */
const VERDICTS = ['not-tried', 'reachable', 'unreachable'] as const

/** The bytes of a request to a server. Throws a RangeError on a port that is none. */
export function encodeReachRequest({ port }: ReachRequest): Uint8Array {
  if (!isPort(port)) throw new RangeError(`not a port: ${port}`)
  return ReachRequestMessage.encode({ version: 1, port })
}

/** Reads a request; dropped as `reach-malformed` where it is too long, of another version, or has no port. */
export function decodeReachRequest(bytes: Uint8Array): ReachRequest | Dropped {
  const message = decode(ReachRequestMessage.decode, bytes)
  return message === undefined || !isPort(message.port) ? drop('reach-malformed') : { port: message.port }
}

/** The bytes of a request that is handed on. Throws a RangeError on an address, port or identity that is none. */
export function encodeDialBackRequest({ address, identity }: DialBackRequest): Uint8Array {
  const { ip, port } = address
  if (canonicalIp(ip) !== ip || !isPort(port)) throw new RangeError(`not an address: ${ip} port ${port}`)
  if (identity.length !== IDENTITY_LENGTH) throw new RangeError('an identity has 32 bytes')
  return DialBackRequestMessage.encode({
    version: 1,
    ip: withArrayBuffer(ipToBytes(ip)),
    port,
    identity: withArrayBuffer(identity),
  })
}

/** Reads one; dropped as `reach-malformed` where it is too long, of another version, or breaks a rule. */
export function decodeDialBackRequest(bytes: Uint8Array): DialBackRequest | Dropped {
  const message = decode(DialBackRequestMessage.decode, bytes)
  const ip = message && ipOf(message.ip)
  if (message === undefined || ip === undefined) return drop('reach-malformed')
  const { port, identity } = message
  if (!isPort(port) || identity.length !== IDENTITY_LENGTH) return drop('reach-malformed')
  return { address: { ip, port }, identity }
}

/** The bytes of an answer. Throws a RangeError on an address that is none. */
export function encodeReachAnswer({ verdict, by, ip }: ReachAnswer): Uint8Array {
  if (ip !== undefined && canonicalIp(ip) !== ip) throw new RangeError(`not an address: ${ip}`)
  return ReachAnswerMessage.encode({
    version: 1,
    verdict: VERDICTS.indexOf(verdict),
    by: by === 'another' ? 1 : 0,
    ip: withArrayBuffer(ip === undefined ? new Uint8Array() : ipToBytes(ip)),
  })
}

/**
 * Reads an answer; dropped as `reach-malformed` where it is too long, of another version, or breaks a rule. A verdict of a
 * later kind is `not-tried`.
 */
export function decodeReachAnswer(bytes: Uint8Array): ReachAnswer | Dropped {
  const message = decode(ReachAnswerMessage.decode, bytes)
  if (message === undefined) return drop('reach-malformed')
  const ip = message.ip.length === 0 ? undefined : ipOf(message.ip)
  if (ip === undefined && message.ip.length > 0) return drop('reach-malformed')
  return { verdict: VERDICTS[message.verdict] ?? 'not-tried', by: message.by === 1 ? 'another' : 'same', ip }
}

function decode<Message extends { readonly version: number }>(
  decodeMessage: (bytes: Uint8Array) => Message,
  bytes: Uint8Array,
): Message | undefined {
  if (bytes.length > MAX_REACH_LENGTH) return undefined
  const message = decodeProtobuf(decodeMessage, bytes)
  return message?.version === 1 ? message : undefined
}

/** Sixteen bytes that are an IPv4 address have another spelling, of four, and are refused. */
function ipOf(bytes: Uint8Array): string | undefined {
  const ip = ipFromBytes(bytes)
  return ip === undefined || bytes.length !== (familyOf(ip) === 4 ? 4 : 16) ? undefined : ip
}
