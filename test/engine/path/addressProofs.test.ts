import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { drop, isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { asUnixTime, HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { proveAddress } from '../../../src/crypto/addressProof.js'
import { type IdentityKeys, identityKeys, verifyIdentity } from '../../../src/crypto/identity.js'
import type { Witness } from '../../../src/engine/inputs.js'
import { AddressProofDesk } from '../../../src/engine/path/addressProofDesk.js'
import { AddressProofs } from '../../../src/engine/path/addressProofs.js'
import { AddressWitnesses } from '../../../src/engine/path/addressWitnesses.js'
import type { PeerRecord } from '../../../src/wire/record.js'
import { recordOf, testNode } from '../nodes.js'
import { at, nowAt, UNIX_START } from '../virtualTime.js'
import { remote } from './machines.js'

const BEN = testNode(2)
const CEM = testNode(3)
const OUTSIDE = { ip: '198.51.100.1', port: 40_000 }
const ELSEWHERE = { ip: '198.51.100.2', port: 40_000 }
const REFLECTORS = [1, 2, 3, 4].map((number) => identityKeys(new Uint8Array(32).fill(number)))
const WITNESSES: readonly Witness[] = REFLECTORS.map(({ identity }, index) => ({
  identity,
  addresses: [remote(index + 1)],
}))

let ben: AddressProofs

beforeEach(() => {
  ben = new AddressProofs({ ownKey: BEN.publicKey, random: seededRandom(1), verify: verifyIdentity })
  ben.told(WITNESSES)
  ben.ask([0, 1, 2, 3].map(routeTo))
})

describe('asking for proofs', () => {
  it('is done of reflectors that the mesh told us of, under one name, and not again for half an hour', () => {
    const { proofWanted } = ben.question(routeTo(0), at(0))
    assert.equal(proofWanted?.length, 16)
    assert.deepEqual(ben.question(routeTo(1), at(0)).proofWanted, proofWanted)
    assert.deepEqual(ben.question(routeTo(9), at(0)), {})
    assert.equal(prove(0), undefined)
    assert.deepEqual(ben.question(routeTo(0), at(29 * MINUTE)), {})
    assert.deepEqual(ben.question(routeTo(0), at(30 * MINUTE)).proofWanted, proofWanted)
  })

  it('goes under another name from elsewhere', () => {
    const { proofWanted } = ben.question(routeTo(0), at(0))
    ben.ask([{ ...routeTo(0), socket: 7 }])
    assert.notDeepEqual(ben.question({ ...routeTo(0), socket: 7 }, at(0)).proofWanted, proofWanted)
  })

  it('leaves out a proof of another address, name or signer, and is done again', () => {
    ben.question(routeTo(0), at(0))
    const bad = drop('address-proof-bad')
    assert.equal(prove(0, { seen: ELSEWHERE.ip }), bad)
    assert.equal(prove(0, { name: new Uint8Array(16) }), bad)
    assert.equal(prove(0, { by: REFLECTORS[1] }), bad)
    const { proofWanted = none() } = ben.question(routeTo(0), at(0))
    const nowhere = proveAddress(REFLECTORS[0] ?? none(), '127.0.0.1', proofWanted, UNIX_START)
    assert.equal(ben.answered(routeTo(0), { ip: '127.0.0.1', port: 1 }, nowhere, at(0)), bad)
    assert.equal(ben.proved([OUTSIDE.ip]), undefined)
    assert.notDeepEqual(ben.question(routeTo(0), at(0)), {})
  })

  it('is not kept from it by a server that calls the address of a reflector its own', () => {
    const [, liar = none(), ...others] = WITNESSES
    ben.told([{ ...liar, addresses: [remote(1), remote(2)] }, ...WITNESSES.slice(0, 1), ...others])
    assert.equal(prove(0), undefined)
    assert.deepEqual(ben.proved([OUTSIDE.ip])?.proofs[0]?.signer, REFLECTORS[0]?.identity)
  })

  it('gives a record the newest of three reflectors, for the address that we are seen at', () => {
    for (const number of [0, 1, 2, 3]) prove(number, { ms: number * SECOND })
    const proved = ben.proved([OUTSIDE.ip])
    assert.deepEqual(
      proved?.proofs.map(({ signer }) => signer),
      [3, 2, 1].map((number) => REFLECTORS[number]?.identity),
    )
    // The NAT has another address now.
    ben.answered(routeTo(3), ELSEWHERE, undefined, at(5 * SECOND))
    assert.equal(ben.proved([OUTSIDE.ip])?.proofs.length, 3)
    for (const number of [0, 1, 2]) ben.answered(routeTo(number), ELSEWHERE, undefined, at(5 * SECOND))
    assert.equal(ben.proved([OUTSIDE.ip, ELSEWHERE.ip]), undefined)
  })
})

describe('an address that a record names', () => {
  it('is proved where a known reflector says so, for two hours', () => {
    const record = provedRecord()
    const ana = new AddressWitnesses(verifyIdentity)
    assert.equal(ana.prove(record, OUTSIDE.ip, UNIX_START), false)
    ana.told(WITNESSES.slice(0, 1))
    assert.equal(ana.prove(record, OUTSIDE.ip, UNIX_START), true)
    assert.equal(ana.prove(record, OUTSIDE.ip, asUnixTime(UNIX_START + 2 * HOUR)), true)
    assert.equal(ana.prove(record, OUTSIDE.ip, asUnixTime(UNIX_START + 2 * HOUR + 1)), false)
    assert.equal(ana.prove(record, OUTSIDE.ip, asUnixTime(UNIX_START - 2 * HOUR - 1)), false)
  })

  it('is not proved by a proof of another address or peer, nor by the peer itself', () => {
    const record = provedRecord()
    const { provedAddress } = record
    assert.ok(provedAddress)
    const ana = new AddressWitnesses(verifyIdentity)
    ana.told(WITNESSES)
    assert.equal(ana.prove(record, ELSEWHERE.ip, UNIX_START), false)
    const renamed = { ...record, provedAddress: { ...provedAddress, ip: ELSEWHERE.ip } }
    assert.equal(ana.prove(renamed, ELSEWHERE.ip, UNIX_START), false)
    assert.equal(ana.prove({ ...record, publicKey: CEM.publicKey }, OUTSIDE.ip, UNIX_START), false)
    const own = { ...record, identity: WITNESSES[0]?.identity ?? new Uint8Array(32) }
    assert.equal(ana.prove(own, OUTSIDE.ip, UNIX_START), false)
  })

  it('costs one verification for a record', () => {
    let count = 0
    const ana = new AddressWitnesses((identity, message, signature) => {
      count += 1
      return verifyIdentity(identity, message, signature)
    })
    ana.told(WITNESSES)
    const record = provedRecord()
    for (let time = 0; time < 5; time++) {
      ana.told(WITNESSES)
      ana.prove(record, OUTSIDE.ip, UNIX_START)
    }
    assert.equal(count, 1)
  })

  it('is proved by those that were named lately: not by ever more', () => {
    const ana = new AddressWitnesses(verifyIdentity)
    ana.told(WITNESSES)
    const others = Array.from({ length: 64 }, (_, index) => ({
      identity: new Uint8Array(32).fill(100 + index),
      addresses: [],
    }))
    ana.told(others)
    assert.equal(ana.prove(provedRecord(), OUTSIDE.ip, UNIX_START), false)
  })
})

describe('giving proofs', () => {
  it('is done 20 times at once for an address, and 50 for all', () => {
    const desk = new AddressProofDesk(REFLECTORS[0] ?? none(), nowAt(0))
    const give = (ip: string) => desk.give(ip, new Uint8Array(16), nowAt(0)) !== undefined
    const given = (ip: string) => Array.from({ length: 60 }, () => give(ip)).filter(Boolean).length
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((_, index) => given(remote(index + 1).ip)),
      [20, 20, 10, 0],
    )
  })

  it('takes the addresses of one IPv6 network for one', () => {
    const desk = new AddressProofDesk(REFLECTORS[0] ?? none(), nowAt(0))
    const given = Array.from({ length: 60 }, (_, host) =>
      desk.give(`2001:db8::${host + 1}`, new Uint8Array(16), nowAt(0)),
    )
    assert.equal(given.filter((proof) => proof !== undefined).length, 20)
  })
})

function routeTo(index: number) {
  return { socket: 1, remote: remote(index + 1) }
}

/** A reflector answers, with a proof as it should be or another. */
function prove(
  index: number,
  wrong: {
    readonly seen?: string
    readonly name?: Uint8Array
    readonly by?: IdentityKeys | undefined
    readonly ms?: number
  } = {},
) {
  const { seen = OUTSIDE.ip, by = REFLECTORS[index], ms = 0 } = wrong
  const name = wrong.name ?? ben.question(routeTo(index), at(ms)).proofWanted ?? none()
  const dropped = ben.answered(
    routeTo(index),
    OUTSIDE,
    proveAddress(by ?? none(), seen, name, UNIX_START),
    at(ms),
  )
  assert.ok(dropped === undefined || isDropped(dropped))
  return dropped
}

function provedRecord(): PeerRecord {
  prove(0)
  const provedAddress = ben.proved([OUTSIDE.ip]) ?? none()
  return recordOf(BEN, { provedAddress })
}

function none(): never {
  throw new TypeError('there is none')
}
