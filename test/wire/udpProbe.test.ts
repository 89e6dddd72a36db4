import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { concat, fromString } from 'uint8arrays'
import { isDropped } from '../../src/base/drops.js'
import { decodeStun } from '../../src/wire/stun/message.js'
import {
  decodeUdpProbeAnswer,
  decodeUdpProbeRequest,
  encodeUdpProbeAnswer,
  encodeUdpProbeRequest,
  MAX_UDP_PROBE_LENGTH,
  type UdpProbeAnswer,
  type UdpProbeRequest,
  udpProbeDatagram,
} from '../../src/wire/udpProbe.js'
import { bytes, mutated, plain, socketAddress } from './arbitraries.js'

const port = fc.integer({ min: 1, max: 0xffff })
const ip = socketAddress.map((address) => address.ip)
const anyRequest: fc.Arbitrary<UdpProbeRequest> = plain({
  port,
  nonce: bytes(12),
  from: fc.constantFrom('usual-port' as const, 'other-port' as const),
  at: ip,
})
const anyAnswer: fc.Arbitrary<UdpProbeAnswer> = plain({
  ip: fc.option(ip, { nil: undefined }),
  otherPort: fc.option(port, { nil: undefined }),
})
/** A field that a later version may have. */
const LATER_FIELD = fromString('7a03616263', 'hex')

describe('requests for UDP probes, and answers', () => {
  it('have these very bytes, both ways', () => {
    const nonce = new Uint8Array(12).fill(0x11)
    const request = { port: 51_821, nonce, from: 'other-port', at: '203.0.113.10' } as const
    const requestBytes = fromString(`080110ed94031a0c${'11'.repeat(12)}20012a04cb00710a`, 'hex')
    assert.deepEqual(encodeUdpProbeRequest(request), requestBytes)
    assert.deepEqual(decodeUdpProbeRequest(requestBytes), request)
    const answer = { ip: '203.0.113.10', otherPort: 51_821 }
    const answerBytes = fromString('08011204cb00710a18ed9403', 'hex')
    assert.deepEqual(encodeUdpProbeAnswer(answer), answerBytes)
    assert.deepEqual(decodeUdpProbeAnswer(answerBytes), answer)
  })

  it('survive the way there and back, with fields of later versions', () => {
    fc.assert(
      fc.property(anyRequest, anyAnswer, (request, answer) => {
        assert.deepEqual(
          decodeUdpProbeRequest(concat([encodeUdpProbeRequest(request), LATER_FIELD])),
          request,
        )
        assert.deepEqual(decodeUdpProbeAnswer(concat([encodeUdpProbeAnswer(answer), LATER_FIELD])), answer)
      }),
    )
  })

  it('that break a rule are dropped, and none makes the codec throw', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      anyRequest.map(encodeUdpProbeRequest).chain(mutated),
      anyAnswer.map(encodeUdpProbeAnswer).chain(mutated),
    )
    fc.assert(
      fc.property(any, (damaged) => {
        const request = decodeUdpProbeRequest(damaged)
        if (isDropped(request)) assert.equal(request.dropped, 'udp-probe-malformed')
        else assert.ok(request.port > 0 && request.nonce.length === 12)
        const answer = decodeUdpProbeAnswer(damaged)
        if (isDropped(answer)) assert.equal(answer.dropped, 'udp-probe-malformed')
      }),
    )
    assert.ok(isDropped(decodeUdpProbeRequest(new Uint8Array(MAX_UDP_PROBE_LENGTH + 1))))
  })

  it('are refused where they cannot be sent', () => {
    const request = { port: 1, nonce: new Uint8Array(12), from: 'usual-port', at: '192.0.2.1' } as const
    assert.throws(() => encodeUdpProbeRequest({ ...request, port: 0 }), RangeError)
    assert.throws(() => encodeUdpProbeRequest({ ...request, nonce: new Uint8Array(11) }), RangeError)
    assert.throws(() => encodeUdpProbeRequest({ ...request, at: 'here' }), RangeError)
    assert.throws(() => encodeUdpProbeAnswer({ ip: 'here', otherPort: undefined }), RangeError)
    assert.throws(() => encodeUdpProbeAnswer({ ip: undefined, otherPort: 0 }), RangeError)
  })

  it('ask for a datagram that is shorter than they are', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const datagram = udpProbeDatagram(request.nonce)
        // With the length before it, and not to speak of TCP and noise around it.
        assert.ok(datagram.length <= encodeUdpProbeRequest(request).length + 8)
        const message = decodeStun(datagram)
        assert.ok(!isDropped(message))
        assert.equal(message.messageClass, 'indication')
        assert.deepEqual([...message.transactionId], [...request.nonce])
      }),
    )
  })
})
