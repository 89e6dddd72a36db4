import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat, fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import {
  type DialBackRequest,
  decodeDialBackRequest,
  decodeReachAnswer,
  decodeReachRequest,
  encodeDialBackRequest,
  encodeReachAnswer,
  encodeReachRequest,
  MAX_REACH_LENGTH,
  type ReachAnswer,
} from '../../src/wire/reach.js'
import { bytes, mutated, plain, socketAddress } from './arbitraries.js'

const port = fc.integer({ min: 1, max: 0xffff })
const anyRequest: fc.Arbitrary<DialBackRequest> = plain({ address: socketAddress, identity: bytes(32) })
const anyAnswer: fc.Arbitrary<ReachAnswer> = plain({
  verdict: fc.constantFrom('not-tried' as const, 'reachable' as const, 'unreachable' as const),
  by: fc.constantFrom('same' as const, 'another' as const),
  ip: fc.option(
    socketAddress.map(({ ip }) => ip),
    { nil: undefined },
  ),
})
/** A field that a later version may have. */
const LATER_FIELD = fromString('7a03616263', 'hex')

describe('requests to be dialled back, and answers', () => {
  it('have these very bytes, both ways', () => {
    const identity = new Uint8Array(32).fill(0x11)
    const handedOn = { address: { ip: '203.0.113.10', port: 51_821 }, identity }
    const request = fromString('080110ed9403', 'hex')
    const dialBack = fromString(`08011204cb00710a18ed94032220${'11'.repeat(32)}`, 'hex')
    const answer = fromString('0801100118012204cb00710a', 'hex')
    const said = { verdict: 'reachable', by: 'another', ip: '203.0.113.10' } as const
    assert.deepEqual(encodeReachRequest({ port: 51_821 }), request)
    assert.deepEqual(decodeReachRequest(request), { port: 51_821 })
    assert.deepEqual(encodeDialBackRequest(handedOn), dialBack)
    assert.deepEqual(decodeDialBackRequest(dialBack), handedOn)
    assert.deepEqual(encodeReachAnswer(said), answer)
    assert.deepEqual(decodeReachAnswer(answer), said)
  })

  it('survive the way there and back, with fields of later versions behind them', () => {
    fc.assert(
      fc.property(port, anyRequest, anyAnswer, (port, request, answer) => {
        const later = (encoded: Uint8Array) => concat([encoded, LATER_FIELD])
        assert.deepEqual(decodeReachRequest(later(encodeReachRequest({ port }))), { port })
        assert.deepEqual(decodeDialBackRequest(later(encodeDialBackRequest(request))), request)
        assert.deepEqual(decodeReachAnswer(later(encodeReachAnswer(answer))), answer)
      }),
    )
  })

  it('never throw when decoded', () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: MAX_REACH_LENGTH + 1 }),
      anyRequest.map(encodeDialBackRequest).chain(mutated),
      anyAnswer.map(encodeReachAnswer).chain(mutated),
    )
    fc.assert(
      fc.property(rubbish, (any) => {
        const [request, handedOn, answer] = [
          decodeReachRequest(any),
          decodeDialBackRequest(any),
          decodeReachAnswer(any),
        ]
        if (!isDropped(request)) assert.deepEqual(decodeReachRequest(encodeReachRequest(request)), request)
        if (!isDropped(handedOn))
          assert.deepEqual(decodeDialBackRequest(encodeDialBackRequest(handedOn)), handedOn)
        if (!isDropped(answer)) assert.deepEqual(decodeReachAnswer(encodeReachAnswer(answer)), answer)
      }),
    )
  })

  it('that break a rule are dropped', () => {
    const malformed = { dropped: 'reach-malformed' }
    for (const hex of ['', '0801', '080210ed9403', '080110808004'])
      assert.deepEqual(decodeReachRequest(fromString(hex, 'hex')), malformed, hex)
    const identity = `2220${'11'.repeat(32)}`
    const requests = {
      'without an address': `080118ed9403${identity}`,
      'with an address of 3 bytes': `08011203cb007118ed9403${identity}`,
      'with an IPv4 address in 16 bytes': `0801121000000000000000000000ffffcb00710a18ed9403${identity}`,
      'without a port': `08011204cb00710a${identity}`,
      'with a short identity': `08011204cb00710a18ed9403221f${'11'.repeat(31)}`,
    }
    for (const [what, hex] of Object.entries(requests))
      assert.deepEqual(decodeDialBackRequest(fromString(hex, 'hex')), malformed, what)
    assert.deepEqual(decodeReachAnswer(fromString('08012203cb0071', 'hex')), malformed)
    const long = concat([encodeReachRequest({ port: 1 }), new Uint8Array(MAX_REACH_LENGTH)])
    assert.deepEqual(decodeReachRequest(long), malformed)
  })

  it('of a verdict of a later version say nothing', () => {
    assert.deepEqual(decodeReachAnswer(fromString('08011009', 'hex')), {
      verdict: 'not-tried',
      by: 'same',
      ip: undefined,
    })
  })

  it('are not made of what is none', () => {
    assert.throws(() => encodeReachRequest({ port: 0 }), RangeError)
    const identity = new Uint8Array(32)
    assert.throws(
      () => encodeDialBackRequest({ address: { ip: 'localhost', port: 1 }, identity }),
      RangeError,
    )
    assert.throws(
      () => encodeDialBackRequest({ address: { ip: '192.0.2.1', port: 1 }, identity: new Uint8Array(31) }),
      RangeError,
    )
    assert.throws(() => encodeReachAnswer({ verdict: 'reachable', by: 'same', ip: 'x' }), RangeError)
  })
})
