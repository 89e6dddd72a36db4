import assert from 'node:assert/strict'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { NodesFile } from '../../src/daemon/nodesFile.js'
import { recordingLogger } from './recordingLogger.js'
import { temporaryDirectory } from './temporaryDirectory.js'

test('known nodes are there at the next start, in a file 0600', async (t) => {
  const directory = join(await temporaryDirectory(t), 'state')
  const { log, lines } = recordingLogger()
  const file = new NodesFile(directory, 'wg0', log)
  assert.equal(await file.load(), undefined)
  for (const text of ['one', 'two', 'three']) file.save(fromString(text))
  await file.flush()
  const again = await new NodesFile(directory, 'wg0', log).load()
  assert.equal(again && toText(again), 'three')
  assert.deepEqual(await readdir(directory), ['wg0.nodes'])
  assert.equal((await stat(join(directory, 'wg0.nodes'))).mode & 0o777, 0o600)
  assert.equal(await new NodesFile(directory, 'wg1', log).load(), undefined)
  assert.deepEqual(lines, [])
})

test('a file that is far too large is taken for none', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'wg0.nodes'), new Uint8Array(2 * 1024 * 1024))
  assert.equal(await new NodesFile(directory, 'wg0', recordingLogger().log).load(), undefined)
})

test('what cannot be written is warned of once, and the node goes on', async (t) => {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'wg0.nodes.new'))
  const { log, lines } = recordingLogger()
  const file = new NodesFile(directory, 'wg0', log)
  for (let times = 0; times < 3; times++) {
    file.save(fromString('one'))
    await file.flush()
  }
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [['warn', 'cannot write which nodes are known']],
  )
})
