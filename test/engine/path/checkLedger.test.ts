import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CheckLedger } from '../../../src/engine/path/checkLedger.js'
import { at } from '../virtualTime.js'
import { remote } from './machines.js'

describe('a ledger of checks', () => {
  it('says of each address what went there and what came back', () => {
    const ledger = new CheckLedger()
    ledger.sent('host', remote(1), at(1))
    ledger.sent('host', remote(1), at(2))
    ledger.answered(remote(1), at(3))
    ledger.received(remote(2), at(4))
    assert.deepEqual(ledger.addresses, [
      {
        remote: remote(1),
        type: 'host',
        sent: 2,
        answered: 1,
        received: 0,
        lastSentAt: at(2),
        lastHeardAt: at(3),
      },
      {
        remote: remote(2),
        type: 'peer-reflexive',
        sent: 0,
        answered: 0,
        received: 1,
        lastSentAt: undefined,
        lastHeardAt: at(4),
      },
    ])
    ledger.clear()
    assert.deepEqual(ledger.addresses, [])
  })

  it('keeps 64 addresses, and forgets the one that was tried first', () => {
    const ledger = new CheckLedger()
    for (let host = 1; host <= 200; host++) ledger.sent('host', remote(host), at(host))
    assert.equal(ledger.addresses.length, 64)
    assert.deepEqual(ledger.addresses[0]?.remote, remote(137))
  })
})
