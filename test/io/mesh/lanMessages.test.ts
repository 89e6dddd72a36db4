import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Answer, encode } from 'dns-packet'
import fc from 'fast-check'
import { fromString } from 'uint8arrays'
import { peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import {
  encodeLanAnswer,
  encodeLanQuery,
  lanLabel,
  MAX_LAN_ADDRESSES,
  readLanMessage,
} from '../../../src/io/mesh/lanMessages.js'

const LABEL = lanLabel('home', undefined)
const SERVICE = `${LABEL}._udp.local`
const ID = peerIdOfIdentity(new Uint8Array(32).fill(1)).toString()
const OTHER_ID = peerIdOfIdentity(new Uint8Array(32).fill(2)).toString()
const ADDRESS = '/ip4/192.168.1.2/tcp/51821'

const POINTER: Answer = { type: 'PTR', name: SERVICE, data: `a.${SERVICE}` }

function text(data: string | string[], name = `a.${SERVICE}`): Answer {
  return { type: 'TXT', name, data }
}

function answer(answers: readonly Answer[], additionals: readonly Answer[] = []): Uint8Array {
  return encode({ type: 'response', answers: [...answers], additionals: [...additionals] })
}

describe('messages on a LAN', () => {
  test('are read as they were written', () => {
    assert.equal(readLanMessage(encodeLanQuery(LABEL), LABEL), 'query')
    const addresses = [ADDRESS, '/ip6/fd00::1/tcp/51821']
    const written = encodeLanAnswer(LABEL, 'instance', { id: ID, addresses })
    assert.deepEqual(readLanMessage(written, LABEL), { id: ID, addresses })
  })

  test('fit into one packet with as many addresses as are named', () => {
    const addresses = Array.from(
      { length: 20 },
      (_, at) => `/ip6/2001:db8:1111:2222:3333:4444:5555:${at}/tcp/51821`,
    )
    const written = encodeLanAnswer(LABEL, 'f'.repeat(16), { id: ID, addresses })
    assert(written.length < 1_400)
    const read = readLanMessage(written, LABEL)
    assert(typeof read === 'object')
    assert.deepEqual(read.addresses, addresses.slice(0, MAX_LAN_ADDRESSES))
  })

  test('of other networks are passed over', () => {
    const others = ['away', 'home2'].map((name) => lanLabel(name, undefined))
    for (const other of [...others, lanLabel('home', fromString('a key'))]) {
      assert.equal(readLanMessage(encodeLanQuery(other), LABEL), 'foreign')
      const written = encodeLanAnswer(other, 'a', { id: ID, addresses: [ADDRESS] })
      assert.equal(readLanMessage(written, LABEL), 'foreign')
    }
  })

  test('do not tell the name of the network, in a label as DNS allows it', () => {
    const label = lanLabel('a-secret-place', fromString('a key'))
    assert.match(label, /^_tb[a-z2-7]{13}$/)
    assert(!label.includes('secret'))
  })

  test('may have the texts where libp2p puts them, and names in any case', () => {
    const data = `dnsaddr=${ADDRESS}/p2p/${ID}`
    const expected = { id: ID, addresses: [ADDRESS] }
    assert.deepEqual(readLanMessage(answer([POINTER], [text(data)]), LABEL), expected)
    const loud = { ...POINTER, name: SERVICE.toUpperCase() } as Answer
    assert.deepEqual(
      readLanMessage(answer([loud, text(data, `a.${SERVICE}`.toUpperCase())]), LABEL),
      expected,
    )
  })

  test('give what is an address over TCP of one node, and nothing else of what they carry', () => {
    const texts = [
      `dnsaddr=${ADDRESS}/p2p/${ID}`,
      `dnsaddr=/ip4/192.168.1.3/tcp/1/p2p/${OTHER_ID}`,
      `dnsaddr=/dns4/example.org/tcp/1/p2p/${ID}`,
      `dnsaddr=/ip4/192.168.1.3/tcp/1/p2p/${OTHER_ID}/p2p-circuit/p2p/${ID}`,
      `dnsaddr=/ip4/192.168.1.3/tcp/1`,
      'dnsaddr=nonsense',
      'dnsaddr',
      'more=less',
    ]
    assert.deepEqual(readLanMessage(answer([POINTER, text(texts)]), LABEL), { id: ID, addresses: [ADDRESS] })
  })

  test('that name no node are malformed', () => {
    assert.equal(readLanMessage(answer([POINTER]), LABEL), 'malformed')
    assert.equal(readLanMessage(answer([POINTER, text('dnsaddr=nonsense')]), LABEL), 'malformed')
    assert.equal(readLanMessage(new Uint8Array(10_000), LABEL), 'malformed')
  })

  test('never throw, whatever they are made of', () => {
    const whole = encodeLanAnswer(LABEL, 'a', { id: ID, addresses: [ADDRESS] })
    const damaged = fc
      .tuple(fc.nat({ max: whole.length - 1 }), fc.uint8Array({ minLength: 1, maxLength: 6 }), fc.boolean())
      .map(([at, bytes, cut]) => {
        const copy = whole.slice()
        copy.set(bytes.subarray(0, copy.length - at), at)
        return cut ? copy.subarray(0, at) : copy
      })
    const records = fc
      .array(
        fc.tuple(fc.constantFrom('TXT', 'PTR', 'A', 'SRV', 'NSEC', 'OPT'), fc.uint8Array({ maxLength: 40 })),
      )
      .map((all) => {
        const raw = all.map(([type, data]) => ({
          type: type === 'TXT' ? type : 'NULL',
          name: SERVICE,
          data: Buffer.from(data),
        }))
        return encode({ type: 'response', answers: raw as Answer[] })
      })
    fc.assert(
      fc.property(fc.oneof(damaged, records, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const read = readLanMessage(bytes, LABEL)
        if (typeof read === 'object')
          for (const address of read.addresses) assert.match(address, /^\/ip[46]\//)
      }),
      { numRuns: 2_000 },
    )
  })
})
