/**
 * Port Control Protocol, version 2 (RFC 6887): what a client sends, and what a gateway answers. IPv4 addresses travel as
 * IPv4-mapped IPv6 ones (section 5). All numbers are big-endian.
 *
 * ```
 *  request, 24 bytes (section 7.1)          response, 24 bytes (section 7.2)
 *    0  version    2                          0  version    2
 *    1  opcode     0 ANNOUNCE, 1 MAP          1  opcode     as asked, with the highest bit set
 *    2  reserved   2 bytes                    3  result     0 success
 *    4  lifetime   seconds                    4  lifetime   seconds; of an error: until it is worth to ask again
 *    8  client     16 bytes: our address      8  epoch      seconds since the gateway lost its mappings
 *                                            12  reserved   12 bytes
 *  MAP, both ways, 36 bytes more (section 11.1)
 *   24  nonce      12 bytes: who made the mapping may change it
 *   36  protocol   17 UDP, 6 TCP; 3 bytes reserved
 *   40  internal port, external port         suggested in a request, assigned in a response
 *   44  external address, 16 bytes
 * ```
 */

import { ipFromBytes, ipToBytes, isPort, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'

export const PCP_VERSION = 2
export const PCP_NONCE_LENGTH = 12
/** Section 7: nothing longer is a message. */
const MAX_LENGTH = 1_100
const HEADER_LENGTH = 24
const MAP_LENGTH = 60
const RESPONSE = 0x80
const ANNOUNCE = 0
const MAP = 1

/** Result codes (section 7.4) that need an answer of their own. */
export const PCP_RESULT = {
  success: 0,
  unsupportedVersion: 1,
  notAuthorized: 2,
  cannotProvideExternal: 11,
} as const

/** The transport protocols that are mapped, by their numbers (IANA). */
const PROTOCOL_NUMBERS = { tcp: 6, udp: 17 } as const
type MappedProtocol = keyof typeof PROTOCOL_NUMBERS

export interface PcpMapRequest {
  /** Our address as the gateway sees it: the one the request leaves from. */
  readonly clientIp: string
  /** {@link PCP_NONCE_LENGTH} bytes. */
  readonly nonce: Uint8Array
  readonly protocol: MappedProtocol
  readonly internalPort: number
  /** What we should like to have; port 0 and the unspecified address for anything. */
  readonly external: SocketAddress
  /** In whole seconds; 0 removes the mapping. */
  readonly lifetimeS: number
}

export type PcpResponse = {
  readonly result: number
  readonly lifetimeS: number
  readonly epochS: number
} & (
  | { readonly opcode: 'announce' }
  | {
      readonly opcode: 'map'
      readonly nonce: Uint8Array
      readonly protocol: MappedProtocol
      readonly internalPort: number
      /** Its port is 0 only in an error, or where a mapping was removed. */
      readonly external: SocketAddress
    }
)

/** A request for a sign of life; it changes nothing (section 14.1). */
export function encodePcpAnnounce(clientIp: string): Uint8Array {
  return header(ANNOUNCE, 0, clientIp, HEADER_LENGTH)
}

export function encodePcpMap(request: PcpMapRequest): Uint8Array {
  const { clientIp, nonce, protocol, internalPort, external, lifetimeS } = request
  if (nonce.length !== PCP_NONCE_LENGTH) throw new RangeError(`a nonce has 12 bytes, not ${nonce.length}`)
  const bytes = header(MAP, lifetimeS, clientIp, MAP_LENGTH)
  const view = new DataView(bytes.buffer)
  bytes.set(nonce, 24)
  view.setUint8(36, PROTOCOL_NUMBERS[protocol])
  view.setUint16(40, internalPort)
  view.setUint16(42, external.port)
  bytes.set(ipToBytes16(external.ip), 44)
  return bytes
}

/** Reads an answer; what is none, or none to a request of ours, is dropped as `gateway-malformed`. */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse | Dropped {
  const { length } = bytes
  if (length < HEADER_LENGTH || length > MAX_LENGTH || length % 4 !== 0) return drop('gateway-malformed')
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  if (view.getUint8(0) !== PCP_VERSION) return drop('gateway-malformed')
  const common = { result: view.getUint8(3), lifetimeS: view.getUint32(4), epochS: view.getUint32(8) }
  switch (view.getUint8(1)) {
    case RESPONSE | ANNOUNCE:
      return { ...common, opcode: 'announce' }
    case RESPONSE | MAP:
      break
    default:
      return drop('gateway-malformed')
  }
  const protocol = protocolOf(length < MAP_LENGTH ? undefined : view.getUint8(36))
  const ip = ipFromBytes(bytes.subarray(44, MAP_LENGTH))
  if (protocol === undefined || ip === undefined) return drop('gateway-malformed')
  const external = { ip, port: view.getUint16(42) }
  if (common.result === PCP_RESULT.success && common.lifetimeS > 0 && !isPort(external.port))
    return drop('gateway-malformed')
  const nonce = bytes.slice(24, 36)
  return { ...common, opcode: 'map', nonce, protocol, internalPort: view.getUint16(40), external }
}

function header(
  opcode: number,
  lifetimeS: number,
  clientIp: string,
  length: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, PCP_VERSION)
  view.setUint8(1, opcode)
  view.setUint32(4, lifetimeS)
  bytes.set(ipToBytes16(clientIp), 8)
  return bytes
}

/** 16 bytes; of an IPv4 address, the IPv4-mapped IPv6 one's (RFC 4291 section 2.5.5.2). */
function ipToBytes16(ip: string): Uint8Array {
  const bytes = ipToBytes(ip)
  return bytes.length === 16 ? bytes : Uint8Array.of(...new Array(10).fill(0), 0xff, 0xff, ...bytes)
}

function protocolOf(number: number | undefined): MappedProtocol | undefined {
  if (number === PROTOCOL_NUMBERS.udp) return 'udp'
  return number === PROTOCOL_NUMBERS.tcp ? 'tcp' : undefined
}
