import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blake2s } from '@noble/hashes/blake2.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import fc from 'fast-check'
import { blake2sHash, blake2sMac, kdf1, kdf2 } from '../../src/crypto/blake2s.js'
import { hex, readVectors, toHex } from './vectors.js'

interface KdfVectors {
  readonly vectors: readonly {
    readonly key: string
    readonly input: string
    readonly t0: string
    readonly t1: string
  }[]
}

test("the key derivation gives wireguard-go's own vectors", () => {
  for (const { key, input, t0, t1 } of readVectors<KdfVectors>('wireguard_kdf.json').vectors) {
    assert.equal(toHex(kdf1(hex(key), hex(input))), t0)
    assert.deepEqual(kdf2(hex(key), hex(input)).map(toHex), [t0, t1])
  }
})

test('the hash of "abc" is that of RFC 7693 appendix B', () => {
  assert.equal(
    toHex(blake2sHash(hex('61'), hex('6263'))),
    '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982',
  )
})

test('node:crypto and noble agree on the key derivation for keys of every length around a block', () => {
  const keys = fc.uint8Array({ maxLength: 150 })
  fc.assert(
    fc.property(keys, fc.uint8Array({ maxLength: 200 }), (key, input) => {
      const [first, second] = kdf2(key, input)
      assert.equal(toHex(first) + toHex(second), toHex(hkdf(blake2s, input, key, undefined, 64)))
    }),
  )
})

test('a MAC has 16 bytes and is no cut of the longer one', () => {
  const key = new Uint8Array(32).fill(1)
  const mac = blake2sMac(key, hex('00'))
  assert.equal(mac.length, 16)
  assert.notDeepEqual(mac, blake2s(hex('00'), { key }).slice(0, 16))
})
