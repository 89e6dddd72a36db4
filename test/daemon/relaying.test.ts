/** A member relay from socket to socket: real ports on loopback, the loop, and the engine that decides. */

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import { isDropped } from '../../src/base/drops.js'
import { seededRandom } from '../../src/base/random.js'
import { hmacSha256 } from '../../src/crypto/hmacSha256.js'
import { grantMac, membershipKey, sealGrant } from '../../src/crypto/relayGrant.js'
import type { RelaySessionKeys } from '../../src/crypto/relaySession.js'
import { type Engine, EngineLoop, type Errands } from '../../src/daemon/engineLoop.js'
import type { Effect } from '../../src/engine/effects.js'
import { Node } from '../../src/engine/node.js'
import { encodeBind, encodeGrantAsk } from '../../src/engine/relay/messages.js'
import { relayQuotas } from '../../src/engine/relay/quotas.js'
import { now } from '../../src/io/systemClock.js'
import { decodeGranted } from '../../src/wire/relayGrant.js'
import { decodeStun } from '../../src/wire/stun/message.js'
import { pairKeysOf, testNode } from '../engine/nodes.js'
import { until } from '../until.js'
import { recordingLogger } from './recordingLogger.js'

const RELAY = testNode(1)
const ALICE = testNode(2)
const BOB = testNode(3)
const MEMBERSHIP = membershipKey(new Uint8Array(95))
const IP = '127.0.0.1'
/** What the relay takes {@link IP} for: loopback is nobody's address to an engine. */
const TOLD = '192.0.2.1'

test('two who bind to a session hear each other, byte for byte, and a third neither hears nor is heard', async (t) => {
  const { engine, session, relay } = await granted(t)
  const [alice, bob, eve] = [await end(t), await end(t), await end(t)]
  await bind(alice, relay, session, session.ownName)
  await bind(bob, relay, session, session.peerName)

  const sent = Array.from({ length: 50 }, (_, index) => new Uint8Array(1_452).fill(index))
  for (const datagram of sent) {
    eve.socket.send(Uint8Array.of(9, 9, 9), relay.port, relay.ip)
    alice.socket.send(datagram, relay.port, relay.ip)
    const before = bob.heard.length
    await until('a datagram at the other end', () => bob.heard.length > before)
  }
  assert.deepEqual(bob.heard, sent)
  bob.socket.send(Uint8Array.of(4, 5, 6), relay.port, relay.ip)
  await until('the way back', () => alice.heard.length === 1)
  assert.deepEqual(alice.heard, [Uint8Array.of(4, 5, 6)])
  await until('what the third sent', () => engine.drops.toJSON()['relay-unbound-sender'] === 50)
  assert.deepEqual(eve.heard, [])
  const { relay: status } = engine.status(now())
  assert.equal(status?.sessions, 1)
  assert.equal(status?.bytes, 50 * 1_452 + 3)
})

test('a side that moves is found at its new address, once it has bound there', async (t) => {
  const { session, relay } = await granted(t)
  const [alice, bob, moved] = [await end(t), await end(t), await end(t)]
  await bind(alice, relay, session, session.ownName)
  await bind(bob, relay, session, session.peerName)
  await bind(moved, relay, session, session.ownName)
  bob.socket.send(Uint8Array.of(1), relay.port, relay.ip)
  await until('the datagram', () => moved.heard.length === 1)
  assert.deepEqual(alice.heard, [])
})

interface End {
  readonly socket: Socket
  /** But for answers to its binds. */
  readonly heard: Uint8Array[]
  answers: number
  cookie: Uint8Array | undefined
}

/** A relay with a session of Alice's and Bob's, as Alice sees it. */
async function granted(t: TestContext) {
  const options = {
    keys: RELAY.keys,
    identity: new Uint8Array(32),
    random: seededRandom(1),
    loopback: { style: 'range', port: 51_822 },
    formerEndpoints: new Map(),
    role: 'serves',
    sealing: RELAY.sealing,
    lastSequence: 0,
    remembered: [],
    relay: relayQuotas(),
    membership: MEMBERSHIP,
  } as const
  const engine = new Node(options, now())
  const effects: Effect[] = []
  const recorded: Engine = {
    forwarding: engine.forwarding,
    relayTable: engine.relayTable,
    get nextWake() {
      return engine.nextWake
    },
    drop: (reason) => engine.drop(reason),
    handle: (input, at) => {
      const told =
        input.type === 'relay-opened'
          ? { ...input, addresses: input.addresses.map(({ port }) => ({ ip: TOLD, port })) }
          : input
      const done = engine
        .handle(told, at)
        .map((effect) => (effect.type === 'open-relay' ? { ...effect, ips: [IP] } : effect))
      effects.push(...done)
      return done
    },
  }
  const loop = new EngineLoop(recorded, { port: 0, mark: 0, wireguardPort: undefined }, recordingLogger().log)
  t.after(() => loop.stop())
  loop.run(NO_ERRANDS)
  const socket = { id: 7, address: { ip: TOLD, port: 51_821 }, device: 'eth0', purpose: 'shared' } as const
  loop.handle({ type: 'sockets-changed', sockets: [socket] })
  const session = pairKeysOf(ALICE, BOB).relaySession(new Uint8Array(16))
  // There is no shared socket, so this one message is made up, and its answer goes nowhere.
  const remote = { ip: '198.51.100.2', port: 2_000 }
  loop.handle({ type: 'datagram-received', socket: socket.id, remote, datagram: request(session) })
  const answer = effects.find((effect) => effect.type === 'send')
  assert.ok(answer?.type === 'send')
  const message = decodeStun(answer.datagram)
  assert.ok(!isDropped(message) && message.granted !== undefined)
  const addresses = decodeGranted(message.granted, IP)
  assert.ok(!isDropped(addresses))
  const [relay] = addresses
  assert.ok(relay)
  return { engine, session, relay }
}

function request({ ownName, peerName, key }: RelaySessionKeys): Uint8Array {
  const { publicKey } = RELAY.keys.relay
  const terms = { issuedAt: now().unix, key, names: [ownName, peerName] } as const
  const mac = grantMac(hmacSha256(MEMBERSHIP), publicKey, terms)
  const sealed = sealGrant(publicKey, { ...terms, proof: { type: 'network', mac } }, seededRandom(2))
  assert.ok(sealed)
  return encodeGrantAsk(new Uint8Array(12), sealed)
}

async function end(t: TestContext): Promise<End> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, IP)
  await once(socket, 'listening')
  const it: End = { socket, heard: [], answers: 0, cookie: undefined }
  socket.on('message', (bytes) => {
    const message = decodeStun(bytes)
    if (isDropped(message)) {
      it.heard.push(Uint8Array.from(bytes))
      return
    }
    it.cookie = message.bindCookie?.slice()
    it.answers += 1
  })
  return it
}

let sequence = 0

/** Binds, and sends the cookie of the answer back. */
async function bind(
  from: End,
  relay: SocketAddress,
  session: RelaySessionKeys,
  name: Uint8Array,
): Promise<void> {
  for (const isFirst of [true, false]) {
    const before = from.answers
    const cookie = isFirst ? undefined : from.cookie
    const bound = encodeBind(new Uint8Array(12), name, ++sequence, session.hmac, cookie)
    from.socket.send(bound, relay.port, relay.ip)
    await until('the answer to a bind', () => from.answers > before)
  }
}

const NO_ERRANDS: Errands = {
  lookUp: () => {},
  knock: () => {},
  answerKnock: () => {},
  gossipKnock: () => {},
  publish: () => {},
  remember: () => {},
  setEndpoint: () => {},
  probeReachability: () => {},
  serve: () => {},
  askUdpProbe: () => {},
  probeGateway: () => {},
  mapPort: () => {},
  unmapPort: () => {},
  announceMapped: () => {},
  resolveName: () => undefined,
  openSockets: () => {},
  streamsChanged: () => {},
}
