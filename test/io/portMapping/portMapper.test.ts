import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Input } from '../../../src/engine/inputs.js'
import type { PortToMap } from '../../../src/engine/path/mappedPort.js'
import type { MappingClient, MappingOutcome } from '../../../src/io/portMapping/mappingClient.js'
import { type MappingClients, PortMapper } from '../../../src/io/portMapping/portMapper.js'
import { until } from '../../until.js'
import { LIFETIME_MS, portToMap, SITE } from './fakeGateway.js'

const GRANTED: MappingOutcome = {
  type: 'mapped',
  external: { ip: '203.0.113.10', port: 40_000 },
  lifetimeMs: LIFETIME_MS,
}
const REFUSED: MappingOutcome = { type: 'failed', reason: 'refused', detail: 'no' }

/** Clients that answer as told, and what was closed through them. */
function pretendClients(answers: Partial<MappingClient> = {}): {
  readonly clients: MappingClients
  readonly closed: PortToMap[]
} {
  const closed: PortToMap[] = []
  const client: MappingClient = {
    probe: async () => true,
    map: async () => GRANTED,
    unmap: async (port) => {
      closed.push(port)
    },
    ...answers,
  }
  return { clients: { pcp: client, 'nat-pmp': client, upnp: client }, closed }
}

/** Never answers, but ends when it is called off. */
function untilAborted<Value>(value: Value): (...args: readonly unknown[]) => Promise<Value> {
  return (...args) =>
    new Promise((resolve) => {
      const signal = args.at(-1)
      if (signal instanceof AbortSignal) signal.addEventListener('abort', () => resolve(value))
    })
}

function mapper(clients: MappingClients): { readonly mapper: PortMapper; readonly told: Input[] } {
  const told: Input[] = []
  const fail = (error: unknown) => assert.fail(String(error))
  return { mapper: new PortMapper(clients, (input) => told.push(input), fail), told }
}

test('each protocol that is spoken is told of, then the end of the probe', async () => {
  let asked = 0
  const { clients } = pretendClients({ probe: async () => asked++ !== 1 })
  const { mapper: tested, told } = mapper(clients)
  tested.probe({ type: 'probe-gateway', site: SITE, protocols: ['pcp', 'nat-pmp', 'upnp'] })
  await until('the end of the probe', () => told.some(({ type }) => type === 'gateway-probed'))
  assert.deepEqual(told, [
    { type: 'gateway-answered', site: SITE, by: 'pcp' },
    { type: 'gateway-answered', site: SITE, by: 'upnp' },
    { type: 'gateway-probed', site: SITE },
  ])
})

test('what was opened is told of, and closed at the end under its outer port', async () => {
  const { clients, closed } = pretendClients()
  const { mapper: tested, told } = mapper(clients)
  tested.map({ type: 'map-port', port: portToMap('upnp'), lifetimeMs: LIFETIME_MS })
  await until('an answer', () => told.length > 0)
  const { external, lifetimeMs } = GRANTED
  const which = { site: SITE, by: 'upnp', protocol: 'udp', internalPort: 51_821 } as const
  assert.deepEqual(told, [{ type: 'port-mapped', ...which, external, lifetimeMs }])
  await tested.stop()
  assert.deepEqual(closed, [{ ...portToMap('upnp'), externalPort: 40_000 }])
})

test('what was refused, and what was closed before, is not closed at the end', async () => {
  const { clients, closed } = pretendClients({
    map: async ({ protocol }) => (protocol === 'udp' ? GRANTED : REFUSED),
  })
  const { mapper: tested, told } = mapper(clients)
  tested.map({ type: 'map-port', port: portToMap('pcp', 'tcp'), lifetimeMs: LIFETIME_MS })
  tested.map({ type: 'map-port', port: portToMap('pcp', 'udp'), lifetimeMs: LIFETIME_MS })
  await until('both answers', () => told.length === 2)
  tested.unmap({ type: 'unmap-port', port: portToMap('pcp', 'udp') })
  await tested.stop()
  assert.equal(closed.length, 1)
})

test('what is under way at the end is called off, and closed in case it was opened; but for UPnP, where it may be another one', async () => {
  const { clients, closed } = pretendClients({ map: untilAborted(REFUSED), probe: untilAborted(false) })
  const { mapper: tested, told } = mapper(clients)
  tested.probe({ type: 'probe-gateway', site: SITE, protocols: ['pcp'] })
  for (const by of ['pcp', 'upnp'] as const)
    tested.map({ type: 'map-port', port: portToMap(by), lifetimeMs: LIFETIME_MS })
  await tested.stop()
  assert.deepEqual(closed, [portToMap('pcp')])
  assert.deepEqual(told, [])
})

/** The gateway has opened a port, and did not say where. */
const OPENED_IN_VAIN: MappingOutcome = {
  type: 'failed',
  reason: 'silent',
  detail: 'it does not answer',
  opened: 40_000,
}

test('what a gateway opened for nothing is closed at once, and not again at the end', async () => {
  const { clients, closed } = pretendClients({ map: async () => OPENED_IN_VAIN })
  const { mapper: tested, told } = mapper(clients)
  tested.map({ type: 'map-port', port: portToMap('upnp'), lifetimeMs: LIFETIME_MS })
  await until('an answer', () => told.length > 0)
  await until('it is closed', () => closed.length > 0)
  assert.equal(told[0]?.type, 'port-mapping-failed')
  await tested.stop()
  assert.deepEqual(closed, [{ ...portToMap('upnp'), externalPort: 40_000 }])
})

test('what a gateway opened for nothing while we end, or could not close before, is closed at the end', async () => {
  for (const when of ['while we end', 'before']) {
    const closed: PortToMap[] = []
    const { clients } = pretendClients({
      map: when === 'before' ? async () => OPENED_IN_VAIN : untilAborted(OPENED_IN_VAIN),
      unmap: async (port, signal) => {
        const isEnd = closed.length > 0 || when !== 'before'
        closed.push(port)
        if (!isEnd) await untilAborted(undefined)(signal)
      },
    })
    const { mapper: tested, told } = mapper(clients)
    tested.map({ type: 'map-port', port: portToMap('upnp'), lifetimeMs: LIFETIME_MS })
    if (when === 'before') await until('an answer', () => told.length > 0)
    await tested.stop()
    assert.deepEqual(closed.at(-1), { ...portToMap('upnp'), externalPort: 40_000 }, when)
    assert.equal(closed.length, when === 'before' ? 2 : 1)
  }
})

test('what could not be renewed stays open until its time is over, or the end', async () => {
  let count = 0
  const { clients, closed } = pretendClients({ map: async () => (count++ === 0 ? GRANTED : OPENED_IN_VAIN) })
  const { mapper: tested, told } = mapper(clients)
  for (const asked of [1, 2]) {
    tested.map({ type: 'map-port', port: portToMap('upnp'), lifetimeMs: LIFETIME_MS })
    await until('an answer', () => told.length === asked)
  }
  assert.deepEqual(closed, [])
  await tested.stop()
  assert.deepEqual(closed, [{ ...portToMap('upnp'), externalPort: 40_000 }])
})

test('a gateway that does not answer holds the end up for two seconds at most', async () => {
  const { clients } = pretendClients({ unmap: untilAborted(undefined) })
  const { mapper: tested, told } = mapper(clients)
  tested.map({ type: 'map-port', port: portToMap('pcp'), lifetimeMs: LIFETIME_MS })
  await until('an answer', () => told.length > 0)
  // AbortSignal.timeout keeps no process alive, and here nothing else does.
  const awake = setInterval(() => {}, 1_000)
  await tested.stop()
  clearInterval(awake)
})

test('after the end nothing is done any more', async () => {
  const { clients } = pretendClients({ probe: async () => assert.fail('it was asked') })
  const { mapper: tested } = mapper(clients)
  await tested.stop()
  tested.probe({ type: 'probe-gateway', site: SITE, protocols: ['pcp'] })
})
