/**
 * Records: what a node says of itself, signed. Both layers are protobuf (`protobuf/record.proto`).
 *
 * ```
 *  signed record                              candidate
 *    1  record     the bytes that are signed    1  type  1 host, 2 mapped, 3 server-reflexive, 4 relayed
 *    2  signature  64 bytes                     2  ip    4 or 16 bytes
 *                                               3  port
 *  record
 *    1  version        1
 *    2  public key     32 bytes
 *    3  sequence       fixed64, above zero
 *    4  issued at      fixed64, ms since 1970
 *    5  expires at     fixed64, ms since 1970; after field 4, by 48 hours at most
 *    6  candidates     at most 16
 *    7  identity       32 bytes
 *    8  multiaddrs     at most 8, binary, without the final /p2p/…
 *    9  NAT mapping    0 unknown, 1 none, 2 endpoint-independent, 3 address-dependent,
 *   10  NAT filtering  4 address-and-port-dependent
 *   11  proved address, where there is one: its IP, a salt of 16 bytes, one to three proofs (addressProof.ts)
 * ```
 *
 * One record has one encoding here, but the signature is over the bytes as they came: never encode again to verify.
 * What a later version may add is passed over: unknown fields, candidates of an unknown type, unknown behaviour.
 */

import { withArrayBuffer } from 'uint8arrays'
import { ipToBytes } from '../base/address.js'
import { type Dropped, drop } from '../base/drops.js'
import { PUBLIC_KEY_LENGTH, type PublicKey, publicKeyBytes, publicKeyFromBytes } from '../base/publicKey.js'
import { asUnixTime, elapsed, HOUR, type UnixTime } from '../base/time.js'
import { brokenProofRule, MAX_ADDRESS_PROOFS, PROOF_SALT_LENGTH, type ProvedAddress } from './addressProof.js'
import type { Candidate, CandidateType } from './candidate.js'
import { multiaddrFromBytes, multiaddrToBytes } from './multiaddr.js'
import { PeerRecordMessage, type ProvedAddressMessage, SignedRecordMessage } from './protobuf/record.js'
import { decodeProtobuf } from './protons.js'
import { isPublishable, publishedAddress } from './publishedAddress.js'

/** How a NAT chooses the outer port (RFC 4787 section 4.1), as far as it is known. */
export type NatMapping =
  | 'unknown'
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'

/** Which senders a NAT lets in (RFC 4787 section 5), as far as it is known. */
export type NatFiltering =
  | 'unknown'
  | 'none'
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'

export interface NatBehaviour {
  readonly mapping: NatMapping
  readonly filtering: NatFiltering
}

/** What a node says of itself. Times are whole milliseconds; `sequence` is a safe integer above zero. */
export interface PeerRecord {
  readonly publicKey: PublicKey
  readonly sequence: number
  readonly issuedAt: UnixTime
  readonly expiresAt: UnixTime
  /** Of the types host, mapped, server-reflexive and relayed only. At most {@link MAX_CANDIDATES}. */
  readonly candidates: readonly Candidate[]
  /** The libp2p identity: a raw 32-byte Ed25519 public key. */
  readonly identity: Uint8Array
  /** Where libp2p reaches the node, direct and through circuit relays, without the final `/p2p/…`. At most {@link MAX_MULTIADDRS}. */
  readonly multiaddrs: readonly string[]
  readonly nat: NatBehaviour
  /** Where reflectors say that the author takes what is sent; absent where none has said so. */
  readonly provedAddress?: ProvedAddress
}

export const MAX_CANDIDATES = 16
export const MAX_MULTIADDRS = 8
/** The largest signed record that is read or sent, in bytes: what a sealed record has room for (sealedRecord.ts). */
export const MAX_RECORD_LENGTH = 1393
/** The longest time between issue and expiry, in milliseconds. */
export const MAX_RECORD_LIFETIME = 48 * HOUR

export const IDENTITY_LENGTH = 32
export const RECORD_SIGNATURE_LENGTH = 64

/** A record and its author's signature over exactly these bytes. */
export interface SignedRecord {
  /** What {@link encodeRecord} gave. */
  readonly record: Uint8Array
  /** 64 bytes: XEdDSA. */
  readonly signature: Uint8Array
}

const VERSION = 1

/** By code. Other candidate types are never published. */
const CANDIDATE_TYPES: readonly (CandidateType | undefined)[] = [
  undefined,
  'host',
  'mapped',
  'server-reflexive',
  'relayed',
]

/** By code. */
const BEHAVIOURS = [
  'unknown',
  'none',
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
] as const satisfies readonly (NatMapping & NatFiltering)[]

/** The bytes of a record, to be signed. Throws a RangeError where the record breaks a rule of its format. */
export function encodeRecord(record: PeerRecord): Uint8Array {
  const broken = brokenRule(record)
  if (broken !== undefined) throw new RangeError(`a record cannot be encoded: ${broken}`)
  return PeerRecordMessage.encode({
    version: VERSION,
    publicKey: withArrayBuffer(publicKeyBytes(record.publicKey)),
    sequence: BigInt(record.sequence),
    issuedAt: BigInt(record.issuedAt),
    expiresAt: BigInt(record.expiresAt),
    candidates: record.candidates.map(({ type, address }) => ({
      type: CANDIDATE_TYPES.indexOf(type),
      ip: withArrayBuffer(ipToBytes(address.ip)),
      port: address.port,
    })),
    identity: withArrayBuffer(record.identity),
    multiaddrs: record.multiaddrs.map((text) => withArrayBuffer(multiaddrToBytes(text))),
    natMapping: BEHAVIOURS.indexOf(record.nat.mapping),
    natFiltering: BEHAVIOURS.indexOf(record.nat.filtering),
    ...(record.provedAddress === undefined
      ? {}
      : { provedAddress: encodeProvedAddress(record.provedAddress) }),
  })
}

/**
 * Reads what {@link encodeRecord} writes. Dropped as `record-unknown-version`, or as `record-malformed` where it does
 * not decode or breaks a rule. Whether its times suit a clock, and its signature its key, is not asked here.
 */
export function decodeRecord(bytes: Uint8Array): PeerRecord | Dropped {
  const message = decodeProtobuf(PeerRecordMessage.decode, bytes)
  if (message === undefined) return drop('record-malformed')
  if (message.version !== VERSION) return drop('record-unknown-version')
  if (message.publicKey.length !== PUBLIC_KEY_LENGTH) return drop('record-malformed')
  const candidates: Candidate[] = []
  for (const { type: code, ip, port } of message.candidates) {
    const type = CANDIDATE_TYPES[code]
    if (type === undefined) continue
    const address = publishedAddress(ip, port)
    if (address === undefined) return drop('record-malformed')
    candidates.push({ type, address })
  }
  const multiaddrs: string[] = []
  for (const binary of message.multiaddrs) {
    const text = multiaddrFromBytes(binary)
    if (text === undefined) return drop('record-malformed')
    multiaddrs.push(text)
  }
  const provedAddress = message.provedAddress && decodeProvedAddress(message.provedAddress)
  if (message.provedAddress !== undefined && provedAddress === undefined) return drop('record-malformed')
  const record: PeerRecord = {
    publicKey: publicKeyFromBytes(message.publicKey),
    sequence: Number(message.sequence),
    issuedAt: asUnixTime(Number(message.issuedAt)),
    expiresAt: asUnixTime(Number(message.expiresAt)),
    candidates,
    // A copy: a record is kept for days, the bytes it came in need not be.
    identity: new Uint8Array(message.identity),
    multiaddrs,
    nat: {
      mapping: BEHAVIOURS[message.natMapping] ?? 'unknown',
      filtering: BEHAVIOURS[message.natFiltering] ?? 'unknown',
    },
    ...(provedAddress === undefined ? {} : { provedAddress }),
  }
  return brokenRule(record) === undefined ? record : drop('record-malformed')
}

/** The bytes of a signed record. Throws a RangeError where it is longer than {@link MAX_RECORD_LENGTH}. */
export function encodeSignedRecord(signed: SignedRecord): Uint8Array {
  if (signed.record.length === 0) throw new RangeError('a signed record has a record')
  if (signed.signature.length !== RECORD_SIGNATURE_LENGTH)
    throw new RangeError(`a record's signature has 64 bytes, not ${signed.signature.length}`)
  const bytes = SignedRecordMessage.encode({
    record: withArrayBuffer(signed.record),
    signature: withArrayBuffer(signed.signature),
  })
  if (bytes.length > MAX_RECORD_LENGTH)
    throw new RangeError(`a signed record has at most ${MAX_RECORD_LENGTH} bytes, not ${bytes.length}`)
  return bytes
}

/**
 * Reads what {@link encodeSignedRecord} writes; the fields are views of `bytes`. Dropped as `record-too-large`, before
 * anything is decoded, or as `record-malformed`. The record inside is not read, and the signature not verified.
 */
export function decodeSignedRecord(bytes: Uint8Array): SignedRecord | Dropped {
  if (bytes.length > MAX_RECORD_LENGTH) return drop('record-too-large')
  const signed = decodeProtobuf(SignedRecordMessage.decode, bytes)
  if (signed === undefined) return drop('record-malformed')
  const { record, signature } = signed
  if (record.length === 0 || signature.length !== RECORD_SIGNATURE_LENGTH) return drop('record-malformed')
  return { record, signature }
}

/** The rule of the format that a record breaks, in words; undefined where it keeps all. Multiaddrs have a codec of their own. */
function brokenRule(record: PeerRecord): string | undefined {
  const { sequence, issuedAt, expiresAt, candidates, identity, multiaddrs, provedAddress } = record
  if (!Number.isSafeInteger(sequence) || sequence <= 0) return 'the sequence is no safe integer above zero'
  if (!Number.isSafeInteger(issuedAt) || issuedAt < 0)
    return 'the issue time is no whole millisecond since 1970'
  if (!Number.isSafeInteger(expiresAt)) return 'the expiry is no whole millisecond'
  if (expiresAt <= issuedAt) return 'it expires no later than it is issued'
  if (elapsed(issuedAt, expiresAt) > MAX_RECORD_LIFETIME) return 'it lives longer than 48 hours'
  if (candidates.length > MAX_CANDIDATES) return `it has more than ${MAX_CANDIDATES} candidates`
  for (const { type, address } of candidates) {
    if (!CANDIDATE_TYPES.includes(type)) return `${type} candidates are not published`
    if (!isPublishable(address)) return `${address.ip} port ${address.port} is not for others`
  }
  if (identity.length !== IDENTITY_LENGTH) return `the identity has ${identity.length} bytes, not 32`
  if (multiaddrs.length > MAX_MULTIADDRS) return `it has more than ${MAX_MULTIADDRS} multiaddrs`
  return provedAddress && brokenProvedRule(provedAddress)
}

function brokenProvedRule({ ip, salt, proofs }: ProvedAddress): string | undefined {
  if (!isPublishable({ ip, port: 1 })) return `${ip} is not for others`
  if (salt.length !== PROOF_SALT_LENGTH) return `the salt has ${salt.length} bytes, not ${PROOF_SALT_LENGTH}`
  if (proofs.length === 0 || proofs.length > MAX_ADDRESS_PROOFS)
    return `an address has 1 to ${MAX_ADDRESS_PROOFS} proofs, not ${proofs.length}`
  return proofs.map(brokenProofRule).find((broken) => broken !== undefined)
}

function encodeProvedAddress({ ip, salt, proofs }: ProvedAddress): ProvedAddressMessage {
  return {
    ip: withArrayBuffer(ipToBytes(ip)),
    salt: withArrayBuffer(salt),
    proofs: proofs.map(({ signer, time, signature }) => ({
      signer: withArrayBuffer(signer),
      time: BigInt(time),
      signature: withArrayBuffer(signature),
    })),
  }
}

/** As copies of the bytes, for a record is kept. Whether it keeps the rules, {@link brokenRule} says. */
function decodeProvedAddress(message: ProvedAddressMessage): ProvedAddress | undefined {
  const address = publishedAddress(message.ip, 1)
  if (address === undefined) return undefined
  return {
    ip: address.ip,
    salt: new Uint8Array(message.salt),
    proofs: message.proofs.map(({ signer, time, signature }) => ({
      signer: new Uint8Array(signer),
      time: asUnixTime(Number(time)),
      signature: new Uint8Array(signature),
    })),
  }
}
