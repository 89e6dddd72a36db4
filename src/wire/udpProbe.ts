/**
 * One UDP datagram, asked for over the mesh: protobuf (`protobuf/udpProbe.proto`). What a NAT lets in of those to whom
 * nothing was sent can only be told by somebody who is such a one.
 *
 * ```
 *  asker ── probe request ──► server ── UDP: a STUN Binding indication with the nonce ──► the asker's address, that port
 *        ◄── probe answer ──
 *
 *  probe request                            probe answer
 *    1  version  1                            1  version     1
 *    2  port     where the asker wants it     2  ip          where it was sent; empty where it was not
 *    3  nonce    12 bytes                     3  other port  from which port, where not from the usual one; else 0
 *    4  from     0 the usual port, 1 another
 *    5  at       the server's address by which the asker knows it
 * ```
 *
 * The asker chooses a port and a nonce, which is the transaction id of the indication. The address is the one at which
 * the server sees the asker. The datagram is shorter than the request: there is no amplification.
 */

import { withArrayBuffer } from 'uint8arrays'
import { canonicalIp, familyOf, ipFromBytes, ipToBytes, isPort } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { UdpProbeAnswerMessage, UdpProbeRequestMessage } from './protobuf/udpProbe.js'
import { decodeProtobuf } from './protons.js'
import { encodeStun } from './stun/message.js'
import { BINDING } from './stun/registry.js'

/** The longest of these messages that is sent or read, in bytes; there is room for later fields. */
export const MAX_UDP_PROBE_LENGTH = 256

export const PROBE_NONCE_LENGTH = 12

/** From which of its ports a server is to send: the one where it reflects, or one that nobody has sent to. */
export type ProbeSource = 'usual-port' | 'other-port'

/** "Send this to me, at the address at which you see me." */
export interface UdpProbeRequest {
  readonly port: number
  /** 12 bytes. A decoded one is a copy. */
  readonly nonce: Uint8Array
  readonly from: ProbeSource
  /** The server's own address as the asker knows it; what leaves from another is of no use. */
  readonly at: string
}

export interface UdpProbeAnswer {
  /** Where it was sent; undefined where it was not: too many asked, or it cannot. */
  readonly ip: string | undefined
  /** The port from which it was sent, and which reflects for a moment, where that is not the usual one. */
  readonly otherPort: number | undefined
}

/** The bytes of a request. Throws a RangeError on a port, nonce or address that is none. */
export function encodeUdpProbeRequest({ port, nonce, from, at }: UdpProbeRequest): Uint8Array {
  if (!isPort(port)) throw new RangeError(`not a port: ${port}`)
  if (nonce.length !== PROBE_NONCE_LENGTH) throw new RangeError('a nonce has 12 bytes')
  if (canonicalIp(at) !== at) throw new RangeError(`not an address: ${at}`)
  return UdpProbeRequestMessage.encode({
    version: 1,
    port,
    nonce: withArrayBuffer(nonce),
    from: from === 'other-port' ? 1 : 0,
    at: withArrayBuffer(ipToBytes(at)),
  })
}

/** Reads a request; dropped as `udp-probe-malformed` where it is too long, of another version, or breaks a rule. */
export function decodeUdpProbeRequest(bytes: Uint8Array): UdpProbeRequest | Dropped {
  const message = decode(UdpProbeRequestMessage.decode, bytes)
  const at = message && ipOf(message.at)
  if (message === undefined || at === undefined || message.from > 1) return drop('udp-probe-malformed')
  const { port, nonce } = message
  if (!isPort(port) || nonce.length !== PROBE_NONCE_LENGTH) return drop('udp-probe-malformed')
  return { port, nonce: nonce.slice(), from: message.from === 1 ? 'other-port' : 'usual-port', at }
}

/** The bytes of an answer. Throws a RangeError on an address or port that is none. */
export function encodeUdpProbeAnswer({ ip, otherPort }: UdpProbeAnswer): Uint8Array {
  if (ip !== undefined && canonicalIp(ip) !== ip) throw new RangeError(`not an address: ${ip}`)
  if (otherPort !== undefined && !isPort(otherPort)) throw new RangeError(`not a port: ${otherPort}`)
  return UdpProbeAnswerMessage.encode({
    version: 1,
    ip: withArrayBuffer(ip === undefined ? new Uint8Array() : ipToBytes(ip)),
    otherPort: otherPort ?? 0,
  })
}

/** Reads an answer; dropped as `udp-probe-malformed` where it is too long, of another version, or breaks a rule. */
export function decodeUdpProbeAnswer(bytes: Uint8Array): UdpProbeAnswer | Dropped {
  const message = decode(UdpProbeAnswerMessage.decode, bytes)
  if (message === undefined) return drop('udp-probe-malformed')
  const ip = message.ip.length === 0 ? undefined : ipOf(message.ip)
  if (ip === undefined && message.ip.length > 0) return drop('udp-probe-malformed')
  const { otherPort } = message
  if (otherPort !== 0 && !isPort(otherPort)) return drop('udp-probe-malformed')
  return { ip, otherPort: otherPort === 0 ? undefined : otherPort }
}

/** The datagram that is asked for. It asks for no answer. */
export function udpProbeDatagram(nonce: Uint8Array): Uint8Array {
  return encodeStun({ messageClass: 'indication', method: BINDING, transactionId: nonce })
}

function decode<Message extends { readonly version: number }>(
  decodeMessage: (bytes: Uint8Array) => Message,
  bytes: Uint8Array,
): Message | undefined {
  if (bytes.length > MAX_UDP_PROBE_LENGTH) return undefined
  const message = decodeProtobuf(decodeMessage, bytes)
  return message?.version === 1 ? message : undefined
}

/** Sixteen bytes that are an IPv4 address have another spelling, of four, and are refused. */
function ipOf(bytes: Uint8Array): string | undefined {
  const ip = ipFromBytes(bytes)
  return ip === undefined || bytes.length !== (familyOf(ip) === 4 ? 4 : 16) ? undefined : ip
}
