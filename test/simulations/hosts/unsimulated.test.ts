import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failureOf } from '../../../simulations/hosts/unsimulated.js'

describe('what is not simulated', () => {
  it('fails, where the engine waits for it', () => {
    assert.deepEqual(failureOf({ type: 'open-spare-socket', ip: '192.0.2.1' }), {
      type: 'spare-socket-failed',
      ip: '192.0.2.1',
    })
    assert.equal(failureOf({ type: 'resolve-name', name: 'a.lab' })?.type, 'name-failed')
    assert.equal(failureOf({ type: 'probe-reachability' })?.type, 'reachability-probed')
  })

  it('is left alone where nothing waits', () => {
    assert.equal(failureOf({ type: 'serve', serves: false }), undefined)
    assert.equal(failureOf({ type: 'close-spare-socket', socket: 1 }), undefined)
  })
})
