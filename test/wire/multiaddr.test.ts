import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { isPublishableMultiaddr, multiaddrFromBytes, multiaddrToBytes } from '../../src/wire/multiaddr.js'
import { mutated } from './arbitraries.js'

const RELAY = '/ip4/9.9.9.9/tcp/1/p2p/12D3KooWGC6TvWhfagifX6yvBpJmcYbSfUFdFHMcPvfEfBeTFfVp'

describe('multiaddrs in records', () => {
  it('have these very bytes, both ways', () => {
    const binary = fromString('047f00000106ca6d', 'hex')
    assert.deepEqual(multiaddrToBytes('/ip4/127.0.0.1/tcp/51821'), binary)
    assert.equal(multiaddrFromBytes(binary), '/ip4/127.0.0.1/tcp/51821')
  })

  it('may pass through a relay', () => {
    const text = `${RELAY}/p2p-circuit`
    assert.equal(isPublishableMultiaddr(text), true)
    assert.equal(multiaddrFromBytes(multiaddrToBytes(text)), text)
  })

  it('are not empty, not in another spelling, and do not end in an identity', () => {
    const refused = ['', '/', 'ip4', '/ip4/1.2.3.4/', '//ip4/1.2.3.4', '/ip6/2001:DB8::1', '/no/such', RELAY]
    for (const text of refused) {
      assert.equal(isPublishableMultiaddr(text), false, text)
      assert.throws(() => multiaddrToBytes(text), RangeError, text)
    }
  })

  it('never throw when decoded, and what decodes encodes to the same bytes', () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      mutated(multiaddrToBytes('/ip6/2001:db8::1/tcp/1')),
      mutated(multiaddrToBytes(`${RELAY}/p2p-circuit`)),
      mutated(multiaddrToBytes('/dns4/example.org/tcp/443/ws')),
    )
    fc.assert(
      fc.property(rubbish, (binary) => {
        const text = multiaddrFromBytes(binary)
        if (text !== undefined) assert.deepEqual(multiaddrToBytes(text), binary)
      }),
      { numRuns: 1_000 },
    )
  })
})
