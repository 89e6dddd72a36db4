import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openNodeDatastore } from '../../src/daemon/nodeDatastore.js'
import { Undo } from '../../src/daemon/undo.js'
import { recordingLogger } from './recordingLogger.js'
import { temporaryDirectory } from './temporaryDirectory.js'

test('a state directory that cannot be made costs the memory and nothing else', async (t) => {
  const runDir = await temporaryDirectory(t)
  const { log, lines } = recordingLogger()
  const undo = new Undo(log)
  const map = await openNodeDatastore({ stateDir: '/proc/tunnelbore', runDir }, 'wg0', undo, log)
  assert.ok(map.set('/a', Uint8Array.of(1)))
  await undo.run()
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [['warn', 'cannot open the datastore; going on in memory, nothing is remembered']],
  )
})

test('it is closed at the end: what was set last is there', async (t) => {
  const { log, lines } = recordingLogger()
  const stateDir = join(await temporaryDirectory(t), 'state')
  for (const expected of [undefined, 0, 1]) {
    const undo = new Undo(log)
    const map = await openNodeDatastore({ stateDir, runDir: stateDir }, 'wg0', undo, log)
    assert.equal(map.get('/a')?.[0], expected)
    map.set('/a', Uint8Array.of(expected === undefined ? 0 : expected + 1))
    await undo.run()
  }
  assert.deepEqual(lines, [])
  assert.deepEqual(await readdir(stateDir), ['wg0.datastore'])
})
