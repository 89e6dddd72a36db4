import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as toText } from 'uint8arrays'
import { publicKeyFromBytes } from '../../src/base/publicKey.js'
import { asUnixTime } from '../../src/base/time.js'
import { proofName, proveAddress, verifiesAddress } from '../../src/crypto/addressProof.js'
import { identityKeys, verifyIdentity } from '../../src/crypto/identity.js'
import { identityOfSeed } from '../../src/io/mesh/identity.js'
import { encodeAddressProof } from '../../src/wire/addressProof.js'

const KEYS = identityKeys(new Uint8Array(32).fill(7))
const IP = '203.0.113.10'
const TIME = asUnixTime(1_800_000_000_000)
const NAME = proofName(publicKeyFromBytes(new Uint8Array(32).fill(0xaa)), new Uint8Array(16).fill(0xbb))
const PROOF = proveAddress(KEYS, IP, NAME, TIME)

describe('identities', () => {
  it('are those that libp2p makes of the same seed', async () => {
    assert.deepEqual(KEYS.identity, await identityOfSeed(new Uint8Array(32).fill(7)))
  })

  it('sign as RFC 8032 section 7.1 has it', () => {
    const seed = fromString('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
    const { identity, sign } = identityKeys(seed)
    assert.equal(toText(identity, 'hex'), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
    assert.equal(
      toText(sign(new Uint8Array(0)), 'hex'),
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    )
  })

  it('that are no keys verify nothing, and throw nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 70 }), (identity, signature) =>
        assert.equal(verifyIdentity(identity, new Uint8Array(3), signature), false),
      ),
    )
    assert.throws(() => identityKeys(new Uint8Array(31)), RangeError)
  })
})

describe('address proofs', () => {
  it('have these very bytes', () => {
    assert.equal(toText(NAME, 'hex'), 'd4c045f1d2ed8d0550fd1fcda5eb56d9')
    assert.equal(
      toText(encodeAddressProof(PROOF), 'hex'),
      'ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c000001a3185c50004d0ac275c6966b37b22ee492d907dee5fb9185d3a12d50f43f8626d7ac9f4ee5ea8c4c32459d298bd97c36e7e5cffbf225d1302947a23ceff36408ebe6e7eb0a',
    )
  })

  it('hold for the address, the name, the time and the signer that they were given for alone', () => {
    assert.equal(verifiesAddress(PROOF, IP, NAME, verifyIdentity), true)
    assert.equal(verifiesAddress(PROOF, '203.0.113.11', NAME, verifyIdentity), false)
    assert.equal(verifiesAddress(PROOF, IP, new Uint8Array(16), verifyIdentity), false)
    const later = { ...PROOF, time: asUnixTime(TIME + 1) }
    assert.equal(verifiesAddress(later, IP, NAME, verifyIdentity), false)
    const others = { ...PROOF, signer: identityKeys(new Uint8Array(32).fill(8)).identity }
    assert.equal(verifiesAddress(others, IP, NAME, verifyIdentity), false)
  })

  it('go by a name that differs with the key and with the salt', () => {
    const key = publicKeyFromBytes(new Uint8Array(32).fill(0xaa))
    assert.notDeepEqual(proofName(key, new Uint8Array(16)), NAME)
    const other = publicKeyFromBytes(new Uint8Array(32).fill(0xab))
    assert.notDeepEqual(proofName(other, new Uint8Array(16).fill(0xbb)), NAME)
  })
})
