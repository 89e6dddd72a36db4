/**
 * Multiaddrs as records carry them: text in memory, the binary form on the wire, and one spelling of each.
 * What a node prints of itself ends in `/p2p/` and its identity; a record says the identity once, so that part is
 * left off, and an address that still ends so is none.
 */

import { CODE_P2P, multiaddr } from '@multiformats/multiaddr'
import { equals } from 'uint8arrays'

/** True for a multiaddr in its one spelling that does not end in `/p2p/…`: a record can carry it. */
export function isPublishableMultiaddr(text: string): boolean {
  return canonicalBytes(text) !== undefined
}

/** The binary form of `text`. Throws a RangeError where that is not {@link isPublishableMultiaddr}. */
export function multiaddrToBytes(text: string): Uint8Array {
  const bytes = canonicalBytes(text)
  if (bytes === undefined) throw new RangeError(`a record cannot carry the multiaddr ${text}`)
  return bytes
}

/** The text of a binary multiaddr; undefined where {@link multiaddrToBytes} would not give these very bytes. */
export function multiaddrFromBytes(bytes: Uint8Array): string | undefined {
  const text = textOf(bytes)
  if (text === undefined) return undefined
  const canonical = canonicalBytes(text)
  return canonical !== undefined && equals(canonical, bytes) ? text : undefined
}

function canonicalBytes(text: string): Uint8Array | undefined {
  try {
    const parsed = multiaddr(text)
    const last = parsed.getComponents().at(-1)
    if (last === undefined || last.code === CODE_P2P) return undefined
    // The binary form is made here, and may throw too.
    const { bytes } = parsed
    return textOf(bytes) === text ? bytes : undefined
  } catch {
    return undefined
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return multiaddr(bytes).toString()
  } catch {
    return undefined
  }
}
