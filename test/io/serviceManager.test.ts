import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ServiceManager } from '../../src/io/serviceManager.js'
import { NotifySocket } from './notifySocket.js'

const PID = 77

async function path(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'notify-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'socket')
}

for (const [what, nameOf] of [
  ['a path', path],
  ['an abstract name', async () => `@tunnelbore-test-${process.pid}`],
] as const) {
  test(`A service manager at ${what} is told that we are up, alive, and about to end`, async (t) => {
    const name = await nameOf(t)
    const socket = new NotifySocket(name)
    t.after(() => socket.close())
    const manager = ServiceManager.of({ NOTIFY_SOCKET: name }, PID) ?? assert.fail()
    assert.equal(socket.next(), undefined)
    assert(manager.ready())
    assert(manager.alive())
    assert(manager.stopping())
    assert.deepEqual([socket.next(), socket.next(), socket.next()], ['READY=1', 'WATCHDOG=1', 'STOPPING=1'])
  })
}

test('Nobody is told where no service manager wants to be', () => {
  for (const name of [undefined, '', 'relative', '/', '@', `/${'long'.repeat(30)}`])
    assert.equal(ServiceManager.of(name === undefined ? {} : { NOTIFY_SOCKET: name }, PID), undefined)
})

test('A service manager that is gone is not told, and nothing throws', async (t) => {
  const manager = ServiceManager.of({ NOTIFY_SOCKET: await path(t) }, PID) ?? assert.fail()
  assert.equal(manager.ready(), false)
})

test('A sign of life is awaited where a time is given, and none of another process', () => {
  const watchdogOf = (env: NodeJS.ProcessEnv) =>
    ServiceManager.of({ NOTIFY_SOCKET: '/run/notify', ...env }, PID)?.watchdogMs
  assert.equal(watchdogOf({ WATCHDOG_USEC: '30000000' }), 30_000)
  assert.equal(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(PID) }), 30_000)
  assert.equal(watchdogOf({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '78' }), undefined)
  for (const text of [undefined, '', '0', '-5', 'soon'])
    assert.equal(watchdogOf(text === undefined ? {} : { WATCHDOG_USEC: text }), undefined)
})
