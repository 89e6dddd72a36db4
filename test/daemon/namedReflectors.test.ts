import assert from 'node:assert/strict'
import { beforeEach, mock, test } from 'node:test'
import type { SocketAddress } from '../../src/base/address.js'
import { HOUR } from '../../src/base/time.js'
import { UserError } from '../../src/base/userError.js'
import { NamedReflectors } from '../../src/daemon/namedReflectors.js'
import { recordingLogger } from './recordingLogger.js'
import { settled } from './settled.js'

beforeEach((t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  if ('after' in t) t.after(() => mock.timers.reset())
})

/** Names and what they resolve to; what is not there cannot be resolved. */
function named(...hosts: readonly string[]) {
  const names = new Map<string, readonly string[]>()
  const asked: string[] = []
  const told: (readonly SocketAddress[])[] = []
  const { log, lines } = recordingLogger()
  const reflectors = new NamedReflectors(
    hosts.map((host) => ({ host, port: 3478 })),
    () => told.push(reflectors.addresses),
    log,
    async (host, port) => {
      asked.push(host)
      const ips = names.get(host)
      if (ips === undefined) throw new UserError(`the name ${host} could not be resolved`)
      return ips.map((ip) => ({ ip, port }))
    },
  )
  return { names, asked, told, lines, reflectors }
}

const address = { ip: '8.8.8.8', port: 3478 }

test('what a name resolves to is told, and nobody waits for it', async () => {
  const { names, told, reflectors } = named('a.example')
  names.set('a.example', ['8.8.8.8'])
  reflectors.start()
  assert.deepEqual(reflectors.addresses, [])
  await settled()
  assert.deepEqual(told, [[address]])
  reflectors.stop()
})

test('a name that fails is tried again, sooner at first, is said once, and keeps the others from nothing', async () => {
  const { names, asked, told, lines, reflectors } = named('a.example', 'b.example')
  names.set('b.example', ['9.9.9.9'])
  reflectors.start()
  await settled()
  assert.deepEqual(told, [[{ ip: '9.9.9.9', port: 3478 }]])
  for (const pause of [1, 2, 4, 8, 16, 32, 60, 60]) {
    const before = asked.length
    mock.timers.tick(pause * 1_000 - 1)
    await settled()
    assert.equal(asked.length, before, `no earlier than after ${pause} s`)
    mock.timers.tick(1)
    await settled()
    assert.equal(asked.length, before + 1, `after ${pause} s`)
  }
  names.set('a.example', ['8.8.8.8'])
  mock.timers.tick(60_000)
  await settled()
  assert.deepEqual(told.at(-1), [address, { ip: '9.9.9.9', port: 3478 }])
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn').map(({ fields: { host } }) => host),
    ['a.example'],
  )
  reflectors.stop()
})

test('names are resolved again each hour: a change is told, and nothing else', async () => {
  const { names, asked, told, reflectors } = named('a.example')
  names.set('a.example', ['8.8.8.8', '8.8.4.4'])
  reflectors.start()
  await settled()
  names.set('a.example', ['8.8.4.4', '8.8.8.8'])
  mock.timers.tick(HOUR)
  await settled()
  assert.equal(asked.length, 2)
  assert.equal(told.length, 1)
  names.set('a.example', ['8.8.4.4'])
  mock.timers.tick(HOUR)
  await settled()
  assert.equal(told.length, 2)
  names.clear()
  mock.timers.tick(HOUR)
  await settled()
  assert.deepEqual(reflectors.addresses, [{ ip: '8.8.4.4', port: 3478 }], 'it keeps what it had')
  reflectors.stop()
})

test('after the stop nothing is resolved or told', async () => {
  const { names, asked, told, reflectors } = named('a.example', 'b.example')
  names.set('a.example', ['8.8.8.8'])
  reflectors.start()
  reflectors.stop()
  await settled()
  mock.timers.tick(2 * HOUR)
  await settled()
  assert.deepEqual(told, [])
  assert.equal(asked.length, 2)
})
