/**
 * Address proofs: a reflector's word that somebody took its answer at an IP address. Integers are in network order.
 *
 * ```
 *  PROOF-WANTED (in a plain Binding request)    ADDRESS-PROOF (in its answer)
 *    0  name  16                                  0  signer     32   the reflector's libp2p identity
 *                                                32  time        8   of the reflector's wall clock, ms since 1970
 *                                                40  signature  64   see crypto/addressProof.ts
 * ```
 *
 * In a record the proofs stand in protobuf (`protobuf/record.proto`), with the address that they are of and the salt of
 * which the name is made. A request that asks for a proof is padded, so that no answer is longer than its question.
 */

import { concat } from 'uint8arrays'
import { asUnixTime, type UnixTime } from '../base/time.js'

export const PROOF_NAME_LENGTH = 16
export const PROOF_SALT_LENGTH = 16
/** So many bytes of PADDING make a request that asks for a proof as long as the answer with it, of either family. */
export const PROOF_PADDING = 108
/** Of different reflectors, for one address: a record has no room for more. */
export const MAX_ADDRESS_PROOFS = 3

const SIGNER_LENGTH = 32
const SIGNATURE_LENGTH = 64
const AT_TIME = SIGNER_LENGTH
const AT_SIGNATURE = AT_TIME + 8

/** The length of ADDRESS-PROOF, in bytes. */
export const ADDRESS_PROOF_LENGTH = AT_SIGNATURE + SIGNATURE_LENGTH

/** A reflector's word. Of what address, and for whom, its signature tells who knows both. */
export interface AddressProof {
  /** A libp2p identity: a raw Ed25519 public key of 32 bytes. */
  readonly signer: Uint8Array
  /** Whole milliseconds, a safe integer from 0. */
  readonly time: UnixTime
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/** What a record says of its author's address, for others to verify. */
export interface ProvedAddress {
  readonly ip: string
  /** {@link PROOF_SALT_LENGTH} bytes. */
  readonly salt: Uint8Array
  /** One to {@link MAX_ADDRESS_PROOFS}. */
  readonly proofs: readonly AddressProof[]
}

/** The rule that a proof breaks, in words; undefined where it keeps all. */
export function brokenProofRule({ signer, time, signature }: AddressProof): string | undefined {
  if (signer.length !== SIGNER_LENGTH) return `the signer has ${signer.length} bytes, not 32`
  if (!Number.isSafeInteger(time) || time < 0) return 'the time is no whole millisecond since 1970'
  if (signature.length !== SIGNATURE_LENGTH) return `the signature has ${signature.length} bytes, not 64`
  return undefined
}

/** The value of ADDRESS-PROOF. Throws a RangeError where the proof breaks a rule of its format. */
export function encodeAddressProof(proof: AddressProof): Uint8Array {
  const broken = brokenProofRule(proof)
  if (broken !== undefined) throw new RangeError(`an address proof cannot be encoded: ${broken}`)
  return concat([proof.signer, encodeProofTime(proof.time), proof.signature])
}

/** Reads what {@link encodeAddressProof} writes, as copies of the bytes; undefined where it is malformed. */
export function decodeAddressProof(value: Uint8Array): AddressProof | undefined {
  if (value.length !== ADDRESS_PROOF_LENGTH) return undefined
  const view = new DataView(value.buffer, value.byteOffset)
  const time = Number(view.getBigUint64(AT_TIME))
  if (!Number.isSafeInteger(time)) return undefined
  return {
    signer: value.slice(0, AT_TIME),
    time: asUnixTime(time),
    signature: value.slice(AT_SIGNATURE),
  }
}

/** A time as it is sent and signed: 8 bytes. */
export function encodeProofTime(time: UnixTime): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time))
  return bytes
}
