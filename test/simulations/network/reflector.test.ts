import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { perfectLink } from '../../../simulations/network/link.js'
import { attachReflector } from '../../../simulations/network/reflector.js'
import { isDropped } from '../../../src/base/drops.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { HOME, SmallInternet } from './probes.js'

describe('a reflector', () => {
  it('says of a Binding request where it came from, and nothing to anything else', () => {
    const net = new SmallInternet([HOME])
    const place = net.internet.publicPlace('europe', perfectLink(5))
    attachReflector(place, 'reflector', 3_478)
    const inner = net.probe(0)
    const to = { ip: place.ips[0] ?? '', port: 3_478 }
    const transactionId = new Uint8Array(12).fill(7)
    const request = encodeStun({ messageClass: 'request', method: BINDING, transactionId })
    for (const [bytes, port] of [
      [request, 3_478],
      [request, 3_479],
      [request.subarray(1), 3_478],
      [encodeStun({ messageClass: 'success', method: BINDING, transactionId, mappedAddress: to }), 3_478],
    ] as const)
      inner.place.send({ from: inner.at(9), to: { ...to, port }, bytes, author: inner.name })
    net.queue.run(100)
    assert.equal(inner.received.length, 1)
    const { datagram } = inner.received[0] ?? assert.fail()
    assert.deepEqual([datagram.from, datagram.author], [to, 'reflector'])
    const answer = decodeStun(datagram.bytes)
    assert.ok(!isDropped(answer))
    assert.deepEqual(answer.mappedAddress, { ip: net.site(0).gateway?.addresses[0], port: 9 })
    assert.deepEqual(answer.transactionId, transactionId)
  })
})
