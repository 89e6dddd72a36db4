import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePublicKey, publicKeyBytes, publicKeyFromBytes } from '../../src/base/publicKey.js'

describe('public keys', () => {
  it('survive the way to text and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const key = publicKeyFromBytes(bytes)
        assert.equal(key, Buffer.from(bytes).toString('base64'))
        assert.equal(parsePublicKey(key), key)
        assert.deepEqual(new Uint8Array(publicKeyBytes(key)), bytes)
      }),
    )
  })

  it('have 32 bytes', () => {
    for (const length of [0, 31, 33])
      assert.throws(() => publicKeyFromBytes(new Uint8Array(length)), RangeError)
  })

  it('have one spelling: padded, and with zeros in the two bits that are left over', () => {
    const zeros = 'A'.repeat(43)
    assert.equal(parsePublicKey(`${zeros}=`), `${zeros}=`)
    const others = [
      '',
      zeros,
      `${zeros}A`,
      `${zeros}==`,
      ` ${zeros}=`,
      `${zeros}=\n`,
      `${'A'.repeat(42)}B=`,
      `${'A'.repeat(42)}D=`,
      `${'A'.repeat(42)}-=`,
      `${'_'.repeat(43)}=`,
    ]
    for (const text of others) assert.equal(parsePublicKey(text), undefined, text)
  })
})
