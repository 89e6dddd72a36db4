import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeDirectory } from '../../src/daemon/makeDirectory.js'
import { temporaryDirectory } from './temporaryDirectory.js'

test('a directory is made with its parents, for its user only, as often as one likes', async (t) => {
  const path = join(await temporaryDirectory(t), 'a', 'b', 'c')
  await Promise.all([makeDirectory(path), makeDirectory(path)])
  await makeDirectory(path)
  assert.equal((await stat(path)).mode & 0o777, 0o700)
})

test('where none can be made it fails, also in a file system that calls an existing parent missing', async () => {
  await assert.rejects(makeDirectory('/proc/none'), { code: 'ENOENT' })
  await assert.rejects(makeDirectory('/proc/none/deeper'), { code: 'ENOENT' })
})
