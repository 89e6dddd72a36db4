/**
 * What a node that serves the mesh says when it is asked what it offers: protobuf (`protobuf/services.proto`).
 *
 * ```
 *  services                              address
 *    1  version     1                      1  ip    4 or 16 bytes
 *    2  reflectors  at most 8 addresses    2  port
 * ```
 */

import { withArrayBuffer } from 'uint8arrays'
import { ipToBytes, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { ServicesMessage } from './protobuf/services.js'
import { decodeProtobuf } from './protons.js'
import { isPublishable, publishedAddress } from './publishedAddress.js'

export interface Services {
  readonly version: 1
  /** UDP addresses where plain STUN Binding requests are answered. At most {@link MAX_REFLECTORS}. */
  readonly reflectors: readonly SocketAddress[]
}

export const MAX_REFLECTORS = 8

/** The longest list of services that is sent or read, in bytes: eight addresses, and room for later fields. */
export const MAX_SERVICES_LENGTH = 512

/** The bytes of a list. Throws a RangeError where it has too many addresses, or one that is not publishable. */
export function encodeServices(services: Services): Uint8Array {
  if (services.reflectors.length > MAX_REFLECTORS)
    throw new RangeError(`a node names at most ${MAX_REFLECTORS} reflectors`)
  const reflectors = services.reflectors.map((address) => {
    if (!isPublishable(address)) throw new RangeError(`${address.ip} port ${address.port} is not for others`)
    return { ip: withArrayBuffer(ipToBytes(address.ip)), port: address.port }
  })
  return ServicesMessage.encode({ version: services.version, reflectors })
}

/** Reads a list; dropped as `services-malformed` where it is too long, of another version, or breaks a rule. */
export function decodeServices(bytes: Uint8Array): Services | Dropped {
  if (bytes.length > MAX_SERVICES_LENGTH) return drop('services-malformed')
  const message = decodeProtobuf(ServicesMessage.decode, bytes)
  if (message?.version !== 1) return drop('services-malformed')
  const reflectors: SocketAddress[] = []
  for (const { ip, port } of message.reflectors) {
    const address = publishedAddress(ip, port)
    if (address === undefined) return drop('services-malformed')
    reflectors.push(address)
  }
  return { version: 1, reflectors }
}
