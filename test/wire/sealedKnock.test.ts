import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat } from 'uint8arrays'
import { drop, isDropped } from '../../src/base/drops.js'
import { MAX_KNOCK_LENGTH } from '../../src/wire/knock.js'
import {
  decodeSealedKnock,
  decodeSealedKnockContent,
  encodeSealedKnock,
  encodeSealedKnockContent,
  headOfSealedKnock,
  SEALED_KNOCK_CONTENT_LENGTH,
  SEALED_KNOCK_LENGTH,
  type SealedKnock,
  type SealedKnockContent,
  sealedKnockName,
} from '../../src/wire/sealedKnock.js'
import { bytes, mutated, plain } from './arbitraries.js'

const SEALED: SealedKnock = {
  name: new Uint8Array(16).fill(0x11),
  nonce: new Uint8Array(12).fill(0x22),
  sealedContent: new Uint8Array(1756).fill(0x33),
}

/** {@link SEALED}, written by hand. */
const GOLDEN = concat([
  Uint8Array.of(1),
  new Uint8Array(16).fill(0x11),
  new Uint8Array(12).fill(0x22),
  new Uint8Array(1740 + 16).fill(0x33),
])

describe('sealed knocks', () => {
  it('have these very bytes, both ways', () => {
    assert.equal(GOLDEN.length, SEALED_KNOCK_LENGTH)
    assert.deepEqual(encodeSealedKnock(SEALED), GOLDEN)
    assert.deepEqual(decodeSealedKnock(GOLDEN), SEALED)
    assert.deepEqual(sealedKnockName(GOLDEN), SEALED.name)
    assert.deepEqual(headOfSealedKnock(GOLDEN), GOLDEN.slice(0, 29))
  })

  it('survive the way there and back', () => {
    const sealedKnocks = plain<SealedKnock>({ name: bytes(16), nonce: bytes(12), sealedContent: bytes(1756) })
    fc.assert(
      fc.property(sealedKnocks, (sealed) => {
        const encoded = encodeSealedKnock(sealed)
        assert.equal(encoded.length, SEALED_KNOCK_LENGTH)
        assert.deepEqual(decodeSealedKnock(encoded), sealed)
      }),
    )
  })

  it('decode to what encodes to the same bytes, or are dropped and have no name', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated(GOLDEN)), (any) => {
        const decoded = decodeSealedKnock(any)
        assert.deepEqual(sealedKnockName(any), isDropped(decoded) ? undefined : decoded.name)
        if (!isDropped(decoded)) assert.deepEqual(encodeSealedKnock(decoded), any)
      }),
    )
  })

  it('of another length or version are dropped', () => {
    assert.equal(decodeSealedKnock(GOLDEN.slice(1)), drop('knock-malformed'))
    assert.equal(decodeSealedKnock(concat([GOLDEN, new Uint8Array(1)])), drop('knock-malformed'))
    for (const version of [0, 2])
      assert.equal(decodeSealedKnock(changed(GOLDEN, 0, version)), drop('knock-unknown-version'))
  })

  it('with a part of another length are not encoded', () => {
    for (const change of [
      { name: new Uint8Array(15) },
      { nonce: new Uint8Array(13) },
      { sealedContent: new Uint8Array(SEALED_KNOCK_CONTENT_LENGTH) },
    ])
      assert.throws(() => encodeSealedKnock({ ...SEALED, ...change }), RangeError)
  })
})

describe('the content of a sealed knock', () => {
  const content: SealedKnockContent = {
    kind: 'answer',
    sequence: 0x00_0a_0b_0c_0d_0e_0f_10,
    knock: Uint8Array.of(1, 2, 3),
  }
  const encoded = concat(
    [Uint8Array.of(2, 0x00, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0, 3, 1, 2, 3)],
    SEALED_KNOCK_CONTENT_LENGTH,
  )

  it('has these very bytes, both ways', () => {
    assert.deepEqual(encodeSealedKnockContent(content), encoded)
    assert.deepEqual(decodeSealedKnockContent(encoded), content)
  })

  it('survives the way there and back, and is always as long', () => {
    const contents = plain<SealedKnockContent>({
      kind: fc.constantFrom('knock' as const, 'answer' as const),
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      knock: fc.uint8Array({ minLength: 1, maxLength: MAX_KNOCK_LENGTH, size: 'max' }),
    })
    fc.assert(
      fc.property(contents, (any) => {
        const bytes = encodeSealedKnockContent(any)
        assert.equal(bytes.length, SEALED_KNOCK_CONTENT_LENGTH)
        assert.deepEqual(decodeSealedKnockContent(bytes), any)
      }),
    )
  })

  it('that breaks a rule is neither encoded nor decoded', () => {
    for (const wrong of [
      { sequence: 0 },
      { sequence: 2 ** 53 },
      { knock: new Uint8Array(0) },
      { knock: new Uint8Array(MAX_KNOCK_LENGTH + 1) },
    ])
      assert.throws(() => encodeSealedKnockContent({ ...content, ...wrong }), RangeError)
    const malformed = {
      'no kind': changed(encoded, 0, 0),
      'a kind of a later version': changed(encoded, 0, 3),
      'a sequence of zero': changed(encoded, 1, 0, 0, 0, 0, 0, 0, 0, 0),
      'a sequence beyond safe integers': changed(encoded, 1, 0, 0x20, 0, 0, 0, 0, 0, 0),
      'no knock': changed(encoded, 9, 0, 0),
      'a knock beyond the end': changed(encoded, 9, 0x06, 0xc2),
      'a byte less': encoded.slice(1),
      nothing: new Uint8Array(0),
    }
    for (const [name, bytes] of Object.entries(malformed))
      assert.equal(decodeSealedKnockContent(bytes), drop('knock-malformed'), name)
  })

  it('never throws when it is decoded', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), mutated(encoded)), (any) => {
        decodeSealedKnockContent(any)
      }),
    )
  })
})

function changed(original: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(original)
  copy.set(values, at)
  return copy
}
