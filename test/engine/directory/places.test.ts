import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Places } from '../../../src/engine/directory/places.js'
import { recordOf, testNode } from '../nodes.js'

const ALICE = testNode(1)

describe('the places of a peer', () => {
  it('are news where a record names one that none before it did', () => {
    const places = new Places()
    assert.equal(places.note(at('203.0.113.1', 1)), true)
    assert.equal(places.note(at('203.0.113.1', 1)), false)
    assert.equal(places.note(at('203.0.113.2', 1)), true)
    assert.equal(places.note(at('203.0.113.1', 1)), false)
  })

  it('are told by address and kind, not by port', () => {
    const places = new Places()
    places.note(at('203.0.113.1', 1))
    assert.equal(places.note(at('203.0.113.1', 2)), false)
    assert.equal(places.note(at('203.0.113.1', 1, 'host')), true)
  })

  it('are not news without a record', () => {
    assert.equal(new Places().note(undefined), false)
  })

  it('are news again once forgotten, and are not remembered without bound', () => {
    const places = new Places()
    places.note(at('203.0.113.1', 1))
    places.forget()
    assert.equal(places.note(at('203.0.113.1', 1)), true)
    for (let last = 2; last < 100; last++) places.note(at(`203.0.113.${last}`, 1))
    assert.equal(places.note(at('203.0.113.1', 1)), true)
  })
})

function at(ip: string, port: number, type: 'host' | 'server-reflexive' = 'server-reflexive') {
  return recordOf(ALICE, { candidates: [{ type, address: { ip, port } }] })
}
