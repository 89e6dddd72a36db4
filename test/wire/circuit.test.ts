import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { decodeReservation, encodeReserve, MAX_RESERVATION_LENGTH } from '../../src/wire/circuit.js'

const MALFORMED = { dropped: 'reservation-malformed' }

describe('a reservation at a circuit relay', () => {
  it('is asked for with these very bytes', () => {
    assert.deepEqual(encodeReserve(), fromString('0800', 'hex'))
  })

  it('is read, with a voucher and a limit that nobody looks at', () => {
    const answer = fromString(
      '0802 1a10 08808ce1d506 1204cafebabe 1a0212 00 2203 08840 7 2864'.replaceAll(' ', ''),
      'hex',
    )
    assert.deepEqual(decodeReservation(answer), {
      expiresAt: 1_790_461_440_000,
      addresses: [fromString('cafebabe', 'hex')],
    })
  })

  it('can be refused', () => {
    assert.equal(decodeReservation(fromString('080228c801', 'hex')), 'refused')
  })

  it('that does not decode, or is too long, is dropped, and nothing throws', () => {
    for (const hex of ['', '0800', '08022864', 'ffff'])
      assert.deepEqual(decodeReservation(fromString(hex, 'hex')), MALFORMED, hex)
    assert.deepEqual(decodeReservation(new Uint8Array(MAX_RESERVATION_LENGTH + 1)), MALFORMED)
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (any) => void decodeReservation(any)))
  })
})
