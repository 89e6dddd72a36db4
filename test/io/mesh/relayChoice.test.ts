import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { chooseRelays, type RelayCandidate } from '../../../src/io/mesh/relayChoice.js'

const candidates: fc.Arbitrary<readonly RelayCandidate[]> = fc.uniqueArray(
  fc.record(
    {
      peerId: fc.stringMatching(/^[a-z]{1,3}$/),
      network: fc.constantFrom('here', 'there', undefined),
      isSuspect: fc.boolean(),
      isReserved: fc.boolean(),
      rttMs: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
    },
    { noNullPrototype: true },
  ),
  { selector: ({ peerId }) => peerId, maxLength: 8 },
)

function relay(peerId: string, fields: Partial<RelayCandidate> = {}): RelayCandidate {
  return { peerId, network: 'here', isSuspect: false, isReserved: false, rttMs: 10, ...fields }
}

function chosen(...from: readonly RelayCandidate[]): string {
  return chooseRelays(from, 2)
    .map(({ peerId }) => peerId)
    .join('')
}

describe('the choice of relays', () => {
  it('takes the nearest, and then the nearest in another network', () => {
    assert.equal(
      chosen(relay('a'), relay('b', { rttMs: 5 }), relay('c', { network: 'there', rttMs: 90 })),
      'bc',
    )
  })

  it('takes two in one network where there is no other', () => {
    assert.equal(chosen(relay('a'), relay('b')), 'ab')
  })

  it('stays where a reservation is, though another relay is nearer', () => {
    assert.equal(
      chosen(relay('a', { isReserved: true, rttMs: 99 }), relay('b'), relay('c', { network: 'there' })),
      'ac',
    )
  })

  it('moves one of two reservations in one network when there is a relay in another', () => {
    const [a, b] = [relay('a', { isReserved: true }), relay('b', { isReserved: true })]
    assert.equal(chosen(a, b, relay('c', { network: 'there' })), 'ac')
  })

  it('takes one that is suspect last', () => {
    assert.equal(chosen(relay('a', { isSuspect: true, isReserved: true }), relay('b'), relay('c')), 'bc')
  })

  it('does not depend on the order, takes as many as there are, and is stable', () => {
    fc.assert(
      fc.property(candidates, fc.integer({ min: 0, max: 4 }), (all, count) => {
        const first = chooseRelays(all, count)
        assert.deepEqual(chooseRelays([...all].reverse(), count), first)
        assert.equal(first.length, Math.min(count, all.length))
        const taken = all.map((candidate) => ({ ...candidate, isReserved: first.includes(candidate) }))
        assert.deepEqual(
          new Set(chooseRelays(taken, count).map(({ peerId }) => peerId)),
          new Set(first.map(({ peerId }) => peerId)),
        )
      }),
    )
  })

  it('covers two networks where two have a relay that is not suspect', () => {
    fc.assert(
      fc.property(candidates, (all) => {
        const networks = new Set(all.filter(({ isSuspect }) => !isSuspect).map(({ network }) => network))
        const covered = new Set(chooseRelays(all, 2).map(({ network }) => network))
        assert.ok(covered.size >= Math.min(2, networks.size))
      }),
    )
  })
})
