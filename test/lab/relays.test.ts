/**
 * Member relays between real machines. Two bootstrap nodes of a closed network pass on what two machines have to say to
 * each other that cannot meet; who is no member gets nothing from them; and they stand by where a direct path fails.
 */

import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import { parseSocketAddress, type SocketAddress } from '../../src/base/address.js'
import { asUnixTime } from '../../src/base/time.js'
import { hmacSha256 } from '../../src/crypto/hmacSha256.js'
import { grantMac, membershipKey, sealGrant } from '../../src/crypto/relayGrant.js'
import { x25519KeyPair } from '../../src/crypto/x25519.js'
import { encodeBind, encodeGrantAsk } from '../../src/engine/relay/messages.js'
import { systemRandom } from '../../src/io/systemRandom.js'
import { encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import { until } from '../until.js'
import type { BootstrapNode } from './daemons.js'
import { Fleet, type Machine } from './fleet.js'
import type { Gateway } from './gateway.js'
import { Laboratory } from './laboratory.js'
import { PingStream } from './pingStream.js'
import { UdpProbe } from './udpProbe.js'

/** Of a stream of pings while its path is replaced. On an idle machine none are. */
const MOST_LOST = 20

/** Looking for something better is done ever more rarely, and UDP that does not get out is tried once a minute. */
const HEALING_DEADLINE_MS = 240_000

/** Whom each machine has for its only peer. */
const PAIRS = {
  hard: 'harder',
  harder: 'hard',
  home: 'office',
  office: 'home',
  mute: 'friend',
  friend: 'mute',
}

let lab: Laboratory
let fleet: Fleet
let home: Gateway
let office: Gateway
let mute: Gateway

before(async () => {
  lab = await Laboratory.create()
  home = await lab.gateway('port-restricted', { name: 'home-gw' })
  office = await lab.gateway('port-restricted', { name: 'office-gw' })
  mute = await lab.gateway('port-restricted', { name: 'mute-gw' })
  await mute.blockUdp(true)
  const placements = {
    hard: 'symmetric',
    harder: 'symmetric',
    home: await lab.host({ name: 'home', behind: home }),
    office: await lab.host({ name: 'office', behind: office }),
    mute: await lab.host({ name: 'mute', behind: mute }),
    friend: 'port-restricted',
  } as const satisfies Record<keyof typeof PAIRS, unknown>
  fleet = await Fleet.create(lab, placements, {
    isClosed: true,
    hasUdp: (name) => name !== 'mute',
    peer: (of, peer, usual) =>
      Object.entries(PAIRS).some(([a, b]) => a === of && b === peer) ? usual : undefined,
  })
  await fleet.start()
})

after(() => lab.close())

test('The first ping between two machines behind symmetric NATs is answered over a relay', async (t) => {
  const [hard, harder] = pair('hard')
  const { received, rttsMs } = await hard.host.ping(harder.tunnelAddress, { timeoutMs: 30_000 })
  t.diagnostic(`answered after ${rttsMs[0]} ms`)
  assert.equal(received, 1)
  const relays = fleet.bootstrap.map(({ host }) => host.address)
  for (const at of [await relayAddress(hard, harder), await relayAddress(harder, hard)])
    assert.ok(relays.includes(at.ip), `${at.ip} is no relay of ours`)
})

test('Who has no network key can neither use a session of others nor get one, and is not answered', async (t) => {
  const [hard, harder] = pair('hard')
  const stream = await soundStream(hard, harder)
  const session = await relayAddress(hard, harder)
  const relay = relayAt(session.ip)
  const outsider = await lab.host({ name: 'outsider' })
  const probe = await UdpProbe.open(outsider)
  const before = await relay.status()

  const toSession = [
    ...Array.from({ length: 20 }, (_, index) => systemRandom.bytes(50 * index)),
    strangeBind(),
  ]
  for (const datagram of toSession) await probe.send(session, bytesAsText(datagram))
  await until('the relay to have dropped them', async () => {
    const { drops } = await relay.status()
    return (
      (drops['relay-unbound-sender'] ?? 0) - (before.drops['relay-unbound-sender'] ?? 0) >= toSession.length
    )
  })
  const shared = { ip: session.ip, port: tcpPortOf(relay) }
  for (let count = 0; count < 3; count++) await probe.send(shared, bytesAsText(strangeAsk()))
  await until('the relay to have dropped what it was asked', async () => {
    const { drops } = await relay.status()
    return (drops['relay-grant-unreadable'] ?? 0) > (before.drops['relay-grant-unreadable'] ?? 0)
  })

  // What is answered to anybody is where a plain request comes from; had there been another answer, it would be the first.
  await probe.send(shared, bytesAsText(plainRequest()))
  const { text } = await probe.receive()
  assert.equal(text.slice(0, 2), '\x01\x01', 'not the answer to the plain request')
  const { relay: status } = await relay.status()
  assert.equal(status?.granted, before.relay?.granted)
  assert.equal(status?.refused, before.relay?.refused)
  await assertFewLost(t, stream)
  await probe.close()
})

test('Where a direct path is lost the pings go on over a relay, and over a direct path when there is one', async (t) => {
  const [from, to] = pair('home')
  const passed = await passedOn()
  const stream = await soundStream(from, to)
  await from.daemon.untilDirect(to.wireguard.keys.publicKey)
  await to.daemon.untilDirect(from.wireguard.keys.publicKey)
  await untilPassedOn(passed)

  await home.blockUdpWith(office.address)
  await stream.untilSound(stream.answered.at(-1))
  await relayAddress(from, to)
  await relayAddress(to, from)
  t.diagnostic(`the longest silence was ${Math.round(stream.longestSilenceMs)} ms`)

  await home.blockUdpWith(undefined)
  await untilHealed(from, to)
  await untilHealed(to, from)
  await stream.untilSound(stream.answered.at(-1))
  await assertFewLost(t, stream)
})

test('A gateway that is given another public address does not part the machine behind it from its peer', async (t) => {
  const [from, to] = pair('home')
  const passed = await passedOn()
  const stream = await soundStream(from, to)
  await untilPassedOn(passed)

  await home.renumber()
  await stream.untilSound(stream.answered.at(-1))
  await to.daemon.untilPeer(
    from.wireguard.keys.publicKey,
    `direct at ${home.address}`,
    ({ state, path }) => state === 'direct' && path?.remote.startsWith(`${home.address}:`) === true,
    HEALING_DEADLINE_MS,
  )
  await stream.untilSound(stream.answered.at(-1))
  const lost = await stream.stop()
  t.diagnostic(`${lost} were not answered; the longest silence was ${Math.round(stream.longestSilenceMs)} ms`)
})

test('Where no UDP gets out pings go over a stream, and over a direct path when it does', async (t) => {
  const [from, to] = pair('mute')
  const stream = await soundStream(from, to)
  t.diagnostic(`the first answer came after ${stream.firstAnswerMs} ms`)
  await relayAddress(from, to)
  await until(
    'it to be known that no UDP gets out',
    async () => (await from.daemon.status()).nat.udp === false,
    60_000,
  )

  await mute.blockUdp(false)
  await untilHealed(from, to)
  await untilHealed(to, from)
  await stream.untilSound(stream.answered.at(-1))
  await assertFewLost(t, stream)
})

test('When the relay in use dies the pings go on over another one', async (t) => {
  const [from, to] = pair('hard')
  const passed = await passedOn()
  const stream = await soundStream(from, to)
  await untilPassedOn(passed)
  const { ip } = await relayAddress(from, to)

  await relayAt(ip).process.stop('SIGKILL')
  await stream.untilSound(stream.answered.at(-1))
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const)
    await one.daemon.untilPeer(
      other.wireguard.keys.publicKey,
      'relayed by another one',
      ({ state, path }) => state === 'relayed' && path?.remote.startsWith(`${ip}:`) === false,
      HEALING_DEADLINE_MS,
    )
  await assertFewLost(t, stream)
})

function pair(name: keyof typeof PAIRS): readonly [Machine, Machine] {
  return [fleet.machine(name), fleet.machine(PAIRS[name])]
}

/** Pings, one after the other, that are answered. */
async function soundStream(from: Machine, to: Machine): Promise<PingStream> {
  const stream = PingStream.start(from.host, to.tunnelAddress)
  await stream.untilSound()
  return stream
}

async function assertFewLost(t: TestContext, stream: PingStream): Promise<void> {
  const lost = await stream.stop()
  t.diagnostic(`${lost} were not answered; the longest silence was ${Math.round(stream.longestSilenceMs)} ms`)
  assert.ok(lost <= MOST_LOST, `${lost} were not answered`)
}

/** Waits until a machine's packets to another one go over a relay, and gives the address of the session. */
async function relayAddress(from: Machine, to: Machine): Promise<SocketAddress> {
  const { path } = await from.daemon.untilPeer(
    to.wireguard.keys.publicKey,
    'relayed',
    ({ state, path }) => state === 'relayed' && path?.type === 'relayed',
    HEALING_DEADLINE_MS,
  )
  return parseSocketAddress(path?.remote ?? '') ?? assert.fail(path?.remote)
}

async function untilHealed(from: Machine, to: Machine): Promise<void> {
  await from.daemon.untilPeer(
    to.wireguard.keys.publicKey,
    'direct again',
    ({ state }) => state === 'direct',
    HEALING_DEADLINE_MS,
  )
}

function relayAt(ip: string): BootstrapNode {
  return fleet.bootstrap.find(({ host }) => host.address === ip) ?? assert.fail(ip)
}

/** How many datagrams each relay has passed on. */
function passedOn(): Promise<readonly number[]> {
  return Promise.all(fleet.bootstrap.map(async (node) => (await node.status()).relay?.datagrams ?? 0))
}

/** Waits until each relay has passed on checks and their answers since then, both ways: there is one to take the place. */
function untilPassedOn(before: readonly number[]): Promise<boolean> {
  return until(
    'both relays to be of use',
    async () => (await passedOn()).every((count, index) => count >= (before[index] ?? 0) + 4),
    60_000,
  )
}

/** A node takes the same port for UDP. */
function tcpPortOf({ multiaddr }: BootstrapNode): number {
  return Number(/\/tcp\/(\d+)/.exec(multiaddr)?.[1])
}

/** A bind under a name and a key that nobody has. */
function strangeBind(): Uint8Array {
  return encodeBind(random(12), random(16), 1, hmacSha256(random(32)))
}

/** A request for a session of somebody who knows neither the network's key nor the relay's. */
function strangeAsk(): Uint8Array {
  const { publicKey } = x25519KeyPair(random(32))
  const terms = {
    issuedAt: asUnixTime(Date.now()),
    key: random(32),
    names: [random(16), random(16)],
  } as const
  const mac = grantMac(hmacSha256(membershipKey(random(95))), publicKey, terms)
  const sealed = sealGrant(publicKey, { ...terms, proof: { type: 'network', mac } }, systemRandom)
  assert.ok(sealed)
  return encodeGrantAsk(random(12), sealed)
}

function plainRequest(): Uint8Array {
  return encodeStun({ messageClass: 'request', method: BINDING, transactionId: random(12) })
}

function random(length: number): Uint8Array {
  return systemRandom.bytes(length)
}

function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
