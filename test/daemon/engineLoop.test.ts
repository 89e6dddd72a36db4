import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import { asInstant, type Instant } from '../../src/base/time.js'
import { type Engine, EngineLoop, type Errands } from '../../src/daemon/engineLoop.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { Forwarding } from '../../src/engine/loopback/forwarding.js'
import { RelayTable } from '../../src/engine/relay/table.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { until } from '../until.js'
import { recordingLogger } from './recordingLogger.js'

const PEER = sampleKey(2)

/** An engine that notes down its inputs, and does with each what a test wants. */
class ScriptedEngine implements Engine {
  readonly forwarding = new Forwarding()
  readonly relayTable = new RelayTable(undefined, () => {})
  readonly inputs: Input[] = []
  nextWake: Instant | undefined = undefined
  react: (input: Input) => readonly Effect[] = () => []

  handle(input: Input): readonly Effect[] {
    this.inputs.push(input)
    return this.react(input)
  }

  drop(): void {}

  get types(): readonly string[] {
    return this.inputs.map(({ type }) => type)
  }
}

function looping(t: TestContext, wireguardPort?: number) {
  const engine = new ScriptedEngine()
  const asked: string[] = []
  const errands: Errands = {
    lookUp: () => asked.push('look-up'),
    knock: () => asked.push('knock'),
    answerKnock: (id) => asked.push(`answer ${id}`),
    gossipKnock: () => asked.push('gossip'),
    publish: ({ sequence }) => asked.push(`publish ${sequence}`),
    remember: () => asked.push('remember'),
    setEndpoint: (_peer, { ip }) => asked.push(`endpoint ${ip}`),
    probeReachability: () => asked.push('probe'),
    askUdpProbe: ({ server }) => asked.push(`udp probe ${server}`),
    probeGateway: () => asked.push('probeGateway'),
    mapPort: () => asked.push('mapPort'),
    unmapPort: () => asked.push('unmapPort'),
    announceMapped: () => asked.push('announceMapped'),
    resolveName: () => undefined,
    serve: (serves) => asked.push(`serve ${serves}`),
    openSockets: (ip, count) => asked.push(`open ${count} at ${ip}`),
    streamsChanged: () => asked.push('streams'),
  }
  const { log, lines } = recordingLogger()
  const loop = new EngineLoop(engine, { port: 0, mark: 0, wireguardPort }, log)
  t.after(() => loop.stop())
  return { engine, asked, errands, lines, loop }
}

async function bound(t: TestContext, ip: string): Promise<Socket> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  socket.bind(0, ip)
  await once(socket, 'listening')
  return socket
}

/** A port that is free on an address, for now. */
async function freePort(ip: string): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, ip)
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

function openLoopback(address: SocketAddress): Effect {
  return { type: 'open-loopback', peer: PEER, address }
}

test('what comes before it runs waits, in its order', (t) => {
  const { engine, asked, errands, loop } = looping(t)
  engine.react = () => [{ type: 'look-up', peer: PEER, keys: [] }]
  loop.handle({ type: 'look-up-ended', peer: PEER })
  loop.handle({ type: 'routes-read', routes: [] })
  assert.deepEqual(engine.types, [])
  loop.run(errands)
  assert.deepEqual(engine.types, ['look-up-ended', 'routes-read'])
  assert.deepEqual(asked, ['look-up', 'look-up'])
})

test('an input that an effect brings about waits until all effects are done', (t) => {
  const { engine, asked, errands, loop } = looping(t)
  engine.react = ({ type }) =>
    type === 'routes-read'
      ? [
          { type: 'answer-knock', id: 1, answer: undefined },
          { type: 'answer-knock', id: 2, answer: undefined },
        ]
      : [{ type: 'answer-knock', id: 3, answer: undefined }]
  loop.run({
    ...errands,
    answerKnock: (id) => {
      asked.push(`answer ${id}`)
      if (id === 1) loop.handle({ type: 'look-up-ended', peer: PEER })
    },
  })
  loop.handle({ type: 'routes-read', routes: [] })
  assert.deepEqual(asked, ['answer 1', 'answer 2', 'answer 3'])
})

test('a loopback endpoint that is taken is told to the engine, which may choose another', async (t) => {
  const wireguard = await bound(t, '127.0.0.1')
  const { engine, errands, lines, loop } = looping(t, wireguard.address().port)
  const taken = await bound(t, '127.91.1.1')
  const { port } = taken.address()
  const free = { ip: '127.91.1.2', port: await freePort('127.91.1.2') }
  engine.react = ({ type }) => {
    if (type === 'routes-read') return [openLoopback({ ip: '127.91.1.1', port })]
    return type === 'loopback-failed' ? [{ type: 'close-loopback', peer: PEER }, openLoopback(free)] : []
  }
  loop.run(errands)
  loop.handle({ type: 'routes-read', routes: [] })
  assert.deepEqual(engine.inputs.at(-1), { type: 'loopback-failed', peer: PEER })
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn').map(({ fields: { peer } }) => peer),
    [PEER],
  )
  wireguard.send('hello', free.port, free.ip)
  await until('the message', () => engine.types.includes('wireguard-sent'))
  const sent = engine.inputs.at(-1)
  assert.ok(sent?.type === 'wireguard-sent')
  assert.deepEqual([sent.peer, String(sent.datagram)], [PEER, 'hello'])
})

test('the catch-all endpoint names no peer', async (t) => {
  const wireguard = await bound(t, '127.0.0.1')
  const { engine, errands, loop } = looping(t, wireguard.address().port)
  const port = await freePort('127.91.1.3')
  loop.openCatchAll({ ip: '127.91.1.3', port })
  loop.run(errands)
  wireguard.send('hello', port, '127.91.1.3')
  await until('the message', () => engine.inputs.length > 0)
  const [sent] = engine.inputs
  assert.ok(sent?.type === 'wireguard-sent')
  assert.equal(sent.peer, undefined)
})

test('datagrams come in with where they came from, and go out where the engine says', async (t) => {
  const { engine, errands, loop } = looping(t)
  const remote = await bound(t, '127.0.0.1')
  loop.shared.setAddresses(['127.0.0.1'])
  loop.run(errands)
  const [shared] = loop.shared.sockets()
  assert.ok(shared !== undefined)
  engine.react = (input) =>
    input.type === 'datagram-received'
      ? [{ type: 'send', socket: input.socket, remote: input.remote, datagram: Buffer.from('back') }]
      : []
  remote.send('there', shared.address.port, '127.0.0.1')
  const [answer] = await once(remote, 'message')
  assert.equal(String(answer), 'back')
})

test('the engine is woken when it says so, and a wake-up that was moved forward counts', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let now = 1_000
  t.mock.method(performance, 'now', () => now)
  const { engine, errands, loop } = looping(t)
  const pass = (ms: number) => {
    now += ms
    t.mock.timers.tick(ms)
  }
  loop.run(errands)
  pass(10_000)
  assert.equal(engine.inputs.length, 0, 'it named no time')

  engine.nextWake = asInstant(now + 500)
  loop.handle({ type: 'routes-read', routes: [] })
  engine.nextWake = asInstant(now + 200)
  loop.handle({ type: 'routes-read', routes: [] })
  pass(199)
  assert.equal(engine.types.includes('woken'), false)
  engine.react = () => {
    engine.nextWake = undefined
    return []
  }
  pass(1)
  assert.deepEqual(engine.types, ['routes-read', 'routes-read', 'woken'])
  pass(10_000)
  assert.equal(engine.types.length, 3)
})

test('after the stop nothing is handled, no timer is left, and the ports are free', async (t) => {
  const wireguard = await bound(t, '127.0.0.1')
  const { engine, errands, loop } = looping(t, wireguard.address().port)
  loop.shared.setAddresses(['127.0.0.1'])
  const catchAll = { ip: '127.91.1.4', port: await freePort('127.91.1.4') }
  loop.openCatchAll(catchAll)
  const { port } = loop.shared
  loop.run(errands)
  engine.nextWake = asInstant(0)
  loop.stop()
  loop.handle({ type: 'routes-read', routes: [] })
  assert.deepEqual(engine.inputs, [])
  for (const [ip, taken] of [
    ['127.0.0.1', port],
    [catchAll.ip, catchAll.port],
  ] as const) {
    const again = createSocket('udp4')
    again.bind(taken, ip)
    await once(again, 'listening')
    again.close()
  }
})

test('sockets for punching are asked for, send as any, and are closed', async (t) => {
  const { engine, asked, errands, loop } = looping(t)
  const remote = await bound(t, '127.0.0.1')
  const to = { ip: '127.0.0.1', port: remote.address().port }
  loop.shared.setAddresses(['127.0.0.1'])
  loop.run({
    ...errands,
    openSockets: (ip, count) => {
      asked.push(`open ${count} at ${ip}`)
      loop.shared.openPunching(ip, count)
    },
  })
  engine.react = () => [
    { type: 'open-sockets', ip: '127.0.0.1', count: 2 },
    { type: 'send', socket: 2, remote: to, datagram: Buffer.from('from the second') },
    { type: 'close-socket', id: 1 },
    { type: 'close-socket', id: 0 },
  ]
  loop.handle({ type: 'routes-read', routes: [] })
  assert.deepEqual(asked, ['open 2 at 127.0.0.1'])
  // The shared one is not closed that way.
  assert.deepEqual(
    loop.shared.sockets().map(({ id, purpose }) => [id, purpose]),
    [
      [0, 'shared'],
      [2, 'punching'],
    ],
  )
  const [, from] = await once(remote, 'message')
  assert.equal(from.port, loop.shared.sockets()[1]?.address.port)
})
