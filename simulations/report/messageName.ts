/** What a datagram is, in a few words; as who watches the wire and knows the protocols would say. */

import { formatSocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { type DecodedStun, decodeStun } from '../../src/wire/stun/message.js'
import { MIN_TRANSPORT_LENGTH, wireguardType } from '../../src/wire/wireguard.js'

export function messageName(datagram: Uint8Array): string {
  switch (wireguardType(datagram)) {
    case 1:
      return 'first message'
    case 2:
      return 'second message'
    case 3:
      return 'cookie reply'
    case 4:
      return datagram.length === MIN_TRANSPORT_LENGTH ? 'keepalive' : 'data'
  }
  const message = decodeStun(datagram)
  return isDropped(message) ? 'something else' : stunName(message)
}

/** True for a plain Binding request: what a reflector is asked. */
export function asksForReflection(datagram: Uint8Array): boolean {
  const message = decodeStun(datagram)
  return !isDropped(message) && isPlainRequest(message)
}

function isPlainRequest({ messageClass, integrity }: DecodedStun): boolean {
  return messageClass === 'request' && integrity === undefined
}

function stunName(message: DecodedStun): string {
  const { messageClass, integrity, mappedAddress, holdsFirstMessage } = message
  const holds = holdsFirstMessage === true ? ', holds a first message' : ''
  if (isPlainRequest(message)) return 'where am I?'
  if (messageClass === 'request') return `check${holds}`
  if (messageClass === 'error') return `refusal ${message.error?.code ?? ''}`.trim()
  if (integrity !== undefined) return `answer to the check${holds}`
  return mappedAddress === undefined ? 'answer' : `you are ${formatSocketAddress(mappedAddress)}`
}
