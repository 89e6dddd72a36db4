/** What the wire layer's property tests draw from. */

import fc from 'fast-check'
import { ipFromBytes, type SocketAddress } from '../../src/base/address.js'
import { isPublishable } from '../../src/wire/publishedAddress.js'

/** Exactly `length` bytes, any. */
export function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length })
}

/** Plain objects of these fields: fast-check's own may have no prototype, which strict equality minds. */
export function plain<Model>(
  fields: { [Name in keyof Model]: fc.Arbitrary<Model[Name]> },
): fc.Arbitrary<Model> {
  return fc.record(fields, { noNullPrototype: true })
}

export const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })

const ip = fc.oneof(bytes(4), bytes(16)).map((address) => ipFromBytes(address) ?? '')

/** Any canonical address of either family, any port that can be sent to. */
export const socketAddress: fc.Arbitrary<SocketAddress> = plain({
  ip,
  port: fc.integer({ min: 1, max: 0xffff }),
})

/** An address that may be told to others. */
export const publishableAddress = socketAddress.filter(isPublishable)

/** `original` with a few bytes set to others, and perhaps cut short or lengthened. */
export function mutated(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({ at: fc.nat({ max: original.length - 1 }), byte: fc.nat({ max: 255 }) })
  return fc
    .record({
      edits: fc.array(edit, { maxLength: 4 }),
      cut: fc.option(fc.nat({ max: original.length })),
      tail: fc.uint8Array({ maxLength: 8 }),
    })
    .map(({ edits, cut, tail }) => {
      const kept = original.slice(0, cut ?? original.length)
      for (const { at, byte } of edits) if (at < kept.length) kept[at] = byte
      return Uint8Array.of(...kept, ...tail)
    })
}
