import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { openSignedRecord } from '../../../src/crypto/signedRecord.js'
import type { LocalSocket } from '../../../src/engine/inputs.js'
import type { Candidate } from '../../../src/wire/candidate.js'
import { decodeKnockAnswer } from '../../../src/wire/knock.js'
import { MAX_CANDIDATES } from '../../../src/wire/record.js'
import { encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { testNode } from '../nodes.js'
import { readStun } from '../path/stunMessages.js'
import { NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const PORT = 51_821
const REFLECTOR: SocketAddress = { ip: '203.0.113.9', port: 3_478 }
const OUTSIDE: SocketAddress = { ip: '198.51.100.1', port: 40_000 }
const GLOBAL = ['198.51.100.7', '2001:db8:1::2']

describe('a host with more addresses than a record holds', () => {
  it('names its reflexive and its global ones, and as many others as there is room for', () => {
    const local = Array.from({ length: 19 }, (_, index) => `172.${16 + (index % 8)}.${index}.1`)
    const addresses = [...local, ...GLOBAL]
    const ana = new NodeByHand(ANA, [BEN])
    ana.tell({ type: 'sockets-changed', sockets: addresses.map(socket) })
    const asked = sentOf(
      ana.tell({
        type: 'mesh-changed',
        connected: true,
        multiaddrs: [],
        reflectors: [REFLECTOR],
        relays: [],
        gossips: false,
      }),
    )
    assert.equal(asked.length, local.length + 1)
    for (const { socket, remote, datagram } of asked) {
      const { transactionId } = readStun(datagram)
      const mappedAddress = socket <= local.length ? OUTSIDE : { ip: GLOBAL[0] ?? '', port: PORT }
      ana.tell({
        type: 'datagram-received',
        socket,
        remote,
        datagram: encodeStun({ messageClass: 'success', method: BINDING, transactionId, mappedAddress }),
      })
    }
    assert.deepEqual(candidatesOf(ana), [
      { type: 'server-reflexive', address: OUTSIDE },
      ...[...GLOBAL, ...local.slice(0, MAX_CANDIDATES - 3)].map((ip) => ({
        type: 'host',
        address: { ip, port: PORT },
      })),
    ])
  })
})

function socket(ip: string, index: number): LocalSocket {
  return { id: index + 1, address: { ip, port: PORT }, device: `eth${index}`, purpose: 'shared' }
}

/** What Ben is told when he knocks. */
function candidatesOf(ana: NodeByHand): readonly Candidate[] {
  const [answer] = ana.knock(BEN, 1).flatMap((effect) => (effect.type === 'answer-knock' ? [effect] : []))
  const knockAnswer = decodeKnockAnswer(answer?.answer ?? new Uint8Array(0))
  assert.ok(!isDropped(knockAnswer))
  const record = openSignedRecord(knockAnswer.signedRecord)
  assert.ok(!isDropped(record))
  return record.candidates
}
