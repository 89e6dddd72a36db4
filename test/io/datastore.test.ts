import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { openDatastore } from '../../src/io/datastore.js'
import { temporaryDirectory } from '../daemon/temporaryDirectory.js'

const DAMAGED = 'the datastore is damaged; it was moved aside, beginning a new one'
const NOT_OPENED = 'cannot open the datastore; going on in memory, nothing is remembered'

function warnings() {
  const said: { readonly message: string; readonly context: object }[] = []
  const say = (context: object, message: string) => void said.push({ message, context })
  return { said, warn: say, info: say }
}

/** A datastore that was closed, with a hundred entries. */
async function filled(t: TestContext): Promise<string> {
  const directory = join(await temporaryDirectory(t), 'wg0.datastore')
  const log = warnings()
  const map = await openDatastore(directory, log)
  for (let n = 0; n < 100; n++) map.set(`/a/${n}`, randomBytes(500))
  await map.close()
  assert.deepEqual(log.said, [])
  return directory
}

test('what was set is there when it is opened again, in a directory 0700', async (t) => {
  const directory = join(await temporaryDirectory(t), 'wg0.datastore')
  const log = warnings()
  const first = await openDatastore(directory, log)
  first.set('/a', Uint8Array.of(1))
  await first.close()
  const second = await openDatastore(directory, log)
  assert.deepEqual(second.get('/a'), Uint8Array.of(1))
  second.set('/b', Uint8Array.of(2))
  second.delete('/a')
  await second.close()
  const third = await openDatastore(directory, log)
  assert.deepEqual(third.under('/'), [['/b', Uint8Array.of(2)]])
  await third.close()
  assert.deepEqual(log.said, [])
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
})

const truncated = async (path: string) => truncate(path, Math.floor((await stat(path)).size / 2))
const rubbish = async (path: string) => writeFile(path, randomBytes(Math.max(64, (await stat(path)).size)))
const empty = (path: string) => truncate(path, 0)
const flipped = async (path: string) => {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  for (let at = middle; at < middle + 8; at++) bytes[at] = (bytes[at] ?? 0) ^ 0x55
  await writeFile(path, bytes)
}
const aDirectory = async (path: string) => {
  await rm(path)
  await mkdir(path)
}
const damages = { truncated, rubbish, empty, flipped, gone: rm, 'a directory': aDirectory }

for (const [what, damage] of Object.entries(damages))
  for (const which of [/./, /^CURRENT$/, /^MANIFEST/, /\.ldb$/])
    test(`files that match ${which.source} and are ${what}: all is moved aside, and a new one is begun`, async (t) => {
      const directory = await filled(t)
      // A former one gives way.
      await mkdir(join(`${directory}.corrupt`, 'former'), { recursive: true })
      for (const name of await readdir(directory)) if (which.test(name)) await damage(join(directory, name))
      const log = warnings()
      const map = await openDatastore(directory, log)
      if (which.source === '.' && what === 'gone') {
        assert.deepEqual(log.said, [])
      } else {
        assert.deepEqual(
          log.said.map(({ message }) => message),
          [DAMAGED],
        )
        assert.ok(!(await readdir(`${directory}.corrupt`)).includes('former'))
      }
      assert.equal(map.size, 0)
      map.set('/new', Uint8Array.of(7))
      await map.close()
      const again = await openDatastore(directory, log)
      assert.deepEqual(again.get('/new'), Uint8Array.of(7))
      await again.close()
    })

test('a file in place of the directory is moved aside', async (t) => {
  const directory = join(await temporaryDirectory(t), 'wg0.datastore')
  await writeFile(directory, 'not a directory')
  const log = warnings()
  const map = await openDatastore(directory, log)
  map.set('/a', Uint8Array.of(1))
  await map.close()
  assert.deepEqual(log.said.splice(0), [
    {
      message: DAMAGED,
      context: { directory, movedTo: `${directory}.corrupt`, cause: 'it is not a directory' },
    },
  ])
  assert.equal(await readFile(`${directory}.corrupt`, 'utf8'), 'not a directory')
  await (await openDatastore(directory, log)).close()
  assert.deepEqual(log.said, [])
})

test('one that somebody else has open is left alone, and done without', async (t) => {
  const directory = await filled(t)
  const log = warnings()
  const holder = await openDatastore(directory, log)
  const map = await openDatastore(directory, log)
  assert.deepEqual(
    log.said.map(({ message }) => message),
    [NOT_OPENED],
  )
  assert.equal(map.size, 0)
  map.set('/b', Uint8Array.of(1))
  await map.close()
  assert.equal(holder.size, 100)
  await holder.close()
  assert.equal(holder.get('/b'), undefined)
})

test('where no directory can be made it is done without', async () => {
  const log = warnings()
  const map = await openDatastore('/proc/wg0.datastore', log)
  assert.deepEqual(
    log.said.map(({ message }) => message),
    [NOT_OPENED],
  )
  assert.ok(map.set('/a', Uint8Array.of(1)))
  await map.close()
})

test('a disk that does not answer is not waited for', async (t) => {
  const directory = await filled(t)
  const current = join(directory, 'CURRENT')
  await rm(current)
  await promisify(execFile)('mkfifo', [current])
  const log = warnings()
  const map = await openDatastore(directory, log, { openingMs: 100 })
  assert.deepEqual(log.said, [
    { message: NOT_OPENED, context: { directory, cause: 'the disk did not answer for 0.1 s' } },
  ])
  await map.close()
  // Who opens its other end lets LevelDB go on.
  await (await open(current, 'w')).close()
})

test('it survives that its process is killed in the midst of writing', async (t) => {
  const directory = join(await temporaryDirectory(t), 'wg0.datastore')
  for (const stopAt of [1, 700, 3_000]) {
    const writer = spawn(
      process.execPath,
      [new URL('datastoreWriter.js', import.meta.url).pathname, directory],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    t.after(() => writer.kill('SIGKILL'))
    let written = -1
    for await (const line of createInterface(writer.stdout)) {
      written = Number(line)
      if (written === stopAt) writer.kill('SIGKILL')
    }
    if (writer.signalCode === null) await once(writer, 'exit')
    const log = warnings()
    const map = await openDatastore(directory, log)
    assert.deepEqual(log.said, [])
    const [low = 0, high = 0] = map.get('/last') ?? []
    const last = low + (high << 8)
    // At most what was under way is more than was told.
    assert.ok(last >= written && last <= written + 1, `told ${written} at last, and ${last} is there`)
    await map.close()
  }
})

test('what is on the disk is bounded, however often it is overwritten', async (t) => {
  const directory = await filled(t)
  const map = await openDatastore(directory, warnings())
  for (let n = 0; n < 20_000; n++) {
    map.set(`/b/${n}`, randomBytes(1_500))
    if (n >= 1_000) map.delete(`/b/${n - 1_000}`)
    if (n % 100 === 0) await map.flush()
  }
  await map.flush()
  const size = async () => {
    let sum = 0
    // LevelDB removes files while it is looked at.
    for (const name of await readdir(directory))
      sum += await stat(join(directory, name)).then(
        (file) => file.size,
        () => 0,
      )
    return sum
  }
  // 1.6 MB are in it.
  assert.ok((await size()) < 30_000_000, `${await size()} bytes`)
  await map.close()
  assert.ok((await size()) < 3_000_000, `${await size()} bytes`)
})
