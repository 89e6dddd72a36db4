import assert from 'node:assert/strict'
import { once } from 'node:events'
import { access, chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { UserError } from '../../src/base/userError.js'
import {
  AlreadyRunningError,
  type ControlHandlers,
  type ControlServer,
  serveControl,
} from '../../src/daemon/control.js'
import { askResolve, askStatus, askWhy, NotRunningError } from '../../src/daemon/controlClient.js'
import { controlSocketPath, listNodes } from '../../src/daemon/runDirectory.js'
import { sampleExplanation, sampleKey, sampleRecord, sampleStatus } from '../cli/sampleStatus.js'
import { holdControl } from './holdControl.js'
import { temporaryDirectory } from './temporaryDirectory.js'

const handlers: ControlHandlers = {
  status: () => sampleStatus,
  resolve: async (key) => (key === sampleRecord.publicKey ? sampleRecord : undefined),
  why: (key) => (key === sampleRecord.publicKey ? sampleExplanation : undefined),
}

async function socketIn(t: TestContext): Promise<string> {
  return controlSocketPath(join(await temporaryDirectory(t), 'run'), 'wg0')
}

async function serve(t: TestContext, path: string, served = handlers): Promise<ControlServer> {
  const server = await serveControl(path, served)
  t.after(() => server.close())
  return server
}

/** Sends raw bytes and returns all that comes back. */
async function rawAnswer(path: string, request: string | Uint8Array): Promise<string> {
  const socket = createConnection(path)
  socket.on('error', () => undefined)
  socket.write(request)
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk
  })
  await once(socket, 'close')
  return answer
}

test('the status and a record come through the socket as they were given', async (t) => {
  const path = await socketIn(t)
  await serve(t, path)
  assert.deepEqual(await askStatus(path), sampleStatus)
  assert.deepEqual(await askResolve(path, sampleRecord.publicKey), sampleRecord)
  assert.equal(await askResolve(path, sampleKey(255)), undefined)
})

test('the socket is 0600 in a directory 0700, and both are there only as long as they serve', async (t) => {
  const path = await socketIn(t)
  const server = await serveControl(path, handlers)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700)
  assert.deepEqual(await listNodes(join(path, '..')), ['wg0'])
  await server.close()
  assert.deepEqual(await readdir(join(path, '..')), [])
})

test('a second daemon on the interface is told the pid of the first', async (t) => {
  const path = await socketIn(t)
  const first = await holdControl(t, path)
  assert.equal(first.said, 'taken')
  await assert.rejects(serveControl(path, handlers), (error) => {
    assert.ok(error instanceof AlreadyRunningError)
    assert.equal(error.exitCode, 1)
    assert.equal(
      error.message,
      `tunnelbore already runs beside wg0 (pid ${first.process.pid}); stop it first`,
    )
    return true
  })
  assert.deepEqual(await askStatus(path), sampleStatus)
})

test('a daemon that is stopped and does not answer still holds its interface', async (t) => {
  const path = await socketIn(t)
  const first = await holdControl(t, path)
  first.process.kill('SIGSTOP')
  await assert.rejects(serveControl(path, handlers), /already runs beside wg0 \(it does not answer\)/)
  await assert.rejects(
    askStatus(path),
    /^UserError: the node wg0 does not answer: nothing came within 2 s; see its log/,
  )
})

test('the socket of a killed daemon is replaced', async (t) => {
  const path = await socketIn(t)
  const killed = await holdControl(t, path)
  killed.process.kill('SIGKILL')
  await once(killed.process, 'exit')
  await access(path)
  await assert.rejects(askStatus(path), NotRunningError)
  await serve(t, path)
  assert.deepEqual(await askStatus(path), sampleStatus)
})

test('of daemons that start at once over a stale socket exactly one wins', async (t) => {
  const path = await socketIn(t)
  const killed = await holdControl(t, path)
  killed.process.kill('SIGKILL')
  await once(killed.process, 'exit')
  const holders = await Promise.all(Array.from({ length: 4 }, () => holdControl(t, path)))
  const winners = holders.filter(({ said }) => said === 'taken')
  assert.equal(winners.length, 1)
  for (const { said } of holders.filter((holder) => holder !== winners[0])) {
    assert.equal(said, `tunnelbore already runs beside wg0 (pid ${winners[0]?.process.pid}); stop it first`)
  }
})

test('of starts within one process, too, exactly one wins', async (t) => {
  const path = await socketIn(t)
  const started = await Promise.allSettled(Array.from({ length: 8 }, () => serve(t, path)))
  assert.equal(started.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const outcome of started) {
    if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof AlreadyRunningError)
  }
})

test('what is no request of ours gets an error, and the next one is served', async (t) => {
  const path = await socketIn(t)
  await serve(t, path)
  const refused: readonly (readonly [string, RegExp])[] = [
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['GET //[ HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['DELETE /status HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 405 /],
    ['GET /resolve HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 400 .*"key is no WireGuard public key"/s],
    ['GET /resolve?key=%ff%zz&key HTTP/1.1\r\nHost: x\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['rubbish\r\n\r\n', /^$/],
    [`GET /status HTTP/1.1\r\nHost: ${'x'.repeat(10_000)}\r\n\r\n`, /^$/],
    [
      `POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100_000)}`,
      /^HTTP\/1\.1 405 /,
    ],
  ]
  for (const [request, answer] of refused) assert.match(await rawAnswer(path, request), answer)
  assert.equal(
    await rawAnswer(
      path,
      Uint8Array.from({ length: 5_000 }, (_, at) => (at * 37) % 256),
    ),
    '',
  )
  assert.deepEqual(await askStatus(path), sampleStatus)
})

test('more connections than are served are turned away, and cost nothing later', async (t) => {
  const path = await socketIn(t)
  await serve(t, path)
  const sockets: readonly Socket[] = Array.from({ length: 100 }, () => createConnection(path))
  for (const socket of sockets) socket.on('error', () => undefined)
  // One that is turned away is closed at once; the server holds the rest.
  await Promise.race(sockets.map((socket) => once(socket, 'close')))
  for (const socket of sockets) socket.destroy()
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')))
  assert.deepEqual(await askStatus(path), sampleStatus)
})

test('why a peer is as it is is told to the one who asks, and that a key is no peer', async (t) => {
  const path = await socketIn(t)
  await serve(t, path)
  assert.deepEqual(await askWhy(path, sampleRecord.publicKey), sampleExplanation)
  assert.equal(await askWhy(path, sampleKey(99)), undefined)
  assert.match(await rawAnswer(path, 'GET /why?key=abc HTTP/1.1\r\nhost: x\r\n\r\n'), /^HTTP\/1.1 400 /)
})

test('a handler that fails is told to the one who asked, and to nobody else', async (t) => {
  const path = await socketIn(t)
  await serve(t, path, {
    status: () => {
      throw new Error('no engine yet')
    },
    resolve: () => Promise.reject(new Error('the mesh is gone')),
    why: () => undefined,
  })
  await assert.rejects(askStatus(path), /^UserError: the node wg0 refused: no engine yet; see its log$/)
  await assert.rejects(askResolve(path, sampleKey(1)), /refused: the mesh is gone/)
})

test('a look-up is given up when the one who asked goes away', async (t) => {
  const path = await socketIn(t)
  let told: (signal: AbortSignal) => void = () => undefined
  const asked = new Promise<AbortSignal>((resolve) => {
    told = resolve
  })
  await serve(t, path, {
    ...handlers,
    resolve: async (_key, signal) => {
      told(signal)
      await once(signal, 'abort')
      return undefined
    },
  })
  const socket = createConnection(path)
  socket.write(`GET /resolve?key=${encodeURIComponent(sampleKey(1))} HTTP/1.1\r\nHost: x\r\n\r\n`)
  const signal = await asked
  socket.destroy()
  if (!signal.aborted) await once(signal, 'abort')
})

test('closing does not wait for those who are connected', async (t) => {
  const path = await socketIn(t)
  const server = await serve(t, path)
  const socket = createConnection(path)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  await Promise.all([server.close(), once(socket, 'close')])
})

test('a server that is not ours is told from none', async (t) => {
  const path = await socketIn(t)
  await mkdir(join(path, '..'), { mode: 0o700 })
  const stranger = createServer((socket) => socket.end('hello\n')).listen(path)
  t.after(() => stranger.close())
  await once(stranger, 'listening')
  await assert.rejects(askStatus(path), (error) => {
    assert.ok(error instanceof UserError && !(error instanceof NotRunningError))
    assert.match(error.message, /^the node wg0 does not answer: /)
    return true
  })
  await assert.rejects(serveControl(path, handlers), AlreadyRunningError)
})

test('a run directory that is open to others is refused, and its mode left alone', async (t) => {
  const path = await socketIn(t)
  await mkdir(join(path, '..'))
  await chmod(join(path, '..'), 0o755)
  await assert.rejects(
    serveControl(path, handlers),
    /^UserError: .*\/run is open to other users \(mode 755\); give /,
  )
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o755)
})

test('a run directory that cannot be made is told with its path', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'file'), '')
  await assert.rejects(
    serveControl(join(directory, 'file', 'run', 'wg0.sock'), handlers),
    /^UserError: cannot make .*\/file\/run: not a directory; run as root, or give --run-dir a directory of yours$/,
  )
})

test('a path too long for a socket is refused, not cut short', () => {
  assert.throws(
    () => controlSocketPath(`/${'x'.repeat(100)}`, 'wg0'),
    /longer than 107 bytes; give --run-dir/,
  )
  assert.equal(controlSocketPath('/run/tunnelbore', 'wg0'), '/run/tunnelbore/wg0.sock')
})

test('only sockets named as a node are listed, and none where there is no directory', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const name of ['wg1.sock', 'wg0.sock', 'notes.txt', 'a b.sock', '.sock', 'wg0.socket'])
    await writeFile(join(directory, name), '')
  assert.deepEqual(await listNodes(directory), ['wg0', 'wg1'])
  assert.deepEqual(await listNodes(join(directory, 'none')), [])
})
