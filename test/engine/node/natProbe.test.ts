/** What a node finds out about its NAT goes into its status and its record; told by hand. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isDropped } from '../../../src/base/drops.js'
import { SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { decodeKnockAnswer } from '../../../src/wire/knock.js'
import { decodeRecord, decodeSignedRecord, type NatBehaviour } from '../../../src/wire/record.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { udpProbeDatagram } from '../../../src/wire/udpProbe.js'
import { testNode } from '../nodes.js'
import { nowAt } from '../virtualTime.js'
import { NodeByHand, sentOf } from './byHand.js'

const ALICE = testNode(1)
const BOB = testNode(2)
const OUTSIDE = '198.51.100.7'
const SERVERS = ['203.0.113.1', '203.0.113.2'].map((ip, index) => ({
  server: `server ${index + 1}`,
  reflector: { ip, port: 51_821 },
}))
const SPARE = { id: 9, address: { ip: '192.0.2.1', port: 40_000 }, device: '', purpose: 'spare' } as const

/** A node behind a full cone. */
class Told extends NodeByHand {
  readonly asked: string[] = []
  /** What the answer to a knock says. */
  said: NatBehaviour | undefined = undefined

  /** Does what the node wants, as the shell and the world do. */
  carryOut(effects: readonly Effect[]): void {
    for (const { socket, remote, datagram } of sentOf(effects)) {
      const request = decodeStun(datagram)
      if (isDropped(request) || request.messageClass !== 'request') continue
      if (!SERVERS.some(({ reflector }) => reflector.ip === remote.ip)) continue
      const port = socket === SPARE.id ? 40_000 : 51_821
      const answer = encodeStun({
        messageClass: 'success',
        method: request.method,
        transactionId: request.transactionId,
        mappedAddress: { ip: OUTSIDE, port },
      })
      this.carryOut(this.tell({ type: 'datagram-received', socket, remote, datagram: answer }))
    }
    for (const effect of effects) {
      if (effect.type === 'open-spare-socket')
        this.carryOut(this.tell({ type: 'spare-socket-opened', socket: SPARE }))
      if (effect.type === 'answer-knock' && effect.answer !== undefined) this.said = natIn(effect.answer)
      if (effect.type === 'ask-udp-probe') {
        this.asked.push(`${effect.server} ${effect.from} ${effect.port}`)
        const by = SERVERS.find(({ server }) => server === effect.server)?.reflector
        const datagram = udpProbeDatagram(effect.nonce)
        if (by !== undefined)
          this.carryOut(this.tell({ type: 'datagram-received', socket: SPARE.id, remote: by, datagram }))
      }
    }
  }

  /** A tenth of a second at a time. */
  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.pass(99)
      this.pass(1)
      this.carryOut(this.tell({ type: 'woken' }))
    }
  }
}

describe('a node that is connected to two servers', () => {
  it('finds out how its NAT filters, and says so in status and record', () => {
    const alice = new Told(ALICE, [BOB])
    alice.carryOut(
      alice.tell({
        type: 'mesh-changed',
        connected: true,
        multiaddrs: [],
        reflectors: SERVERS.map(({ reflector }) => reflector),
        relays: [],
        gossips: false,
        udpProbers: SERVERS,
      }),
    )
    const nat = () => alice.node.status(nowAt(alice.ms)).nat
    assert.equal(nat().filtering, 'unknown')
    alice.live(5 * SECOND)
    assert.deepEqual(alice.asked, ['server 2 usual-port 40000'])
    const { mapping, filtering, portPreserving, udp } = nat()
    assert.deepEqual([mapping, filtering], ['endpoint-independent', 'endpoint-independent'])
    assert.deepEqual([portPreserving, udp], [true, true])

    alice.carryOut(alice.knock(BOB, 1))
    alice.live(SECOND)
    assert.equal(alice.said?.filtering, 'endpoint-independent')
  })
})

function natIn(bytes: Uint8Array): NatBehaviour {
  const answer = decodeKnockAnswer(bytes)
  assert.ok(!isDropped(answer))
  const signed = decodeSignedRecord(answer.signedRecord)
  assert.ok(!isDropped(signed))
  const record = decodeRecord(signed.record)
  assert.ok(!isDropped(record))
  return record.nat
}
