/**
 * Grants of a member relay: what a node asks for a session between itself and a peer, and what it is answered. Both are
 * protobuf (`protobuf/relayGrant.proto`) in attributes of STUN's method GRANT.
 *
 * The request travels sealed to the relay (crypto/relayGrant.ts) in SEALED. Before it is sealed it is padded, so that all
 * requests are as long, and longer than any answer:
 *
 * ```
 *    0  length of the protobuf   2
 *    2  protobuf                 1  version     1
 *                                2  issued at   ms since 1970, fixed64
 *                                3  key        32   of MESSAGE-INTEGRITY-SHA256, of the answer and of binds
 *                                4  names      16   of the asker's side, then of the other side
 *                                5  mac        32   proof that the asker may use the relay
 *                                6  public key 32   WireGuard's, of the asker; absent where the network's key proves
 *   …  zeros, up to 192 in all
 * ```
 *
 * A grant's answer is in GRANTED, in clear:
 *
 * ```
 *  granted                               address
 *    1  version    1                       1  ip    4 or 16 bytes; absent: the address that was asked
 *    2  addresses  1 to 4                  2  port
 * ```
 *
 * A relay may be known to others by another address than its own (1:1 NAT), so it does not name the one it was asked at:
 * whoever asked knows better. Names, addresses and keys of a session mean nothing beyond it.
 */

import { equals, withArrayBuffer } from 'uint8arrays'
import { ipToBytes, isPort, type SocketAddress } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../base/publicKey.js'
import { asUnixTime, type UnixTime } from '../base/time.js'
import { readUint16, writeUint16 } from './integers.js'
import { GrantedMessage, GrantRequestMessage } from './protobuf/relayGrant.js'
import { decodeProtobuf } from './protons.js'
import { isPublishable, publishedAddress } from './publishedAddress.js'

/** What is asked of a relay, but for the proof. */
export interface GrantTerms {
  /** When it was asked, in ms. */
  readonly issuedAt: UnixTime
  /** 32 bytes: authenticates the answer and the session's binds. */
  readonly key: Uint8Array
  /** 16 bytes each, not the same: the name of the asker's side, then that of the other side. */
  readonly names: readonly [own: Uint8Array, peer: Uint8Array]
}

/**
 * Why the relay should serve the asker: a MAC of 32 bytes over the terms (crypto/relayGrant.ts), under the key of the
 * network's members, or under that of the pair that asker and relay are.
 */
export type GrantProof =
  | { readonly type: 'network'; readonly mac: Uint8Array }
  | { readonly type: 'peer'; readonly publicKey: PublicKey; readonly mac: Uint8Array }

/** A request. Byte arrays of a decoded one are views. */
export interface GrantRequest extends GrantTerms {
  readonly proof: GrantProof
}

export const GRANT_KEY_LENGTH = 32
export const GRANT_MAC_LENGTH = 32
/** Of the name of one side of a session. */
export const RELAY_NAME_LENGTH = 16

/** A request before it is sealed, in bytes, always. */
export const GRANT_CONTENT_LENGTH = 192

/** A session has a port on one address a family; a relay with several names some more. */
export const MAX_GRANTED_ADDRESSES = 4

const VERSION = 1
const AT_PROTOBUF = 2

/** The content before it is sealed. Throws a RangeError where a part has another length than it must have. */
export function encodeGrantRequest({ issuedAt, key, names, proof }: GrantRequest): Uint8Array {
  requireLength(key, GRANT_KEY_LENGTH, 'a session key')
  for (const name of names) requireLength(name, RELAY_NAME_LENGTH, 'a name')
  requireLength(proof.mac, GRANT_MAC_LENGTH, 'a proof')
  const message = GrantRequestMessage.encode({
    version: VERSION,
    issuedAt: BigInt(issuedAt),
    key: withArrayBuffer(key),
    names: names.map((name) => withArrayBuffer(name)),
    mac: withArrayBuffer(proof.mac),
    publicKey: withArrayBuffer(proof.type === 'peer' ? publicKeyBytes(proof.publicKey) : NOTHING),
  })
  const content = new Uint8Array(GRANT_CONTENT_LENGTH)
  writeUint16(content, 0, message.length)
  content.set(message, AT_PROTOBUF)
  return content
}

/** Reads a request; dropped as `relay-grant-malformed`, also where its version is not spoken here. Proves nothing. */
export function decodeGrantRequest(content: Uint8Array): GrantRequest | Dropped {
  const end = AT_PROTOBUF + readUint16(content, 0)
  if (content.length !== GRANT_CONTENT_LENGTH || end > GRANT_CONTENT_LENGTH)
    return drop('relay-grant-malformed')
  const message = decodeProtobuf(GrantRequestMessage.decode, content.subarray(AT_PROTOBUF, end))
  if (message?.version !== VERSION) return drop('relay-grant-malformed')
  const { key, names, mac, publicKey } = message
  const [own, peer] = names
  const issuedAt = Number(message.issuedAt)
  const lengthsFit =
    key.length === GRANT_KEY_LENGTH &&
    mac.length === GRANT_MAC_LENGTH &&
    own?.length === RELAY_NAME_LENGTH &&
    peer?.length === RELAY_NAME_LENGTH &&
    (publicKey.length === 0 || publicKey.length === 32)
  if (!lengthsFit || equals(own, peer) || !Number.isSafeInteger(issuedAt))
    return drop('relay-grant-malformed')
  const proof: GrantProof =
    publicKey.length === 0
      ? { type: 'network', mac }
      : { type: 'peer', publicKey: publicKeyFromBytes(publicKey), mac }
  return { issuedAt: asUnixTime(issuedAt), key, names: [own, peer], proof }
}

/**
 * The value of GRANTED: the addresses of a session, the first being the one to prefer. `asked` is our own IP at which
 * the request came in, and is not named. Throws a RangeError where there are none or too many, or where one is neither
 * `asked` nor publishable.
 */
export function encodeGranted(addresses: readonly SocketAddress[], asked: string): Uint8Array {
  if (addresses.length === 0 || addresses.length > MAX_GRANTED_ADDRESSES)
    throw new RangeError(`a session has 1 to ${MAX_GRANTED_ADDRESSES} addresses, not ${addresses.length}`)
  const told = addresses.map((address) => {
    const { ip, port } = address
    if (ip === asked ? !isPort(port) : !isPublishable(address))
      throw new RangeError(`${ip} port ${port} is not for others`)
    return { ip: withArrayBuffer(ip === asked ? NOTHING : ipToBytes(ip)), port }
  })
  return GrantedMessage.encode({ version: VERSION, addresses: told })
}

/**
 * Reads the value of GRANTED; `asked` is the IP to which the request was sent, and becomes that of the addresses that
 * have none. Dropped as `relay-granted-malformed`, also where an address is not publishable.
 */
export function decodeGranted(granted: Uint8Array, asked: string): readonly SocketAddress[] | Dropped {
  const message = decodeProtobuf(GrantedMessage.decode, granted)
  if (message?.version !== VERSION || message.addresses.length === 0) return drop('relay-granted-malformed')
  const addresses: SocketAddress[] = []
  for (const { ip, port } of message.addresses) {
    const address = ip.length === 0 ? { ip: asked, port } : publishedAddress(ip, port)
    if (address === undefined || !isPort(address.port)) return drop('relay-granted-malformed')
    addresses.push(address)
  }
  return addresses
}

const NOTHING = new Uint8Array(0)

function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new RangeError(`${what} has ${length} bytes, not ${bytes.length}`)
}
