/** FINGERPRINT (RFC 8489 section 14.7): CRC-32 of all that precedes it, xored with "STUN" in ASCII. */

const FINGERPRINT_MASK = 0x5354_554e

/** CRC-32 (ISO 3309, ITU-T V.42): reflected, generator 0x04C11DB7, one byte a step. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb8_8320 : 0)
  return remainder
})

/**
 * The value of FINGERPRINT after `covered`: the message up to the attribute, with the header's length already
 * counting it.
 */
export function fingerprint(covered: Uint8Array): number {
  let remainder = 0xffff_ffff
  for (const byte of covered) remainder = (remainder >>> 8) ^ (CRC_TABLE[(remainder ^ byte) & 0xff] ?? 0)
  return (~remainder ^ FINGERPRINT_MASK) >>> 0
}
