import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import type { DropReason } from '../../src/base/drops.js'
import { reflectorsToAsk, reflectorsToTell, relaysToAsk, witnessesOf } from '../../src/daemon/reflectors.js'
import { peerIdOfIdentity } from '../../src/io/mesh/identity.js'
import type { ServerState } from '../../src/io/mesh/state.js'
import { encodeServices, MAX_REFLECTORS } from '../../src/wire/services.js'

function at(ip: string, port = 51_821): SocketAddress {
  return { ip, port }
}

describe('Others are told', () => {
  test('of global addresses only', () => {
    assert.deepEqual(reflectorsToTell([at('10.0.0.1'), at('8.8.8.8'), at('fd00::1'), at('2a00::1')]), [
      at('8.8.8.8'),
      at('2a00::1'),
    ])
  })

  test('of all where none is global: they may be in the same network', () => {
    assert.deepEqual(reflectorsToTell([at('10.0.0.1'), at('fd00::1')]), [at('10.0.0.1'), at('fd00::1')])
  })

  test('of no more than an answer holds', () => {
    const many = Array.from({ length: 20 }, (_, index) => at(`8.8.8.${index + 1}`))
    assert.equal(reflectorsToTell(many).length, MAX_REFLECTORS)
  })
})

function server(ip: string | undefined, ...reflectors: readonly SocketAddress[]): ServerState {
  return { peerId: 'server', services: encodeServices({ version: 1, reflectors }), ip }
}

function asked(servers: readonly ServerState[], stun: readonly SocketAddress[] = []) {
  const drops: DropReason[] = []
  const ips = reflectorsToAsk(servers, stun, (reason) => drops.push(reason)).map(({ ip }) => ip)
  return { ips, drops }
}

describe('Reflectors are asked', () => {
  test('first where we are connected to a server, also where it does not know that address', () => {
    assert.deepEqual(reflectorsToAsk([server('8.8.8.8', at('10.0.0.1', 7))], [], assert.fail), [
      at('8.8.8.8', 7),
    ])
    assert.deepEqual(asked([server('8.8.8.8', at('2a00::1'), at('8.8.8.8'))]).ips, ['8.8.8.8', '2a00::1'])
  })

  test('at private addresses only of servers to which we are connected at one', () => {
    const told = [at('8.8.8.8'), at('192.168.1.1'), at('fd00::1')]
    assert.deepEqual(asked([server('9.9.9.9', ...told)]).ips, ['9.9.9.9', '8.8.8.8'])
    assert.deepEqual(asked([server(undefined, ...told)]).ips, ['8.8.8.8'])
    assert.deepEqual(asked([server('192.168.1.1', ...told)]).ips, ['192.168.1.1', '8.8.8.8', 'fd00::1'])
  })

  test('one of each server, then those of the user, then the others, by turns', () => {
    const { ips } = asked(
      [
        server('8.8.8.1', at('8.8.8.1'), at('2a00::1'), at('2a00::11')),
        server('8.8.8.2', at('8.8.8.2'), at('2a00::2')),
      ],
      [at('9.9.9.1', 3478), at('9.9.9.2', 3478)],
    )
    assert.deepEqual(ips, ['8.8.8.1', '8.8.8.2', '9.9.9.1', '9.9.9.2', '2a00::1', '2a00::2', '2a00::11'])
  })

  test('of the user alone where no server is connected', () => {
    assert.deepEqual(asked([], [at('9.9.9.1')]).ips, ['9.9.9.1'])
  })

  test('once each', () => {
    assert.deepEqual(
      asked([server('8.8.8.1', at('8.8.8.1')), server('8.8.8.1', at('8.8.8.1'))], [at('8.8.8.1')]).ips,
      ['8.8.8.1'],
    )
  })

  test('of no server that says nothing understandable, which is counted', () => {
    const garbled: ServerState = { peerId: 'server', services: new Uint8Array([255]), ip: '8.8.8.8' }
    assert.deepEqual(asked([garbled, server('8.8.8.9', at('8.8.8.9')), server('8.8.8.7')]), {
      ips: ['8.8.8.9'],
      drops: ['services-malformed'],
    })
  })
})

describe('Relays are asked', () => {
  const identity = new Uint8Array(32).fill(1)
  // A point of the curve: its y is 1.
  identity.fill(0, 1)
  const peerId = peerIdOfIdentity(identity).toString()
  const relay = { publicKey: new Uint8Array(32).fill(7), load: 3 }

  test('where they reflect, under their libp2p identity', () => {
    const services = encodeServices({ version: 1, reflectors: [at('10.0.0.1', 7), at('2a00::1')], relay })
    const expected = {
      identity,
      ...relay,
      addresses: [at('8.8.8.8', 7), at('2a00::1')],
      claimed: [at('2a00::1')],
    }
    assert.deepEqual(relaysToAsk([{ peerId, services, ip: '8.8.8.8' }]), [expected])
  })

  test('where we are connected to them, as at their own; everything else they only claim', () => {
    const services = encodeServices({ version: 1, reflectors: [at('1.1.1.1'), at('9.9.9.9')], relay })
    const claimedOf = (ip?: string) => relaysToAsk([{ peerId, services, ip }])[0]?.claimed
    assert.deepEqual(claimedOf('1.1.1.1'), [at('9.9.9.9')])
    assert.deepEqual(claimedOf(undefined), [at('1.1.1.1'), at('9.9.9.9')])
  })

  test('where they are any, and can be asked somewhere', () => {
    const none = encodeServices({ version: 1, reflectors: [at('8.8.8.8')] })
    const nowhere = encodeServices({ version: 1, reflectors: [], relay })
    for (const services of [none, nowhere, new Uint8Array(3)])
      assert.deepEqual(relaysToAsk([{ peerId, services, ip: '8.8.8.8' }]), [])
  })

  test('for proofs of addresses wherever they reflect, relay or not', () => {
    const services = encodeServices({ version: 1, reflectors: [at('10.0.0.1', 7), at('2a00::1')] })
    const expected = { identity, addresses: [at('8.8.8.8', 7), at('2a00::1')] }
    const nowhere = encodeServices({ version: 1, reflectors: [] })
    const garbled = new Uint8Array(3)
    const servers = [services, nowhere, garbled].map((each) => ({ peerId, services: each, ip: '8.8.8.8' }))
    assert.deepEqual(witnessesOf(servers), [expected])
  })
})
