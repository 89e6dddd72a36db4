import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mtuWarnings } from '../../src/daemon/mtuWarnings.js'

describe('the warning of a too large MTU', () => {
  it('is not there where all paths carry full packets, or nothing is known', () => {
    assert.deepEqual(mtuWarnings('wg0', 1_420, [{ mtu: 1_420 }, { mtu: undefined }]), [])
    assert.deepEqual(mtuWarnings('wg0', 1_420, []), [])
    assert.deepEqual(mtuWarnings('wg0', undefined, [{ mtu: 1_392 }]), [])
  })

  it('names the MTU that suits all paths, and the command that sets it', () => {
    assert.deepEqual(mtuWarnings('wg0', 1_420, [{ mtu: 1_392 }, { mtu: 1_420 }]), [
      'the MTU 1420 is too large for the path to one peer; set it with: ip link set wg0 mtu 1392',
    ])
    assert.deepEqual(mtuWarnings('wg0', 1_420, [{ mtu: 1_392 }, { mtu: 1_340 }]), [
      'the MTU 1420 is too large for the paths to 2 peers; set it with: ip link set wg0 mtu 1340',
    ])
  })
})
