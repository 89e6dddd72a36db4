/** STUN as its receivers read it. */

import assert from 'node:assert/strict'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { type DecodedStun, decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'

export function readStun(datagram: Uint8Array): DecodedStun {
  const message = decodeStun(datagram)
  assert.ok(!isDropped(message))
  return message
}

/** What a reflector answers to a plain Binding request that it saw come from `seen`. */
export function reflectorsAnswer(
  request: Uint8Array,
  seen: SocketAddress | undefined,
  fields: Partial<DecodedStun> = {},
): DecodedStun {
  const { transactionId } = readStun(request)
  const answer = { messageClass: 'success', method: BINDING, transactionId } as const
  const datagram = encodeStun(seen === undefined ? answer : { ...answer, mappedAddress: seen })
  return { ...readStun(datagram), ...fields }
}
