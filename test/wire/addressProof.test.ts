import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { asUnixTime } from '../../src/base/time.js'
import {
  ADDRESS_PROOF_LENGTH,
  type AddressProof,
  decodeAddressProof,
  encodeAddressProof,
  PROOF_NAME_LENGTH,
  PROOF_PADDING,
} from '../../src/wire/addressProof.js'
import { encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import { bytes, plain } from './arbitraries.js'

const PROOF: AddressProof = {
  signer: new Uint8Array(32).fill(0x11),
  time: asUnixTime(1_800_000_000_000),
  signature: new Uint8Array(64).fill(0x22),
}

describe('address proofs', () => {
  it('have these very bytes, both ways', () => {
    const encoded = fromString(`${'11'.repeat(32)}000001a3185c5000${'22'.repeat(64)}`, 'hex')
    assert.deepEqual(encodeAddressProof(PROOF), encoded)
    assert.deepEqual(decodeAddressProof(encoded), PROOF)
    assert.equal(encoded.length, ADDRESS_PROOF_LENGTH)
  })

  it('survive the way there and back', () => {
    const any = plain<AddressProof>({
      signer: bytes(32),
      time: fc.maxSafeNat().map(asUnixTime),
      signature: bytes(64),
    })
    fc.assert(
      fc.property(any, (proof) => assert.deepEqual(decodeAddressProof(encodeAddressProof(proof)), proof)),
    )
  })

  it('never throw when decoded, and encode to the same bytes again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), bytes(ADDRESS_PROOF_LENGTH)), (any) => {
        const proof = decodeAddressProof(any)
        if (proof !== undefined) assert.deepEqual(encodeAddressProof(proof), any)
      }),
    )
  })

  it('of wrong lengths or times are not encoded', () => {
    const wrong: readonly Partial<AddressProof>[] = [
      { signer: new Uint8Array(31) },
      { signature: new Uint8Array(65) },
      { time: asUnixTime(-1) },
      { time: asUnixTime(0.5) },
    ]
    for (const change of wrong) assert.throws(() => encodeAddressProof({ ...PROOF, ...change }), RangeError)
  })

  it('make no answer longer than its question', () => {
    const both = { method: BINDING, transactionId: new Uint8Array(12) }
    const name = new Uint8Array(PROOF_NAME_LENGTH)
    const question = encodeStun({
      ...both,
      messageClass: 'request',
      proofWanted: name,
      padding: PROOF_PADDING,
    })
    for (const ip of ['203.0.113.10', '2001:db8::10']) {
      const mappedAddress = { ip, port: 1 }
      const answer = encodeStun({ ...both, messageClass: 'success', mappedAddress, addressProof: PROOF })
      assert.ok(answer.length <= question.length, `${answer.length} after ${question.length}`)
    }
  })
})
