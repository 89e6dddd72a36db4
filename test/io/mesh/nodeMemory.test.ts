import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fromString, toString as toText } from 'uint8arrays'
import { peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import {
  decodeNetworks,
  encodeNetworks,
  MAX_ADDRESSES_REMEMBERED,
  MAX_NETWORKS,
  MAX_REMEMBERED,
  networkTag,
  type RememberedNode,
} from '../../../src/io/mesh/nodeMemory.js'
import { RememberedNodes } from '../../../src/io/mesh/rememberedNodes.js'
import { InMemoryNodes } from './inMemoryNodes.js'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {} }

function idOf(number: number): string {
  return peerIdOfIdentity(new Uint8Array(32).fill(number)).toString()
}

function addressOf(number: number): string {
  return `/ip4/203.0.113.${number}/tcp/51821`
}

const anyAddress = fc.oneof(
  fc.ipV4().map((ip) => `/ip4/${ip}/tcp/51821`),
  fc.nat({ max: 65_535 }).map((port) => `/ip6/2001:db8::1/tcp/${port}`),
)
const anyNode: fc.Arbitrary<RememberedNode> = fc.record(
  {
    id: fc.nat({ max: 255 }).map(idOf),
    addresses: fc.uniqueArray(anyAddress, { minLength: 1, maxLength: MAX_ADDRESSES_REMEMBERED }),
    proved: fc.boolean(),
  },
  { noNullPrototype: true },
)
const anyNetworks = fc
  .uniqueArray(
    fc.tuple(
      fc.string().map((name) => networkTag(name, undefined)),
      fc.uniqueArray(anyNode, { maxLength: MAX_REMEMBERED, selector: ({ id }) => id }),
    ),
    { maxLength: MAX_NETWORKS, selector: ([tag]) => tag },
  )
  .map((lists) => new Map(lists))

describe('the list of remembered nodes', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyNetworks, (networks) => {
        assert.deepEqual([...decodeNetworks(encodeNetworks(networks))], [...networks])
      }),
    )
  })

  test('gives what can be used of it, whatever it was made of, and never throws', () => {
    const networks = encodeNetworks(new Map([[networkTag('a', undefined), [node(1), node(2)]]]))
    const damaged = fc
      .tuple(fc.nat({ max: networks.length - 1 }), fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([at, bytes]) => {
        const copy = networks.slice()
        copy.set(bytes.subarray(0, copy.length - at), at)
        return copy
      })
    const alike = fc.json().map((list) => fromString(`{"version":1,"networks":${list}}`))
    const nodes = fc
      .json()
      .map((list) =>
        fromString(`{"version":1,"networks":[{"network":"${networkTag('a', undefined)}","nodes":${list}}]}`),
      )
    const any = fc.oneof(fc.uint8Array({ maxLength: 512 }), fc.json().map(fromJson), alike, nodes, damaged)
    fc.assert(
      fc.property(any, (bytes) => {
        const read = decodeNetworks(bytes)
        assert.deepEqual([...decodeNetworks(encodeNetworks(read))], [...read])
      }),
    )
  })

  test('of another version, or longer than any of ours, is empty', () => {
    const networks = encodeNetworks(new Map([[networkTag('a', undefined), [node(1)]]]))
    const later = fromString(toText(networks).replace('"version":1', '"version":2'))
    assert.equal(decodeNetworks(later).size, 0)
    assert.equal(decodeNetworks(fromString(toText(networks) + ' '.repeat(300_000))).size, 0)
  })

  test('holds nothing but addresses that can be dialled as they stand', () => {
    const addresses = [
      '/dns4/example.org/tcp/1',
      '/dnsaddr/example.org',
      `/ip4/203.0.113.1/tcp/1/p2p/${idOf(1)}`,
      `/ip4/203.0.113.1/tcp/1/p2p/${idOf(1)}/p2p-circuit`,
      '/ip4/203.0.113.1/udp/1',
      'nonsense',
      addressOf(9),
    ]
    const tag = networkTag('a', undefined)
    const read = decodeNetworks(encodeNetworks(new Map([[tag, [{ id: idOf(1), addresses, proved: true }]]])))
    assert.deepEqual(read.get(tag), [{ id: idOf(1), addresses: [addressOf(9)], proved: true }])
  })

  test('tells networks apart by name and key, and tells neither', () => {
    const key = fromString('a key')
    const tags = [networkTag('a', undefined), networkTag('b', undefined), networkTag('a', key)]
    assert.equal(new Set(tags).size, 3)
    for (const tag of tags) assert.match(tag, /^[0-9a-f]{32}$/)
  })
})

describe('remembered nodes', () => {
  test('have the newest proof first, and those that were only named last', () => {
    const nodes = remembering()
    nodes.hear(idOf(1), [addressOf(1)])
    nodes.prove(idOf(2), [addressOf(2)])
    nodes.prove(idOf(3), [addressOf(3)])
    nodes.hear(idOf(4), [addressOf(4)])
    nodes.prove(idOf(2), [addressOf(2)])
    assert.deepEqual(
      nodes.nodes.map(({ id }) => id),
      [2, 3, 1, 4].map(idOf),
    )
    nodes.prove(idOf(4), [])
    assert.equal(nodes.nodes[0]?.proved, true)
    assert.deepEqual(nodes.nodes[0]?.addresses, [addressOf(4)])
  })

  test('keep the newest addresses of each, the last one at which it was reached first', () => {
    const nodes = remembering()
    for (const number of [1, 2, 3, 4, 5, 3]) nodes.prove(idOf(1), [addressOf(number)])
    assert.deepEqual(nodes.nodes[0]?.addresses, [3, 5, 4, 2].map(addressOf))
  })

  test('are bounded, and what is proved displaces what is only named, never the other way', () => {
    const nodes = remembering()
    for (let number = 0; number < 100; number++) nodes.hear(idOf(number), [addressOf(1)])
    assert.equal(nodes.nodes.length, MAX_REMEMBERED)
    for (let number = 100; number < 200; number++) nodes.prove(idOf(number), [addressOf(1)])
    assert.equal(nodes.nodes.length, MAX_REMEMBERED)
    nodes.hear(idOf(1), [addressOf(1)])
    assert(nodes.nodes.every(({ proved }) => proved))
  })

  test('are displaced by those of the network that has the most, however many identities it has', () => {
    const nodes = remembering()
    const honest = [1, 2, 3].map(idOf)
    for (const [n, id] of honest.entries()) nodes.prove(id, [`/ip4/198.51.${n}.1/tcp/1`])
    for (let number = 100; number < 300; number++)
      nodes.prove(idOf(number), [`/ip4/203.0.113.9/tcp/${number}`])
    assert.equal(nodes.nodes.length, MAX_REMEMBERED)
    assert(honest.every((id) => nodes.nodes.some((node) => node.id === id)))
  })

  test('of several networks are kept beside each other, and only the own ones are given', async () => {
    const memory = new InMemoryNodes()
    const proved: string[] = []
    for (let number = 0; number < 6; number++) {
      const nodes = new RememberedNodes(memory, { network: `network ${number}` }, SILENT)
      await nodes.load()
      assert.deepEqual(nodes.nodes, [])
      nodes.prove(idOf(number), [addressOf(number)])
      nodes.save()
      proved.push(idOf(number))
    }
    for (const [number, id] of proved.entries()) {
      const again = new RememberedNodes(memory, { network: `network ${number}` }, SILENT)
      await again.load()
      assert.deepEqual(
        again.nodes.map((node) => node.id),
        number < 6 - MAX_NETWORKS ? [] : [id],
      )
    }
  })

  test('are none where the memory fails, which is said', async () => {
    const warnings: string[] = []
    const log = { ...SILENT, warn: (_: object, message: string) => warnings.push(message) }
    const broken = { load: () => Promise.reject(new Error('no disk')), save: () => {} }
    const nodes = new RememberedNodes(broken, { network: 'a' }, log)
    await nodes.load()
    assert.deepEqual(nodes.nodes, [])
    assert.deepEqual(warnings, ['cannot read which nodes were known'])
  })
})

function remembering(): RememberedNodes {
  return new RememberedNodes(undefined, { network: 'a' }, SILENT)
}

function node(number: number): RememberedNode {
  return { id: idOf(number), addresses: [addressOf(number)], proved: true }
}

function fromJson(text: string): Uint8Array {
  return fromString(text)
}
