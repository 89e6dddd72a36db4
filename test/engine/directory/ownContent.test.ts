import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownContent } from '../../../src/engine/directory/ownContent.js'
import type { Candidate } from '../../../src/wire/candidate.js'

const SOCKET = {
  id: 1,
  address: { ip: '192.168.1.10', port: 51_821 },
  device: 'eth0',
  purpose: 'shared',
} as const
const MAPPED: Candidate = { type: 'mapped', address: { ip: '203.0.113.10', port: 51_821 } }
const SEEN: Candidate = { type: 'server-reflexive', address: { ip: '203.0.113.10', port: 40_000 } }

test('a mapped address goes before those that reflectors see, and before our own', () => {
  const { candidates } = ownContent(
    { candidates: [SEEN], mapping: 'unknown', filtering: 'unknown' },
    [SOCKET],
    [],
    [MAPPED],
  )
  assert.deepEqual(candidates, [MAPPED, SEEN, { type: 'host', address: SOCKET.address }])
})
