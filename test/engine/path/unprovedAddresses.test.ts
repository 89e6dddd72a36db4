import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnprovedAddresses } from '../../../src/engine/path/unprovedAddresses.js'
import type { CandidateType } from '../../../src/wire/candidate.js'

const at = (ip: string, port = 1, type: CandidateType = 'server-reflexive') => ({
  type,
  remote: { ip, port },
})

function triesAt(addresses: UnprovedAddresses, ip: string): number {
  let tries = 0
  while (tries < 100 && addresses.mayTry(at(ip, tries + 1))) tries += 1
  return tries
}

test('an address gets a few series, whatever ports are named with it', () => {
  const addresses = new UnprovedAddresses()
  assert.equal(triesAt(addresses, '203.0.113.1'), 8)
  assert.equal(triesAt(addresses, '203.0.113.1'), 0)
  assert.equal(triesAt(addresses, '203.0.113.2'), 8)
})

test('one where the peer turns out to be, and all when we are elsewhere, get them anew', () => {
  const addresses = new UnprovedAddresses()
  for (const ip of ['203.0.113.1', '203.0.113.2']) triesAt(addresses, ip)
  addresses.forget('203.0.113.1')
  assert.equal(triesAt(addresses, '203.0.113.2'), 0)
  assert.equal(triesAt(addresses, '203.0.113.1'), 8)
  addresses.clear()
  assert.equal(triesAt(addresses, '203.0.113.2'), 8)
})

test('where the peer says that it is elsewhere, each address gets one more try of two ports', () => {
  const addresses = new UnprovedAddresses()
  triesAt(addresses, '203.0.113.1')
  addresses.allowAnother()
  assert.equal(triesAt(addresses, '203.0.113.1'), 2)
})

test('relays, and what the user says, are not counted', () => {
  const addresses = new UnprovedAddresses()
  for (const type of ['relayed', 'configured'] as const)
    for (let count = 0; count < 100; count++) assert(addresses.mayTry(at('203.0.113.1', 1, type)))
})

test('ever new addresses take no more memory', () => {
  const addresses = new UnprovedAddresses()
  for (let n = 0; n < 10_000; n++) addresses.mayTry(at(`10.0.${n >> 8}.${n & 255}`))
  // The first was pushed out.
  assert.equal(triesAt(addresses, '10.0.0.0'), 8)
})
