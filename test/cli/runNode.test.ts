import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NotifySocket } from '../io/notifySocket.js'
import { until } from '../until.js'

interface Host {
  readonly process: ChildProcess
  /** The next line that it says. */
  next(): Promise<string | undefined>
  readonly stderr: Promise<string>
  readonly exited: Promise<unknown>
}

function host(t: TestContext, what: string, env: NodeJS.ProcessEnv = {}): Host {
  const script = fileURLToPath(new URL('./runNodeHost.js', import.meta.url))
  const child = spawn(process.execPath, [script, what], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    process: child,
    next: async () => (await lines.next()).value,
    stderr: text(child.stderr),
    exited: once(child, 'exit').then(([code]) => code),
  }
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} stops the node, and the process ends with 0`, async (t) => {
    const node = host(t, 'runs')
    assert.equal(await node.next(), 'started')
    node.process.kill(signal)
    assert.equal(await node.next(), 'stopping')
    assert.equal(await node.next(), 'done')
    assert.equal(await node.exited, 0)
    const [line = ''] = (await node.stderr).split('\n')
    const { level, node: name, signal: logged, msg } = JSON.parse(line)
    assert.deepEqual([level, name, logged, msg], [30, 'wg0', signal, 'stopping'])
  })
}

test('a second signal does not wait for a stop that hangs, and the process ends with 1', async (t) => {
  const node = host(t, 'hangs')
  assert.equal(await node.next(), 'started')
  node.process.kill('SIGTERM')
  assert.equal(await node.next(), 'stopping')
  node.process.kill('SIGTERM')
  assert.equal(await node.exited, 1)
})

test('a node that ends by itself is stopped, and its reason is what the caller gets', async (t) => {
  const node = host(t, 'fails')
  assert.equal(await node.next(), 'started')
  assert.equal(await node.next(), 'stopping')
  assert.equal(await node.next(), 'rejected: failed')
})

test('an exception that nobody catches stops the node first, and is logged', async (t) => {
  const node = host(t, 'throws')
  assert.equal(await node.next(), 'started')
  assert.equal(await node.next(), 'stopping')
  assert.equal(await node.next(), 'rejected: thrown')
  assert.match(await node.stderr, /"level":60.*"msg":"unexpected error"/)
})

test('a rejection that nobody waits for is logged, and the node goes on', async (t) => {
  const node = host(t, 'rejects')
  assert.equal(await node.next(), 'started')
  assert.equal(await node.next(), 'rejected, and goes on')
  node.process.kill('SIGTERM')
  assert.equal(await node.next(), 'stopping')
  assert.equal(await node.next(), 'done')
  assert.match(await node.stderr, /"level":50.*"msg":"unexpected rejection"/)
})

test('a service manager is told when the node is up, that it lives, and when it stops', async (t) => {
  const name = `@tunnelbore-test-${process.pid}`
  const socket = new NotifySocket(name)
  t.after(() => socket.close())
  const node = host(t, 'runs', { NOTIFY_SOCKET: name, WATCHDOG_USEC: '30000' })
  assert.equal(await node.next(), 'started')
  const said: string[] = []
  const hear = () => {
    for (let next = socket.next(); next !== undefined; next = socket.next()) said.push(next)
  }
  await until('signs of life', () => {
    hear()
    return said.filter((message) => message === 'WATCHDOG=1').length >= 3
  })
  assert.equal(said[0], 'READY=1')
  node.process.kill('SIGTERM')
  await node.exited
  hear()
  assert.equal(said.filter((message) => message !== 'WATCHDOG=1').join(), 'READY=1,STOPPING=1')
})
