import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tunnels } from '../../src/daemon/tunnels.js'
import { FakeWg } from './fakeWg.js'
import { recordingLogger } from './recordingLogger.js'

test('the interfaces that there are, and our own, are the tunnels', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.listInterfaces('wg1', 'wg2')
  const { log } = recordingLogger()
  assert.deepEqual([...(await new Tunnels('wg0', log).names())].sort(), ['wg0', 'wg1', 'wg2'])
  assert.deepEqual([...(await new Tunnels(undefined, log).names())], ['wg1', 'wg2'])
})

test('where wg fails, the tunnels that were there before still are', async (t) => {
  const wg = await FakeWg.install(t)
  const tunnels = new Tunnels('wg0', recordingLogger().log)
  await wg.fail('Unable to list interfaces: Operation not permitted')
  assert.deepEqual([...(await tunnels.names())], ['wg0'])
  await wg.fail('')
  await wg.listInterfaces('wg0', 'wg1')
  await tunnels.names()
  await wg.fail('Unable to list interfaces: Resource temporarily unavailable')
  assert.deepEqual([...(await tunnels.names())], ['wg0', 'wg1'])
})

test('where there is no wg there are no tunnels but our own', async (t) => {
  const { PATH = '' } = process.env
  t.after(() => {
    Object.assign(process.env, { PATH })
  })
  Object.assign(process.env, { PATH: '/nonexistent' })
  const { log } = recordingLogger()
  assert.deepEqual([...(await new Tunnels(undefined, log).names())], [])
  assert.deepEqual([...(await new Tunnels('wg0', log).names())], ['wg0'])
})
