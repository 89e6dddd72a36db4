import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../../src/base/address.js'
import type { DropReason } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import { encodeBind, encodeGrantAsk } from '../../../src/engine/relay/messages.js'
import { byteLimit, type RelayEntry, RelayTable } from '../../../src/engine/relay/table.js'
import { PROOF_PADDING } from '../../../src/wire/addressProof.js'
import { encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING, GRANT } from '../../../src/wire/stun/registry.js'
import { bytes } from '../../wire/arbitraries.js'
import { at, START } from '../virtualTime.js'

const ONE = { ip: '198.51.100.1', port: 1_001 }
const OTHER = { ip: '198.51.100.1', port: 1_002 }
const STRANGER = { ip: '198.51.100.9', port: 1_001 }
const LOCAL = '192.0.2.1'
const NAMES = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)] as const

describe('the table of a relay', () => {
  it('sends what one side sent to the other side, and nothing else to anybody', () => {
    const endpoints = fc.constantFrom(
      ONE,
      OTHER,
      STRANGER,
      { ...ONE, port: 9 },
      { ip: '2001:db8::1', port: 1_001 },
    )
    fc.assert(
      fc.property(endpoints, fc.uint8Array({ maxLength: 1_500 }), (from, datagram) => {
        const { table, drops } = tableWith(entryOf(0))
        const end = table.passed(0, from.ip, from.port, datagram, START)
        if (from === ONE) assert.equal(end !== 'for-node' && end?.remote, OTHER)
        else if (from === OTHER) assert.equal(end !== 'for-node' && end?.remote, ONE)
        else {
          assert.equal(end, undefined)
          assert.deepEqual(drops, ['relay-unbound-sender'])
        }
        assert.equal(table.bytes, end === undefined ? 0 : datagram.length)
      }),
    )
  })

  it('leaves to the node what bears one of the two names, and only that', () => {
    const { table } = tableWith(entryOf(0))
    const request = { messageClass: 'request', method: BINDING, transactionId: new Uint8Array(12) } as const
    const hmac = () => new Uint8Array(32)
    for (const name of NAMES)
      for (const from of [ONE, OTHER, STRANGER])
        assert.equal(
          table.passed(0, from.ip, from.port, encodeBind(request.transactionId, name, 1, hmac), START),
          'for-node',
        )
    // Checks of the two go through, whatever their name, and so do the answers, which have none.
    fc.assert(
      fc.property(fc.option(bytes(16), { nil: undefined }), (username) => {
        const message =
          username === undefined
            ? encodeStun({ ...request, messageClass: 'success', mappedAddress: ONE }, hmac)
            : encodeStun({ ...request, username }, hmac)
        const end = table.passed(0, ONE.ip, ONE.port, message, START)
        assert.equal(end !== 'for-node' && end?.remote, OTHER)
      }),
    )
  })

  it('passes on no request that a reflector or a relay would answer: its own address is the one that they would see', () => {
    const { table, drops } = tableWith(entryOf(0))
    const id = { transactionId: new Uint8Array(12) }
    const question = { messageClass: 'request', method: BINDING, ...id } as const
    const requests = [
      encodeStun(question),
      encodeStun({ ...question, proofWanted: new Uint8Array(16), padding: PROOF_PADDING }),
      encodeGrantAsk(id.transactionId, new Uint8Array(240)),
      encodeStun({ ...question, method: GRANT, username: new Uint8Array(16) }),
    ]
    for (const each of requests) assert.equal(table.passed(0, ONE.ip, ONE.port, each, START), undefined)
    assert.deepEqual(drops, new Array(requests.length).fill('relay-plain-request'))
    assert.equal(table.bytes, 0)
  })

  it('keeps sessions apart', () => {
    const { table, drops } = tableWith(entryOf(0), { ...entryOf(1), sides: sidesAt(STRANGER, OTHER) })
    assert.equal(table.passed(1, ONE.ip, ONE.port, new Uint8Array(9), START), undefined)
    assert.equal(table.passed(0, STRANGER.ip, STRANGER.port, new Uint8Array(9), START), undefined)
    assert.deepEqual(drops, ['relay-unbound-sender', 'relay-unbound-sender'])
    table.remove(0)
    assert.equal(table.passed(0, ONE.ip, ONE.port, new Uint8Array(9), START), undefined)
  })

  it('passes on what a limit allows, of a session, a source and in all, and no more', () => {
    for (const limited of ['limit', 'sourceLimit', 'all'] as const) {
      const limit = byteLimit(1_000_000, START)
      const entry = { ...entryOf(0), ...(limited === 'all' ? {} : { [limited]: limit }) }
      const drops: DropReason[] = []
      const all = limited === 'all' ? limit : byteLimit(1e9, START)
      const table = new RelayTable(all, (reason) => drops.push(reason))
      table.add(entry)
      const random = seededRandom(1)
      for (let ms = 0; ms < 10 * SECOND; ms++)
        for (let times = 0; times < 3; times++) table.passed(0, ONE.ip, ONE.port, random.bytes(1_000), at(ms))
      // 3 MB/s came.
      assert.ok(table.bytes <= 10_250_000, `${limited}: ${table.bytes}`)
      assert.ok(table.bytes >= 9_900_000, `${limited}: ${table.bytes}`)
      assert.ok(drops.every((reason) => reason === 'relay-over-quota'))
    }
  })

  it('passes on to an end as many bytes as it may have, and to a verified one all', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 3_000 }),
        fc.array(fc.record({ size: fc.nat({ max: 1_500 }), isBack: fc.boolean() })),
        (credit, datagrams) => {
          const { table, drops } = tableWith({ ...entryOf(0), sides: sidesAt(ONE, OTHER, credit) })
          const passed = { there: 0, back: 0 }
          let kept = 0
          for (const { size, isBack } of datagrams) {
            const from = isBack ? OTHER : ONE
            const way = isBack ? 'back' : 'there'
            const end = table.passed(0, from.ip, from.port, new Uint8Array(size), START)
            assert.equal(end !== undefined, size <= credit - passed[way])
            if (end === undefined) kept += 1
            else passed[way] += size
          }
          assert.ok(passed.there <= credit && passed.back <= credit)
          assert.deepEqual(drops, new Array(kept).fill('relay-unverified'))
        },
      ),
    )
  })

  it('remembers when a session was last used', () => {
    const entry = entryOf(0)
    const { table } = tableWith(entry)
    table.passed(0, STRANGER.ip, STRANGER.port, new Uint8Array(9), at(5))
    assert.equal(entry.usedAt, START)
    table.passed(0, ONE.ip, ONE.port, new Uint8Array(9), at(7))
    assert.equal(entry.usedAt, at(7))
  })
})

function tableWith(...entries: readonly RelayEntry[]) {
  const drops: DropReason[] = []
  const table = new RelayTable(byteLimit(1e9, START), (reason) => drops.push(reason))
  for (const entry of entries) table.add(entry)
  return { table, drops }
}

function sidesAt(
  one: SocketAddress,
  other: SocketAddress,
  credit = Number.POSITIVE_INFINITY,
): RelayEntry['sides'] {
  return [
    { name: NAMES[0], end: { local: LOCAL, remote: one, credit } },
    { name: NAMES[1], end: { local: LOCAL, remote: other, credit } },
  ]
}

function entryOf(id: number): RelayEntry {
  return {
    id,
    sides: sidesAt(ONE, OTHER),
    limit: byteLimit(1e9, START),
    sourceLimit: byteLimit(1e9, START),
    usedAt: START,
    bytes: 0,
  }
}
