/**
 * The X25519 public keys of small order, with which every private key agrees on zero (https://cr.yp.to/ecdh.html#validate):
 * 0, 1, two of order 8, p - 1, p and p + 1, in every spelling of 32 bytes.
 */

import { hex } from './vectors.js'

export const SMALL_ORDER_KEYS: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((text) => [hex(text), withTopBit(hex(text))])

/** X25519 does not look at the top bit of a public key. */
function withTopBit(key: Uint8Array): Uint8Array {
  const spelling = Uint8Array.from(key)
  spelling[31] = (spelling[31] ?? 0) | 0x80
  return spelling
}
