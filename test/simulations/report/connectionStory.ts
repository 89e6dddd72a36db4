/** A connection told by hand, for the tests of what is made of it. */

import { ConnectionTrace } from '../../../simulations/report/connectionTrace.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { asUnixTime } from '../../../src/base/time.js'
import { encodeCheck, encodeCheckAnswer } from '../../../src/engine/path/checks.js'
import { encodeKnock, encodeKnockAnswer } from '../../../src/wire/knock.js'
import { type DecodedStun, decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { pairKeysOf, signedRecordOf, testNode } from '../../engine/nodes.js'
import { data, first, second } from '../../engine/wireguardMessages.js'

export const ANA = testNode(1)
export const BEN = testNode(2)
export const EVE = testNode(3)

const NOW = asUnixTime(1_767_225_600_000)
const ANA_AT: SocketAddress = { ip: '192.168.1.2', port: 51_821 }
const ANA_OUTSIDE: SocketAddress = { ip: '203.0.113.1', port: 40_001 }
export const BEN_AT: SocketAddress = { ip: '203.0.113.2', port: 51_821 }
const EVE_AT: SocketAddress = { ip: '203.0.113.99', port: 9 }
const SERVER: SocketAddress = { ip: '198.51.100.1', port: 51_821 }

/** Ana is behind a gateway, Ben is not; Eve looks for Ben as well, later. */
export function tellStory(): ConnectionTrace {
  let now = 60_000
  // Nothing is sealed here.
  const unseal = (sealedRecord: Uint8Array) => sealedRecord
  const trace = new ConnectionTrace({
    elapsed: () => now,
    hosts: () => [
      { name: 'ana', publicKey: ANA.publicKey, gateway: 'a port-restricted gateway', unseal },
      { name: 'ben', publicKey: BEN.publicKey, gateway: undefined, unseal },
      { name: 'eve', publicKey: EVE.publicKey, gateway: undefined, unseal },
    ],
  })
  const at = (ms: number): void => {
    now = 60_000 + ms
  }
  const send = (host: string, from: SocketAddress, to: SocketAddress, bytes: Uint8Array): void =>
    trace.sent(host, { from, to, bytes, author: host })
  const arrive = (host: string, author: string, from: SocketAddress, to: SocketAddress, bytes: Uint8Array) =>
    trace.arrived(host, { from, to, bytes, author })
  const transaction = (number: number) => new Uint8Array(12).fill(number)
  const keys = pairKeysOf(ANA, BEN)
  const bensRecord = signedRecordOf(BEN, { candidates: [{ type: 'host', address: BEN_AT }] })
  const anasRecord = signedRecordOf(ANA, { candidates: [{ type: 'server-reflexive', address: ANA_OUTSIDE }] })

  const hello = first(1)
  trace.handled('ana', { type: 'wireguard-sent', peer: BEN.publicKey, datagram: hello }, [
    { type: 'look-up', peer: BEN.publicKey, keys: [] },
  ])
  // It is also asked where it is; and Eve is told, who has nothing to do with it.
  const question = encodeStun({ messageClass: 'request', method: BINDING, transactionId: transaction(1) })
  send('ana', ANA_AT, SERVER, question)
  trace.handled('eve', { type: 'wireguard-sent', peer: BEN.publicKey, datagram: first(7) }, [
    { type: 'look-up', peer: BEN.publicKey, keys: [] },
  ])
  at(40)
  const reflection = encodeStun({
    messageClass: 'success',
    method: BINDING,
    transactionId: transaction(1),
    mappedAddress: ANA_OUTSIDE,
  })
  arrive('ana', 'server1', SERVER, ANA_AT, reflection)
  at(45)
  const knock = encodeKnock({ version: 1, signedRecord: anasRecord })
  trace.handled('ana', { type: 'record-found', peer: BEN.publicKey, sealedRecord: bensRecord }, [
    { type: 'knock', peer: BEN.publicKey, identity: new Uint8Array(32), multiaddrs: [], knock },
  ])
  const check = encodeCheck(keys, transaction(2), true, NOW)
  send('ana', ANA_AT, BEN_AT, check)
  trace.handled('ana', { type: 'look-up-ended', peer: BEN.publicKey }, [])
  at(70)
  // Ben's first check is too early, and Eve's knock is not part of this.
  const eves = encodeKnock({ version: 1, signedRecord: signedRecordOf(EVE, {}) })
  trace.handled('ben', { type: 'knock-received', id: 1, from: new Uint8Array(32), knock: eves }, [])
  trace.handled('ben', { type: 'knock-received', id: 2, from: new Uint8Array(32), knock }, [])
  for (const number of [3, 4])
    send('ben', BEN_AT, ANA_OUTSIDE, encodeCheck(pairKeysOf(BEN, ANA), transaction(number), false, NOW))
  const toEve = encodeCheck(pairKeysOf(BEN, EVE), transaction(5), false, NOW)
  send('ben', BEN_AT, EVE_AT, toEve)
  trace.handled('ben', { type: 'woken' }, [{ type: 'answer-knock', id: 1, answer: undefined }])
  const answer = encodeKnockAnswer({ version: 1, signedRecord: bensRecord })
  trace.handled('ben', { type: 'woken' }, [{ type: 'answer-knock', id: 2, answer }])
  at(95)
  arrive('ben', 'ana', ANA_OUTSIDE, BEN_AT, check)
  const evesAnswer = encodeCheckAnswer(pairKeysOf(EVE, BEN), decodedCheck(toEve), BEN_AT, false)
  arrive('ben', 'eve', EVE_AT, BEN_AT, evesAnswer)
  const checkAnswer = encodeCheckAnswer(pairKeysOf(BEN, ANA), decodedCheck(check), ANA_OUTSIDE, false)
  send('ben', BEN_AT, ANA_OUTSIDE, checkAnswer)
  at(110)
  trace.handled('ana', { type: 'knock-answered', peer: BEN.publicKey, answer }, [])
  at(145)
  arrive('ana', 'ben', BEN_AT, ANA_AT, checkAnswer)
  send('ana', ANA_AT, BEN_AT, hello)
  at(195)
  arrive('ben', 'ana', ANA_OUTSIDE, BEN_AT, hello)
  trace.delivered('ben', ANA.publicKey, hello)
  const reply = second(2, 1)
  trace.handled('ben', { type: 'wireguard-sent', peer: ANA.publicKey, datagram: reply }, [])
  send('ben', BEN_AT, ANA_OUTSIDE, reply)
  at(245)
  arrive('ana', 'ben', BEN_AT, ANA_AT, reply)
  trace.delivered('ana', BEN.publicKey, reply)
  const packet = data(2, 64)
  trace.forwarded('ana', 'out', BEN.publicKey, BEN_AT, packet)
  send('ana', ANA_AT, BEN_AT, packet)
  at(295)
  arrive('ben', 'ana', ANA_OUTSIDE, BEN_AT, packet)
  trace.delivered('ben', ANA.publicKey, packet)
  trace.emerged('ben', ANA.publicKey)
  const echo = data(1, 64)
  trace.forwarded('ben', 'out', ANA.publicKey, ANA_OUTSIDE, echo)
  send('ben', BEN_AT, ANA_OUTSIDE, echo)
  at(345)
  arrive('ana', 'ben', BEN_AT, ANA_AT, echo)
  trace.delivered('ana', BEN.publicKey, echo)
  trace.emerged('ana', BEN.publicKey)
  at(1_345)
  trace.forwarded('ana', 'out', BEN.publicKey, BEN_AT, data(2, 64))
  return trace
}

function decodedCheck(bytes: Uint8Array): DecodedStun {
  const message = decodeStun(bytes)
  if (isDropped(message)) throw new TypeError('a check is STUN')
  return message
}
