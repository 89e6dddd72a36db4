/** What a node asks of member relays, told by hand what they answer. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { streamAddress } from '../../../src/base/streamAddress.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { hmacSha256 } from '../../../src/crypto/hmacSha256.js'
import { membershipKey, openGrant } from '../../../src/crypto/relayGrant.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { RelayOffer } from '../../../src/engine/inputs.js'
import { decodeKnock, encodeKnock, encodeKnockAnswer, type RelayedSession } from '../../../src/wire/knock.js'
import { encodeGranted, type GrantRequest } from '../../../src/wire/relayGrant.js'
import { type DecodedStun, decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING, GRANT } from '../../../src/wire/stun/registry.js'
import type { Sent } from '../effectLog.js'
import { firstMessage, recordOf, signedRecordOf, type TestNode, testNode } from '../nodes.js'
import { nowAt, UNIX_START } from '../virtualTime.js'
import { NodeByHand, sentOf } from './byHand.js'

const ANA = testNode(1)
const BEN = testNode(2)
const CARL = testNode(3)
const RELAY = testNode(11)
const OTHER = testNode(12)
const MEMBERSHIP = membershipKey(new Uint8Array(32).fill(7))
const AT_RELAY: SocketAddress = { ip: '203.0.113.1', port: 51_821 }
const AT_OTHER: SocketAddress = { ip: '203.0.113.2', port: 51_821 }
const SESSION: SocketAddress = { ip: '203.0.113.1', port: 40_000 }

describe('a node that looks for a peer', () => {
  it('asks two relays at once, again after 100, 200 and 400 ms, and no more where they are silent', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY], [OTHER, AT_OTHER])
    const first = grantsIn(ana.tell(message()))
    assert.deepEqual(first.map(({ to }) => to.ip).sort(), [AT_RELAY.ip, AT_OTHER.ip])
    const times: number[] = []
    for (let ms = 0; ms < 5_000; ms += 10) if (grantsIn(ana.pass(10)).length > 0) times.push(ana.ms)
    assert.equal(times.length, 3)
    assert.deepEqual(times, [110, 310, 710])
  })

  it('sends one request to an address that only the relay names, and none again for an hour', () => {
    const ana = nodeOf([BEN])
    const victim = { ip: '198.51.100.77', port: 53 }
    const relay = { ...offerOf(RELAY, AT_RELAY), addresses: [AT_RELAY, victim], claimed: [victim] }
    ana.tell(meshChanged([relay]))
    const sent = [...sentOf(ana.tell(message()))]
    for (let index = 2; index < 40; index++) {
      sent.push(...ana.pass(MINUTE))
      sent.push(...sentOf(ana.tell(message(index))))
    }
    const grants = stunIn(sent).filter(({ request }) => request.method === GRANT)
    assert.ok(grants.filter(({ to }) => to.ip === AT_RELAY.ip).length > 20)
    assert.equal(grants.filter(({ to }) => to.ip === victim.ip).length, 1)
  })

  it('shows that it is a member, and the same names and key each time', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = [...grantsIn(ana.tell(message())), ...grantsIn(ana.pass(SECOND))].map(({ request }) =>
      opened(request, RELAY),
    )
    assert.equal(asked.length, 4)
    for (const each of asked) {
      assert.deepEqual(each, asked[0])
      assert.equal(each.proof.type, 'network')
    }
  })

  it('asks nobody without a network key but a peer of its own, and shows by their secret who it is', () => {
    const identity = new Uint8Array(32).fill(9)
    const ana = new NodeByHand(ANA, [BEN, CARL], [signedRecordOf(BEN), signedRecordOf(CARL, { identity })])
    offer(ana, [RELAY, AT_RELAY])
    assert.deepEqual(grantsIn(ana.tell(message())), [])
    assert.equal(ana.node.status(nowAt(ana.ms)).memberRelays, 0)
    ana.pass(MINUTE)
    ana.tell(meshChanged([{ ...offerOf(CARL, AT_RELAY), identity }, offerOf(RELAY, AT_OTHER)]))
    assert.equal(ana.node.status(nowAt(ana.ms)).memberRelays, 1)
    const [grant] = grantsIn([...sentOf(ana.tell(message(2))), ...ana.pass(SECOND)])
    assert.ok(grant)
    const { proof } = opened(grant.request, CARL)
    assert.ok(proof.type === 'peer' && proof.publicKey === ANA.publicKey)
  })

  it('asks none that is reached through its own tunnel', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const tunnel = { prefix: { ip: '203.0.113.0', length: 24 }, device: 'wg0', tunnel: true }
    const rest = { prefix: { ip: '0.0.0.0', length: 0 }, device: 'eth0', tunnel: false }
    ana.tell({ type: 'routes-read', routes: [tunnel, rest] })
    assert.deepEqual(grantsIn([...sentOf(ana.tell(message())), ...ana.pass(MINUTE)]), [])
  })

  it('does not ask the peer itself to relay', () => {
    const ana = nodeOf([BEN])
    ana.tell(meshChanged([{ ...offerOf(RELAY, AT_RELAY), identity: recordOf(BEN).identity }]))
    assert.deepEqual(grantsIn([...sentOf(ana.tell(message())), ...ana.pass(MINUTE)]), [])
  })

  it('says in its knock that it asks, and in the next one where the session is', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const effects = ana.tell(message())
    const promised = knocksIn(effects)
    assert.deepEqual(
      promised.at(-1)?.map(({ addresses }) => addresses),
      [[]],
    )
    const granted = grant(ana, grantsIn(effects)[0], [SESSION])
    const named = knocksIn(granted).at(-1)
    assert.deepEqual(
      named?.map(({ addresses }) => addresses),
      [[SESSION]],
    )
    assert.deepEqual(named?.[0]?.nonce, promised.at(-1)?.[0]?.nonce)
  })

  it('binds at what is granted, and only an answer under the session’s key makes it a way', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    const binds = bindsTo(SESSION, sentOf(grant(ana, asked, [SESSION])))
    assert.equal(binds.length, 1)
    assert.equal(checksTo(SESSION, ana.pass(50)).length, 0)
    const forged = encodeStun({
      messageClass: 'success',
      method: BINDING,
      transactionId: binds[0]?.transactionId ?? new Uint8Array(12),
      mappedAddress: { ip: '192.0.2.1', port: 1 },
    })
    assert.equal(checksTo(SESSION, [...sentOf(ana.receive(SESSION, forged)), ...ana.pass(100)]).length, 0)
    const answer = bindAnswer(ana, binds[0])
    assert.ok(checksTo(SESSION, [...sentOf(ana.receive(SESSION, answer)), ...ana.pass(10)]).length > 0)
  })

  it('sends the cookie of the answer back at once, beside its checks, and again until that is answered', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    const [bind] = bindsTo(SESSION, sentOf(grant(ana, asked, [SESSION])))
    assert.deepEqual(bind?.bindCookie, new Uint8Array(8))
    const cookie = new Uint8Array(8).fill(9)
    const sent = [...sentOf(ana.receive(SESSION, bindAnswer(ana, bind, cookie))), ...ana.pass(1)]
    const [echo] = bindsTo(SESSION, sent)
    assert.deepEqual(echo?.bindCookie, cookie)
    assert.ok((echo.bindSequence ?? 0) > (bind.bindSequence ?? 0))
    assert.ok(checksTo(SESSION, sent).length > 0)
    const again = bindsTo(SESSION, ana.pass(150))
    assert.deepEqual(
      again.map(({ bindCookie }) => bindCookie),
      [cookie],
    )
    ana.receive(SESSION, bindAnswer(ana, again[0], cookie))
    assert.deepEqual(bindsTo(SESSION, ana.pass(5 * SECOND)), [])
  })

  it('sends no more than a few cookies back to a relay that gives another one each time', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    let binds = bindsTo(SESSION, sentOf(grant(ana, asked, [SESSION])))
    let rounds = 0
    for (; binds.length > 0 && rounds < 50; rounds++) {
      const cookie = new Uint8Array(8).fill(rounds + 1)
      binds = bindsTo(SESSION, sentOf(ana.receive(SESSION, bindAnswer(ana, binds[0], cookie))))
    }
    assert.equal(rounds, 4)
  })

  it('does not bind where the relay names an address of its family that is not its own, or one that is not global', () => {
    for (const lie of [[{ ip: '198.51.100.7', port: 7 }], [{ ip: 'fd00::1', port: 7 }]] as const) {
      const ana = nodeOf([BEN])
      offer(ana, [RELAY, AT_RELAY])
      const asked = grantsIn(ana.tell(message()))[0]
      const sent = [...sentOf(grant(ana, asked, lie)), ...ana.pass(5 * SECOND)]
      assert.ok(sent.every(({ remote }) => remote.ip !== lie[0].ip))
    }
  })

  it('binds again with a higher sequence where no answer comes, and then leaves it', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    const sent = [...sentOf(grant(ana, asked, [SESSION])), ...ana.pass(20 * SECOND)]
    const sequences = bindsTo(SESSION, sent).map(({ bindSequence = 0 }) => bindSequence)
    assert.equal(sequences.length, 4)
    assert.ok(sequences.every((sequence, index) => index === 0 || sequence > (sequences[index - 1] ?? 0)))
  })

  it('asks another one where the first refuses, and not the first again', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    assert.ok(asked)
    const { key } = opened(asked.request, RELAY)
    const refusal = encodeStun(
      {
        messageClass: 'error',
        method: GRANT,
        transactionId: asked.request.transactionId,
        error: { code: 508, reason: 'Insufficient Capacity' },
      },
      hmacOf(ana, key),
    )
    ana.receive(AT_RELAY, refusal)
    offer(ana, [RELAY, AT_RELAY], [OTHER, AT_OTHER])
    const next = grantsIn(ana.pass(5 * SECOND))
    assert.ok(next.length > 0)
    assert.ok(next.every(({ to }) => to.ip === AT_OTHER.ip))
  })

  it('does not wait for the budget of punching', () => {
    const ana = nodeOf([BEN])
    const many = Array.from({ length: 14 }, (_, index) => ({
      type: 'server-reflexive' as const,
      address: { ip: `198.51.100.${index + 1}`, port: 1_000 },
    }))
    ana.tell({
      type: 'knock-answered',
      peer: BEN.publicKey,
      answer: encodeKnockAnswer({
        version: 1,
        signedRecord: signedRecordOf(BEN, { candidates: many, sequence: UNIX_START + 1 }),
      }),
    })
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    const binds = bindsTo(SESSION, sentOf(grant(ana, asked, [SESSION])))
    const sent = sentOf(ana.receive(SESSION, bindAnswer(ana, binds[0])))
    assert.ok(checksTo(SESSION, [...sent, ...ana.pass(1)]).length > 0)
  })
})

describe('a node that moves while a session carries', () => {
  it('goes on over it at once, and its bind leaves before all else', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const asked = grantsIn(ana.tell(message()))[0]
    const binds = bindsTo(SESSION, sentOf(grant(ana, asked, [SESSION])))
    const checks = sentOf(ana.receive(SESSION, bindAnswer(ana, binds[0])))
    ana.answer(BEN, SESSION, [...checks, ...ana.pass(1)])
    assert.equal(ana.node.status(nowAt(ana.ms)).peers[0]?.path?.type, 'relayed')
    ana.pass(20)
    const socket = { id: 2, address: { ip: '192.0.2.2', port: 51_821 }, device: 'eth1' }
    const sent = sentOf(ana.tell({ type: 'sockets-changed', sockets: [{ ...socket, purpose: 'shared' }] }))
    assert.equal(ana.node.status(nowAt(ana.ms)).peers[0]?.path?.socket, 2)
    const there = stunIn(sent.filter(({ remote }) => remote.port === SESSION.port))
    assert.ok(there.length > 1)
    assert.ok(there[0]?.request.bindSequence !== undefined, 'the relay would drop what comes before the bind')
  })
})

describe('a node that is knocked', () => {
  it('binds at the sessions that are named, and asks for none', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    const sent = [...sentOf(knock(ana, [session(1, SESSION)])), ...ana.pass(SECOND)]
    assert.ok(bindsTo(SESSION, sent).length > 0)
    assert.deepEqual(grantsIn(sent), [])
  })

  it('asks for one where none is named, and answers when it has it, or after 300 ms', () => {
    for (const isGranted of [true, false]) {
      const ana = nodeOf([BEN])
      offer(ana, [RELAY, AT_RELAY])
      const effects = knock(ana, [])
      assert.deepEqual(answersIn(effects), [])
      const asked = grantsIn(effects)[0]
      assert.ok(asked)
      if (isGranted) {
        const answers = answersIn(grant(ana, asked, [SESSION]))
        assert.deepEqual(
          answers[0]?.map(({ addresses }) => addresses),
          [[SESSION]],
        )
      } else {
        ana.pass(299)
        assert.equal(answersIn(ana.tell({ type: 'woken' })).length, 0)
        ana.pass(1)
        assert.equal(answersIn(ana.tell({ type: 'woken' })).length, 1)
      }
    }
  })

  it('asks for none where the peer is asking, unless that comes to nothing', () => {
    const ana = nodeOf([BEN])
    offer(ana, [RELAY, AT_RELAY])
    assert.deepEqual(grantsIn([...sentOf(knock(ana, [session(1)])), ...ana.pass(1_500)]), [])
    assert.ok(grantsIn(knock(ana, [session(1)])).length > 0)
  })

  it('sends a few paced binds to addresses of strangers, then none, whatever the peer names', (t) => {
    const ana = nodeOf([BEN])
    const packets: number[] = []
    for (let second = 0; second < 600; second++) {
      const named = [1, 2, 3, 4].map((number) => ({
        nonce: new Uint8Array(16).fill(number + 4 * (second % 60)),
        addresses: [
          { ip: `198.51.100.${(4 * second + number) % 250}`, port: 53 },
          { ip: `2001:db8::${second + 1}`, port: 53 },
        ],
      }))
      const sent = [...sentOf(knock(ana, named, second)), ...ana.pass(SECOND)]
      packets.push(sent.filter(({ remote }) => remote.port === 53).length)
    }
    const total = packets.reduce((sum, count) => sum + count, 0)
    t.diagnostic(`${total} binds in 10 minutes, at most ${Math.max(...packets)} in a second`)
    assert.ok(total <= 16 + 4 * 6, `${total} binds`)
    assert.ok(Math.max(...packets) <= 16)
  })

  it('binds from one socket to one address, and tries the next way where that is silent', () => {
    const ana = nodeOf([BEN])
    const sockets = [1, 2].map((id) => ({
      id,
      address: { ip: `192.0.2.${id}`, port: 51_821 },
      device: `eth${id}`,
      purpose: 'shared' as const,
    }))
    ana.tell({ type: 'sockets-changed', sockets })
    const six = { ip: '2001:db8::1', port: 40_000 }
    const sent = [...sentOf(knock(ana, [session(1, six, SESSION)])), ...ana.pass(1_400)]
    assert.deepEqual(
      [...new Set(sent.filter(({ remote }) => remote.ip === SESSION.ip).map(({ socket }) => socket))],
      [1],
    )
    assert.ok(ana.pass(1_500).some(({ socket, remote }) => socket === 2 && remote.ip === SESSION.ip))
    assert.ok(
      sent.every(({ remote }) => remote.ip !== six.ip),
      'there is no socket of that family',
    )
  })

  it('binds through a stream first where nobody answers over UDP, and else over UDP', () => {
    for (const isSilent of [true, false]) {
      const ana = nodeOf([BEN])
      if (isSilent) {
        ana.tell({ ...meshChanged([]), reflectors: [AT_RELAY, AT_OTHER] })
        ana.pass(10 * SECOND)
      }
      const shared = { id: 1, address: { ip: '192.0.2.1', port: 51_821 }, device: 'eth0' }
      const relay = { identity: offerOf(RELAY, AT_RELAY).identity, ip: SESSION.ip }
      ana.tell({
        type: 'sockets-changed',
        sockets: [
          { ...shared, purpose: 'shared' },
          { id: -1, address: streamAddress(0), device: '', purpose: 'stream', relay },
        ],
      })
      const sent = [...sentOf(knock(ana, [session(1, SESSION)])), ...ana.pass(100)]
      const [bind] = sent.filter(({ remote }) => remote.port === SESSION.port)
      assert.equal(bind?.socket, isSilent ? -1 : 1)
    }
  })

  it('binds in turns over both families, since one of them may go nowhere', () => {
    const ana = nodeOf([BEN])
    const sockets = ['192.0.2.1', '2001:db8:1::1'].map((ip, index) => ({
      id: index + 1,
      address: { ip, port: 51_821 },
      device: 'eth0',
      purpose: 'shared' as const,
    }))
    ana.tell({ type: 'sockets-changed', sockets })
    const six = { ip: '2001:db8::1', port: 40_000 }
    const sent = [...sentOf(knock(ana, [session(1, six, SESSION)])), ...ana.pass(SECOND)]
    const binds = sent.filter(({ remote }) => remote.port === SESSION.port)
    assert.deepEqual(
      binds.map(({ socket, remote }) => [socket, remote.ip]),
      [
        [2, six.ip],
        [1, SESSION.ip],
        [2, six.ip],
        [1, SESSION.ip],
      ],
    )
  })

  it('binds at no private address that means something else here', () => {
    const ana = nodeOf([BEN])
    const home = { ip: '192.168.1.7', port: 40_000 }
    const sent = [...sentOf(knock(ana, [session(1, home)])), ...ana.pass(5 * SECOND)]
    assert.ok(sent.every(({ remote }) => remote.ip !== home.ip))
  })
})

function nodeOf(peers: readonly TestNode[]): NodeByHand {
  return new NodeByHand(ANA, peers, [signedRecordOf(BEN)], { membership: MEMBERSHIP })
}

function message(senderIndex = 1) {
  return {
    type: 'wireguard-sent',
    peer: BEN.publicKey,
    datagram: firstMessage(ANA, BEN, { senderIndex }),
  } as const
}

function offerOf(relay: TestNode, address: SocketAddress): RelayOffer {
  const { publicKey } = relay.keys.relay
  return { identity: publicKey, publicKey, addresses: [address], load: 0 }
}

function meshChanged(relays: readonly RelayOffer[]) {
  return {
    type: 'mesh-changed',
    connected: true,
    multiaddrs: [],
    reflectors: [],
    relays,
    gossips: false,
  } as const
}

function offer(ana: NodeByHand, ...relays: readonly (readonly [TestNode, SocketAddress])[]): void {
  ana.tell(meshChanged(relays.map(([relay, address]) => offerOf(relay, address))))
}

interface AskedGrant {
  readonly to: SocketAddress
  readonly request: DecodedStun
}

function stunIn(sent: readonly Sent[]): readonly AskedGrant[] {
  return sent.flatMap(({ remote, datagram }) => {
    const request = decodeStun(datagram)
    return isDropped(request) || request.messageClass !== 'request' ? [] : [{ to: remote, request }]
  })
}

function grantsIn(effects: readonly Effect[]): readonly AskedGrant[] {
  return stunIn(sentOf(effects)).filter(({ request }) => request.method === GRANT)
}

function bindsTo(remote: SocketAddress, sent: readonly Sent[]): readonly DecodedStun[] {
  return requestsTo(remote, sent).filter(({ bindSequence }) => bindSequence !== undefined)
}

function checksTo(remote: SocketAddress, sent: readonly Sent[]): readonly DecodedStun[] {
  return requestsTo(remote, sent).filter(({ bindSequence }) => bindSequence === undefined)
}

function requestsTo({ ip, port }: SocketAddress, sent: readonly Sent[]): readonly DecodedStun[] {
  return stunIn(sent).flatMap(({ to, request }) => (to.ip === ip && to.port === port ? [request] : []))
}

function opened({ sealed }: DecodedStun, relay: TestNode): GrantRequest {
  const request = openGrant(relay.keys.relay, sealed ?? new Uint8Array(0))
  assert.ok(!isDropped(request))
  return request
}

/** What authenticates the answers of a relay that holds this key: as the pair derives it. */
const hmacs = new Map<NodeByHand, (data: Uint8Array) => Uint8Array>()

function hmacOf(ana: NodeByHand, key: Uint8Array): (data: Uint8Array) => Uint8Array {
  const hmac = (data: Uint8Array) => hmacSha256(key)(data)
  hmacs.set(ana, hmac)
  return hmac
}

/** {@link RELAY} grants what it was asked, at these addresses. */
function grant(
  ana: NodeByHand,
  asked: AskedGrant | undefined,
  addresses: readonly SocketAddress[],
): readonly Effect[] {
  assert.ok(asked)
  const { key } = opened(asked.request, RELAY)
  const answer = {
    messageClass: 'success',
    method: GRANT,
    transactionId: asked.request.transactionId,
    granted: encodeGranted(addresses, asked.to.ip),
  } as const
  return ana.receive(asked.to, encodeStun(answer, hmacOf(ana, key)))
}

function bindAnswer(ana: NodeByHand, bind: DecodedStun | undefined, bindCookie?: Uint8Array): Uint8Array {
  assert.ok(bind)
  return encodeStun(
    {
      messageClass: 'success',
      method: BINDING,
      transactionId: bind.transactionId,
      mappedAddress: { ip: '192.0.2.1', port: 51_821 },
      ...(bindCookie === undefined ? {} : { bindCookie }),
    },
    hmacs.get(ana),
  )
}

function session(number: number, ...addresses: readonly SocketAddress[]): RelayedSession {
  return { nonce: new Uint8Array(16).fill(number), addresses }
}

function knock(ana: NodeByHand, relayed: readonly RelayedSession[], number = 0): readonly Effect[] {
  const signedRecord = signedRecordOf(BEN, { candidates: [] })
  const id = 1_000 + number
  return ana.tell({
    type: 'knock-received',
    id,
    from: recordOf(BEN).identity,
    knock: encodeKnock({ version: 1, signedRecord, relayed }),
  })
}

/** The sessions that each knock names. */
function knocksIn(effects: readonly Effect[]): readonly (readonly RelayedSession[])[] {
  return effects.flatMap((effect) => (effect.type === 'knock' ? [sessionsIn(effect.knock)] : []))
}

function answersIn(effects: readonly Effect[]): readonly (readonly RelayedSession[])[] {
  return effects.flatMap((effect) =>
    effect.type === 'answer-knock' && effect.answer !== undefined ? [sessionsIn(effect.answer)] : [],
  )
}

function sessionsIn(bytes: Uint8Array): readonly RelayedSession[] {
  const decoded = decodeKnock(bytes)
  assert.ok(!isDropped(decoded))
  return decoded.relayed ?? []
}
