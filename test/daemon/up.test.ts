import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { UserError } from '../../src/base/userError.js'
import { upConfig } from '../../src/daemon/config.js'
import { startUp } from '../../src/daemon/up.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { FakeWg } from './fakeWg.js'
import { recordingLogger } from './recordingLogger.js'
import { temporaryDirectory } from './temporaryDirectory.js'

test('an interface that is down, and so listens on no port, is named before anything is changed', async (t) => {
  const wg = await FakeWg.install(t)
  await wg.dump(sampleKey(1), 0, [{ publicKey: sampleKey(2) }])
  const directory = await temporaryDirectory(t)
  const values = { 'run-dir': join(directory, 'run'), 'state-dir': join(directory, 'state') }
  const config = upConfig('wg0', [{ file: undefined, directory, values }])
  await assert.rejects(startUp(config, recordingLogger().log), (error) => {
    assert.ok(error instanceof UserError)
    assert.equal(error.message, 'wg0 is down: bring it up, e.g. `ip link set wg0 up`')
    return true
  })
  assert.deepEqual(wg.changes, [])
  assert.deepEqual(await readdir(directory), [])
})
