/** Who takes part in the laws of cryptography, and which cryptographies they hold for: whatever a run relies on is so with both. */

import assert from 'node:assert/strict'
import {
  type Cryptography,
  realCryptography,
  type WireGuardKeys,
} from '../../../simulations/crypto/cryptography.js'
import { StandIn } from '../../../simulations/crypto/standIn.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { after, asUnixTime, HOUR } from '../../../src/base/time.js'
import type { NodeKeys } from '../../../src/crypto/nodeKeys.js'
import type { PairKeys } from '../../../src/crypto/pair.js'
import { tai64n } from '../../../src/crypto/tai64n.js'
import type { PeerRecord } from '../../../src/wire/record.js'

export type Make = () => Cryptography

export const IMPLEMENTATIONS: readonly { readonly name: string; readonly make: Make }[] = [
  { name: 'the real cryptography', make: () => realCryptography },
  { name: 'the stand-in', make: () => new StandIn() },
]

export const UNIX = asUnixTime(1_800_000_000_000)
export const TIMESTAMP = tai64n(UNIX)
export const DATA = Uint8Array.from({ length: 100 }, (_, at) => at)

export interface Person {
  readonly node: NodeKeys
  readonly wireguard: WireGuardKeys
}

export function cast(make: Make) {
  const cryptography = make()
  const person = (fill: number): Person => {
    const privateKey = new Uint8Array(32).fill(fill)
    return { node: cryptography.nodeKeys(privateKey), wireguard: cryptography.wireguardKeys(privateKey) }
  }
  /** Of whom no private key was ever seen. */
  const stranger = realCryptography.nodeKeys(new Uint8Array(32).fill(4)).publicKey
  return { cryptography, ana: person(1), ben: person(2), eve: person(3), stranger }
}

export function pairOf(keys: NodeKeys, peer: PublicKey): PairKeys {
  const pair = keys.pairKeys(peer)
  assert.ok(pair !== undefined)
  return pair
}

export function recordOf(publicKey: PublicKey): PeerRecord {
  return {
    publicKey,
    sequence: 1_800_000_000_000,
    issuedAt: UNIX,
    expiresAt: after(UNIX, 24 * HOUR),
    candidates: [{ type: 'host', address: { ip: '192.168.1.2', port: 51_821 } }],
    identity: new Uint8Array(32).fill(9),
    multiaddrs: ['/ip4/203.0.113.10/tcp/51821'],
    nat: { mapping: 'endpoint-independent', filtering: 'unknown' },
  }
}
