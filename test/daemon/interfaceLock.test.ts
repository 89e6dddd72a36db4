import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { AlreadyRunningError } from '../../src/daemon/control.js'
import { lockInterface } from '../../src/daemon/interfaceLock.js'

/** No other process has an interface of this name. */
const NAME = `tb${process.pid}`

test('an interface is taken once, and the second one is told by whom', async () => {
  const lock = await lockInterface(NAME)
  await assert.rejects(lockInterface(NAME), (error) => {
    assert.ok(error instanceof AlreadyRunningError)
    assert.equal(error.message, `tunnelbore already runs beside ${NAME} (pid ${process.pid}); stop it first`)
    return true
  })
  const other = await lockInterface(`${NAME}b`)
  await other.release()
  await lock.release()
  await (await lockInterface(NAME)).release()
})

test('a holder that hangs keeps it, and one that is killed does not', async (t) => {
  const module = new URL('../../src/daemon/interfaceLock.js', import.meta.url)
  const script = `const { lockInterface } = await import(${JSON.stringify(module.href)})
    await lockInterface(${JSON.stringify(NAME)}); console.log('taken')`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  holder.kill('SIGSTOP')
  await assert.rejects(lockInterface(NAME), /already runs beside \S+ \(it does not answer\)/)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  await (await lockInterface(NAME)).release()
})
