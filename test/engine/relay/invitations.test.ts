import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECOND } from '../../../src/base/time.js'
import { Invitations } from '../../../src/engine/relay/invitations.js'
import { at } from '../virtualTime.js'

describe('what a knock asks of us', () => {
  it('is nothing while the peer is asking itself, for a second', () => {
    const invitations = new Invitations()
    invitations.promised(2, at(0))
    assert.equal(invitations.expected(at(999)), 2)
    assert.equal(invitations.due(at(0)), at(SECOND))
    assert.equal(invitations.expected(at(SECOND)), 0)
    assert.equal(invitations.due(at(SECOND)), undefined)
  })

  it('is not put off by promising again, but by another effort', () => {
    const invitations = new Invitations()
    invitations.promised(1, at(0))
    invitations.promised(1, at(900))
    assert.equal(invitations.expected(at(SECOND)), 0)
    invitations.promised(1, at(20 * SECOND))
    assert.equal(invitations.expected(at(20 * SECOND)), 1)
    invitations.promised(0, at(20 * SECOND))
    assert.equal(invitations.expected(at(20 * SECOND)), 0)
  })

  it('is waited for 300 ms', () => {
    const invitations = new Invitations()
    assert.equal(invitations.isInvited(at(0)), false)
    invitations.invite(at(0))
    assert.equal(invitations.isInvited(at(299)), true)
    assert.equal(invitations.due(at(0)), at(300))
    assert.equal(invitations.isInvited(at(300)), false)
    assert.equal(invitations.due(at(300)), undefined)
  })
})
