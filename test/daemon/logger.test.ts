import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

/** What a process of its own logs to a stderr that is no terminal. */
async function logged(statements: string): Promise<readonly Record<string, unknown>[]> {
  const logger = new URL('../../src/daemon/logger.js', import.meta.url)
  const script = `const { createLogger } = await import(${JSON.stringify(logger.href)}); ${statements}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'exit')])
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('the log is one JSON object a line, with its node and an ISO time', async () => {
  const lines = await logged(
    "(await createLogger('info', 'wg0')).info({ peers: 2 }, 'running'); process.exit(0)",
  )
  assert.equal(lines.length, 1)
  const { time, ...rest } = lines[0] ?? {}
  assert.deepEqual(rest, { level: 30, node: 'wg0', peers: 2, msg: 'running' })
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
})

test('what is below the level is not logged', async () => {
  const lines = await logged("const log = await createLogger('warn', 'wg0'); log.info('a'); log.warn('b')")
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['b'],
  )
  assert.deepEqual(await logged("(await createLogger('silent', 'wg0')).fatal('a')"), [])
})

test('a stderr that takes nothing, as on a full disk, ends nobody', async () => {
  const script = `const { createLogger } = await import(${JSON.stringify(new URL('../../src/daemon/logger.js', import.meta.url).href)});
    const log = await createLogger('info', 'wg0');
    for (let n = 0; n < 10_000; n++) log.info({ n }, 'running');
    process.stdout.write('done')`
  const full = await open('/dev/full', 'w')
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', full.fd],
  })
  const [stdout, [code]] = await Promise.all([text(child.stdout ?? assert.fail()), once(child, 'exit')])
  await full.close()
  assert.equal(stdout, 'done')
  assert.equal(code, 0)
})
