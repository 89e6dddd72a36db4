import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concat, fromString, toString as toText } from 'uint8arrays'
import {
  encodeRelayFrame,
  MAX_FRAMED_LENGTH,
  type RelayFrame,
  RelayFrameReader,
} from '../../src/wire/relayFrame.js'

const frame = fc.record({
  port: fc.integer({ min: 1, max: 0xffff }),
  datagram: fc.uint8Array({ minLength: 1, maxLength: 300 }),
})

test('a frame has the bytes of its diagram', () => {
  const bytes = encodeRelayFrame({ port: 0x1234, datagram: fromString('abc') })
  assert.equal(toText(bytes, 'hex'), '12340003616263')
})

test('frames are read back, however the stream was cut', () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 400 })), (frames, cuts) => {
      const reader = new RelayFrameReader()
      let rest = concat(frames.map(encodeRelayFrame))
      const read = []
      for (const cut of cuts) {
        read.push(...(reader.read(rest.subarray(0, cut)) ?? assert.fail()))
        rest = rest.subarray(cut)
      }
      read.push(...(reader.read(rest) ?? assert.fail()))
      const plain = ({ port, datagram }: RelayFrame) => ({ port, datagram: [...datagram] })
      assert.deepEqual(read.map(plain), frames.map(plain))
    }),
  )
})

test('no bytes make the reader throw, and it holds one frame at most', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 })), (chunks) => {
      const reader = new RelayFrameReader()
      for (const chunk of chunks) {
        const frames = reader.read(chunk)
        if (frames === undefined) return
        for (const { port, datagram } of frames) {
          assert(port > 0)
          assert(datagram.length > 0 && datagram.length <= MAX_FRAMED_LENGTH)
        }
      }
    }),
  )
})

test('what breaks a rule is refused', () => {
  const hex = (text: string) => new RelayFrameReader().read(fromString(text, 'hex'))
  assert.equal(hex('00000001ff'), undefined)
  assert.equal(hex('00010000'), undefined)
  assert.equal(hex('00012401'), undefined)
  assert.deepEqual(hex('0001'), [])
  for (const port of [0, 65_536, 1.5])
    assert.throws(() => encodeRelayFrame({ port, datagram: Uint8Array.of(1) }), RangeError)
  for (const length of [0, MAX_FRAMED_LENGTH + 1])
    assert.throws(() => encodeRelayFrame({ port: 1, datagram: new Uint8Array(length) }), RangeError)
})
