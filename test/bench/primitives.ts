/** How many of the costly things that others can make a node do, it does in a second on one core. */

import { publicKeyBytes } from '../../src/base/publicKey.js'
import { asUnixTime, HOUR } from '../../src/base/time.js'
import { createInitiation } from '../../src/crypto/initiation.js'
import { type NodeKeys, nodeKeys } from '../../src/crypto/nodeKeys.js'
import { recordSealing, verifySealedRecord } from '../../src/crypto/sealedRecord.js'
import { openSignedRecord, signRecord } from '../../src/crypto/signedRecord.js'
import { x25519KeyPair } from '../../src/crypto/x25519.js'
import { systemRandom } from '../../src/io/systemRandom.js'
import type { PeerRecord } from '../../src/wire/record.js'
import type { Progress } from '../lab/progress.js'
import type { Finding } from './report.js'
import { median } from './statistics.js'

const ROUNDS = 5
const ROUND_MS = 200
/** Operations between two looks at the clock. */
const BATCH = 16

export async function* benchPrimitives(progress: Progress): AsyncGenerator<Finding> {
  const rows = await progress.step('mac1, initiations and records', async () =>
    Object.entries(operations()).map(([operation, once]) => {
      perSecond(once)
      const rates = Array.from({ length: ROUNDS }, () => perSecond(once))
      const rate = median(rates)
      return { operation, rate, micros: 1e6 / rate }
    }),
  )
  yield {
    title: 'Cryptography, on one core',
    columns: [
      { key: 'operation', heading: 'operation' },
      { key: 'rate', heading: 'a second' },
      { key: 'micros', heading: 'µs each', digits: 1 },
    ],
    rows,
    notes: [`Medians of ${ROUNDS} rounds of ${ROUND_MS} ms.`],
  }
}

function operations(): Readonly<Record<string, () => void>> {
  const keys = nodeKeys(systemRandom.bytes(32))
  const initiation = createInitiation(
    {
      initiator: x25519KeyPair(systemRandom.bytes(32)),
      responder: keys.publicKey,
      senderIndex: 1,
      timestamp: new Uint8Array(12),
    },
    systemRandom,
  )
  const record = sampleRecord(keys)
  const signed = signRecord(record, keys, systemRandom)
  const sealing = recordSealing(keys, 'tunnelbore')
  const sealed = sealing.seal(signed, 1, Date.now(), systemRandom)
  let period = 1
  return {
    'mac1 tested': () => keys.mac1IsForUs(initiation),
    'initiation opened': () => keys.openInitiation(initiation),
    'record signed': () => signRecord(record, keys, systemRandom),
    'record verified': () => openSignedRecord(signed),
    'key blinded': () => sealing.blindedKey(keys.publicKey, ++period),
    'record sealed': () => sealing.seal(signed, 1, Date.now(), systemRandom),
    'sealed record opened': () => sealing.open(sealed, keys.publicKey),
    'sealed record verified': () => verifySealedRecord(sealed),
  }
}

/** As a node behind a NAT has it: two host candidates, a reflexive one, two relays. */
function sampleRecord(keys: NodeKeys): PeerRecord {
  const issuedAt = Date.now()
  return {
    publicKey: keys.publicKey,
    sequence: issuedAt,
    issuedAt: asUnixTime(issuedAt),
    expiresAt: asUnixTime(issuedAt + HOUR),
    candidates: [
      { type: 'host', address: { ip: '192.168.1.10', port: 51_821 } },
      { type: 'host', address: { ip: '2001:db8::10', port: 51_821 } },
      { type: 'server-reflexive', address: { ip: '203.0.113.10', port: 51_821 } },
    ],
    identity: publicKeyBytes(keys.publicKey),
    multiaddrs: ['/ip4/203.0.113.11/tcp/51821', '/ip4/203.0.113.12/tcp/51821'],
    nat: { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' },
  }
}

function perSecond(once: () => void): number {
  const begun = performance.now()
  let count = 0
  let took = 0
  while (took < ROUND_MS) {
    for (let at = 0; at < BATCH; at++) once()
    count += BATCH
    took = performance.now() - begun
  }
  return (count * 1_000) / took
}
