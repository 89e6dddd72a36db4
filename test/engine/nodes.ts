/** Nodes with keys of their own, and what they write. */

import { fromString } from 'uint8arrays'
import { type PublicKey, publicKeyFromBytes } from '../../src/base/publicKey.js'
import { seededRandom } from '../../src/base/random.js'
import { asUnixTime, HOUR } from '../../src/base/time.js'
import { createInitiation } from '../../src/crypto/initiation.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import type { PairKeys } from '../../src/crypto/pair.js'
import { type RecordSealing, recordSealing } from '../../src/crypto/sealedRecord.js'
import { signRecord } from '../../src/crypto/signedRecord.js'
import { tai64n } from '../../src/crypto/tai64n.js'
import { type X25519KeyPair, x25519KeyPair } from '../../src/crypto/x25519.js'
import { periodOf } from '../../src/wire/period.js'
import type { PeerRecord } from '../../src/wire/record.js'
import { UNIX_START } from './virtualTime.js'

export interface TestNode {
  readonly keys: NodeKeys
  readonly publicKey: PublicKey
  readonly pair: X25519KeyPair
  readonly sealing: RecordSealing
}

/** The node of a number from 1 to 255; the same on every run. */
export function testNode(number: number): TestNode {
  const privateKey = new Uint8Array(32).fill(number)
  const keys = nodeKeys(privateKey)
  const sealing = recordSealing(keys, 'tunnelbore')
  return { keys, publicKey: keys.publicKey, pair: x25519KeyPair(privateKey), sealing }
}

/** A public key that begins with `head`; nobody has its private half. */
export function keyBeginningWith(head: readonly number[], last = 0): PublicKey {
  const bytes = new Uint8Array(32)
  bytes.set(head)
  bytes[31] = last
  return publicKeyFromBytes(bytes)
}

/** What `own` shares with `peer`. */
export function pairKeysOf(own: TestNode, peer: TestNode): PairKeys {
  const keys = own.keys.pairKeys(peer.publicKey)
  if (keys === undefined) throw new TypeError('a pair needs two nodes')
  return keys
}

/** A real first message. */
export function firstMessage(
  initiator: TestNode,
  responder: TestNode,
  options: { readonly sentAt?: number; readonly senderIndex?: number; readonly seed?: number } = {},
): Uint8Array {
  const { sentAt = UNIX_START, senderIndex = 1, seed = 1 } = options
  return createInitiation(
    {
      initiator: initiator.pair,
      responder: responder.publicKey,
      senderIndex,
      timestamp: tai64n(asUnixTime(sentAt)),
    },
    seededRandom(seed),
  )
}

/** A record of `author`, issued at {@link UNIX_START} for two hours unless `fields` says otherwise. */
export function recordOf(author: TestNode, fields: Partial<PeerRecord> = {}): PeerRecord {
  return {
    publicKey: author.publicKey,
    sequence: UNIX_START,
    issuedAt: UNIX_START,
    expiresAt: asUnixTime(UNIX_START + 2 * HOUR),
    candidates: [{ type: 'host', address: { ip: '192.0.2.1', port: 51821 } }],
    identity: fromString('11'.repeat(32), 'hex'),
    multiaddrs: ['/ip4/192.0.2.1/tcp/51821'],
    nat: { mapping: 'unknown', filtering: 'unknown' },
    ...fields,
  }
}

export function signedRecordOf(author: TestNode, fields: Partial<PeerRecord> = {}): Uint8Array {
  return signRecord(recordOf(author, fields), author.keys, seededRandom(1))
}

/** {@link signedRecordOf}, sealed for the period of {@link UNIX_START} or another, with the record's own sequence or another. */
export function sealedRecordOf(
  author: TestNode,
  fields: Partial<PeerRecord> = {},
  seal: { readonly period?: number; readonly sequence?: number } = {},
): Uint8Array {
  const { period = periodOf(UNIX_START), sequence = fields.sequence ?? UNIX_START } = seal
  return author.sealing.seal(signedRecordOf(author, fields), period, sequence, seededRandom(1))
}
