/** What a program may import. */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as tunnelbore from '../src/index.js'
import { COMPILED_TESTS, REPOSITORY } from './repository.js'

test('everything that is exported is there, and nothing else', () => {
  assert.deepEqual(Object.keys(tunnelbore).sort(), EXPORTED)
  for (const value of Object.values(tunnelbore)) assert.notEqual(value, undefined)
})

test('the package names its compiled program and its compiled exports', () => {
  const { bin, exports } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'))
  const { types, default: index } = exports['.']
  for (const path of [bin.tunnelbore, types, index]) {
    const [, below = ''] = /^(?:\.\/)?dist\/(.*)$/.exec(path) ?? []
    assert.ok(existsSync(join(COMPILED_TESTS, '..', below)), path)
  }
})

test('a record is signed, knocked with and opened by what is exported', () => {
  const random = tunnelbore.seededRandom(1)
  const keys = tunnelbore.nodeKeys(random.bytes(32))
  const record: tunnelbore.PeerRecord = {
    publicKey: keys.publicKey,
    sequence: 1,
    issuedAt: tunnelbore.asUnixTime(1_000),
    expiresAt: tunnelbore.asUnixTime(2_000),
    candidates: [{ type: 'host', address: { ip: '192.0.2.1', port: 51_821 } }],
    identity: random.bytes(32),
    multiaddrs: [],
    nat: { mapping: 'unknown', filtering: 'unknown' },
  }
  const signedRecord = tunnelbore.signRecord(record, keys, random)
  const knock = tunnelbore.decodeKnock(tunnelbore.encodeKnock({ version: 1, signedRecord }))
  assert.ok(!tunnelbore.isDropped(knock))
  assert.deepEqual(tunnelbore.openSignedRecord(knock.signedRecord), record)
})

/** Sorted. A program may rely on each of these. */
const EXPORTED = [
  'BINDING',
  'ConfigError',
  'DROP_REASONS',
  'ERROR_CODE',
  'Node',
  'NotRunningError',
  'UserError',
  'VERSION',
  'admitSealedRecord',
  'asInstant',
  'asUnixTime',
  'askResolve',
  'askStatus',
  'bootstrapConfig',
  'classify',
  'controlSocketPath',
  'createLogger',
  'decodeKnock',
  'decodeKnockAnswer',
  'decodeRecord',
  'decodeSealedRecord',
  'decodeSignedRecord',
  'decodeStun',
  'encodeKnock',
  'encodeKnockAnswer',
  'encodeRecord',
  'encodeSealedRecord',
  'encodeSignedRecord',
  'encodeStun',
  'formatSocketAddress',
  'isDropped',
  'isStun',
  'nodeKeys',
  'now',
  'openSignedRecord',
  'parsePublicKey',
  'parseSocketAddress',
  'publicKeyBytes',
  'publicKeyFromBytes',
  'readConfigFile',
  'recordSealing',
  'seededRandom',
  'signRecord',
  'startBootstrap',
  'startUp',
  'systemRandom',
  'upConfig',
  'verifyIntegrity',
  'verifySealedRecord',
  'xeddsaKeyPair',
  'xeddsaSign',
  'xeddsaVerify',
]
