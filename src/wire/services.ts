/**
 * What a node that serves the mesh says when it is asked what it offers: protobuf (`protobuf/services.proto`).
 *
 * ```
 *  services                              address                relay
 *    1  version     1                      1  ip    4 or 16       1  public key   32
 *    2  reflectors  at most 8 addresses    2  port                2  load         0 to 255
 *    3  relay       absent: it is none
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
  /** Absent where it is no member relay. One is asked for sessions where it reflects. */
  readonly relay?: RelayService
}

/** A member relay. */
export interface RelayService {
  /** 32 bytes, X25519: requests for sessions are sealed to it. It is not WireGuard's. */
  readonly publicKey: Uint8Array
  /** A whole number from 0, idle, to 255, full. */
  readonly load: number
}

export const MAX_RELAY_LOAD = 255
export const RELAY_PUBLIC_KEY_LENGTH = 32

export const MAX_REFLECTORS = 8

/** The longest list of services that is sent or read, in bytes: eight addresses, a relay, and room for later fields. */
export const MAX_SERVICES_LENGTH = 512

/** The bytes of a list. Throws a RangeError where it has too many addresses, one that is not publishable, or a bad relay. */
export function encodeServices(services: Services): Uint8Array {
  if (services.reflectors.length > MAX_REFLECTORS)
    throw new RangeError(`a node names at most ${MAX_REFLECTORS} reflectors`)
  const reflectors = services.reflectors.map((address) => {
    if (!isPublishable(address)) throw new RangeError(`${address.ip} port ${address.port} is not for others`)
    return { ip: withArrayBuffer(ipToBytes(address.ip)), port: address.port }
  })
  const { version, relay } = services
  if (relay === undefined) return ServicesMessage.encode({ version, reflectors })
  const { publicKey, load } = relay
  if (!isRelay(publicKey, load)) throw new RangeError('a relay has a key of 32 bytes and a load of 0 to 255')
  return ServicesMessage.encode({
    version,
    reflectors,
    relay: { publicKey: withArrayBuffer(publicKey), load },
  })
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
  const { relay } = message
  if (relay === undefined) return { version: 1, reflectors }
  const { publicKey, load } = relay
  return isRelay(publicKey, load)
    ? { version: 1, reflectors, relay: { publicKey, load } }
    : drop('services-malformed')
}

function isRelay(publicKey: Uint8Array, load: number): boolean {
  return (
    publicKey.length === RELAY_PUBLIC_KEY_LENGTH &&
    Number.isInteger(load) &&
    load >= 0 &&
    load <= MAX_RELAY_LOAD
  )
}
