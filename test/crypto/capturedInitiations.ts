/** First messages, and a second one, as the real wireguard-go sent them; see test/vectors/wireguard_initiations.json. */

import { fromString } from 'uint8arrays'
import { type PublicKey, parsePublicKey } from '../../src/base/publicKey.js'
import { asUnixTime, type UnixTime } from '../../src/base/time.js'
import { type X25519KeyPair, x25519KeyPair } from '../../src/crypto/x25519.js'
import { hex, readVectors } from './vectors.js'

interface KeyFields {
  readonly privateKey: string
  readonly publicKey: string
}

interface CaptureFile {
  readonly initiator: KeyFields
  readonly responders: readonly (KeyFields & {
    readonly initiations: readonly {
      readonly capturedAt: number
      readonly timestamp: string
      readonly message: string
    }[]
  })[]
  readonly response: { readonly initiation: string; readonly response: string }
}

export interface CapturedInitiation {
  readonly message: Uint8Array
  readonly responder: X25519KeyPair
  /** Who sent it. */
  readonly peer: PublicKey
  /** When it arrived, by the clock that wireguard-go reads too. */
  readonly capturedAt: UnixTime
  readonly timestamp: Uint8Array
}

const file = readVectors<CaptureFile>('wireguard_initiations.json')
const responders = file.responders.map(keyPair)

export const CAPTURED_INITIATIONS: readonly CapturedInitiation[] = file.responders.flatMap((fields, index) =>
  fields.initiations.map((initiation) => ({
    message: hex(initiation.message),
    responder: present(responders[index]),
    peer: present(parsePublicKey(file.initiator.publicKey)),
    capturedAt: asUnixTime(initiation.capturedAt),
    timestamp: hex(initiation.timestamp),
  })),
)

/** wireguard-go, with the first responder's key, answered `initiation` with `response`. */
export const CAPTURED_RESPONSE = {
  initiation: hex(file.response.initiation),
  response: hex(file.response.response),
  initiator: keyPair(file.initiator),
  responder: present(responders[0]),
}

function keyPair(fields: KeyFields): X25519KeyPair {
  return x25519KeyPair(fromString(fields.privateKey, 'base64pad'))
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new TypeError('the captured vectors are incomplete')
  return value
}
