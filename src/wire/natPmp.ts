/**
 * NAT Port Mapping Protocol (RFC 6886), the predecessor of PCP, which has its port and tells it by its version. IPv4
 * only. All numbers are big-endian.
 *
 * ```
 *  external address (section 3.2)           mapping (section 3.3)
 *  request   0  version  0                  request   0  version   0
 *            1  opcode   0                            1  opcode    1 UDP, 2 TCP; 2 bytes reserved
 *  response  0  version  0                            4  internal port, suggested external port
 *            1  opcode   128                          8  lifetime  seconds; 0 removes the mapping
 *            2  result   0 success          response  0  version   0
 *            4  epoch    seconds                      1  opcode    129 UDP, 130 TCP
 *            8  address  4 bytes                      2  result    0 success
 *                                                     4  epoch     seconds
 *                                                     8  internal port, external port
 *                                                    12  lifetime  seconds
 * ```
 */

import { ipFromBytes, isPort } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'

export const NAT_PMP_VERSION = 0
const RESPONSE = 128
const OPCODES = { udp: 1, tcp: 2 } as const
type MappedProtocol = keyof typeof OPCODES

export interface NatPmpMapRequest {
  readonly protocol: MappedProtocol
  readonly internalPort: number
  /** What we should like to have; 0 for any. */
  readonly externalPort: number
  /** In whole seconds; 0 removes the mapping. */
  readonly lifetimeS: number
}

export type NatPmpResponse = { readonly result: number } & (
  | { readonly opcode: 'address'; readonly ip: string }
  | {
      readonly opcode: 'map'
      readonly protocol: MappedProtocol
      readonly internalPort: number
      readonly externalPort: number
      readonly lifetimeS: number
    }
  /** An error, whose fields say nothing; gateways send it short. */
  | { readonly opcode: 'error' }
)

/** Asks for the gateway's address on its outer side. */
export function encodeNatPmpAddress(): Uint8Array {
  return Uint8Array.of(NAT_PMP_VERSION, 0)
}

export function encodeNatPmpMap({
  protocol,
  internalPort,
  externalPort,
  lifetimeS,
}: NatPmpMapRequest): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint8(1, OPCODES[protocol])
  view.setUint16(4, internalPort)
  view.setUint16(6, externalPort)
  view.setUint32(8, lifetimeS)
  return bytes
}

/** Reads an answer; what is none is dropped as `gateway-malformed`. */
export function decodeNatPmpResponse(bytes: Uint8Array): NatPmpResponse | Dropped {
  if (bytes.length < 4) return drop('gateway-malformed')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const opcode = view.getUint8(1) - RESPONSE
  if (view.getUint8(0) !== NAT_PMP_VERSION || opcode < 0 || opcode > OPCODES.tcp)
    return drop('gateway-malformed')
  const result = view.getUint16(2)
  if (result !== 0) return { result, opcode: 'error' }
  if (opcode === 0) {
    const ip = bytes.length === 12 ? ipFromBytes(bytes.subarray(8)) : undefined
    return ip === undefined ? drop('gateway-malformed') : { result, opcode: 'address', ip }
  }
  if (bytes.length !== 16) return drop('gateway-malformed')
  const externalPort = view.getUint16(10)
  const lifetimeS = view.getUint32(12)
  if (lifetimeS > 0 && !isPort(externalPort)) return drop('gateway-malformed')
  const protocol = opcode === OPCODES.udp ? 'udp' : 'tcp'
  return { result, opcode: 'map', protocol, internalPort: view.getUint16(8), externalPort, lifetimeS }
}
