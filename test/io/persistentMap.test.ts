import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import {
  DamagedDatastore,
  type Disk,
  MAX_ENTRIES,
  MAX_VALUE_LENGTH,
  PersistentMap,
  readEntries,
} from '../../src/io/persistentMap.js'
import { until } from '../until.js'

/** A disk in memory that can fail, or hang until it is let go. */
class TestDisk implements Disk {
  readonly data = new Map<string, Uint8Array>()
  fails = false
  hangs: Promise<void> | undefined
  batches = 0

  batch() {
    const steps: (() => void)[] = []
    return {
      put: (key: Key, value: Uint8Array) => void steps.push(() => this.data.set(key.toString(), value)),
      delete: (key: Key) => void steps.push(() => this.data.delete(key.toString())),
      commit: async () => {
        await this.hangs
        if (this.fails) throw new Error('no space left on device')
        this.batches += 1
        for (const step of steps) step()
      },
    }
  }

  async *query() {
    for (const [name, value] of this.data) yield { key: new Key(name, false), value }
  }

  async close(): Promise<void> {}

  async abandon(): Promise<void> {}
}

async function load(disk: Disk, isNew = false): Promise<PersistentMap> {
  const map = new PersistentMap(disk)
  map.adopt(await readEntries(disk, isNew))
  return map
}

const bytes = (...values: number[]) => Uint8Array.from(values)

test('property: what was set and deleted is as it was after it is loaded again', async () => {
  const step = fc.tuple(fc.nat({ max: 8 }), fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }))
  await fc.assert(
    fc.asyncProperty(fc.array(step), fc.array(fc.boolean()), async (steps, flushes) => {
      const disk = new TestDisk()
      const map = await load(disk, true)
      for (const [n, [name, value]] of steps.entries()) {
        if (value === undefined) map.delete(`/a/${name}`)
        else map.set(`/a/${name}`, value)
        if (flushes[n]) await map.flush()
      }
      await map.close()
      assert.deepEqual((await load(disk)).under('/a/').toSorted(), map.under('/a/').toSorted())
    }),
    { numRuns: 50 },
  )
})

test('many changes of one key are one write', async () => {
  const disk = new TestDisk()
  const map = await load(disk, true)
  await map.flush()
  const before = disk.batches
  for (let n = 0; n < 1_000; n++) map.set('/a', bytes(n & 255))
  await map.flush()
  assert.equal(disk.batches - before, 1)
})

test('property: a changed, lost or foreign entry is damage', async () => {
  const disk = new TestDisk()
  const map = await load(disk, true)
  for (let n = 0; n < 5; n++) map.set(`/a/${n}`, bytes(n, n, n))
  await map.close()
  const all = [...disk.data]
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.nat(),
      fc.constantFrom('changed', 'lost', 'more'),
      async (entry, at, how) => {
        const damaged = new TestDisk()
        for (const [name, value] of all) damaged.data.set(name, value.slice())
        const [name, value] = all[entry % all.length] ?? assert.fail()
        if (how === 'lost') damaged.data.delete(name)
        if (how === 'more') damaged.data.set('/a/more', value)
        if (how === 'changed') {
          const copy = value.slice()
          copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ 0x10
          damaged.data.set(name, copy)
        }
        await assert.rejects(load(damaged), DamagedDatastore)
      },
    ),
  )
})

test('an empty one that was written before is damaged, and a new one is not', async () => {
  await assert.rejects(load(new TestDisk()), DamagedDatastore)
  const disk = new TestDisk()
  await (await load(disk, true)).close()
  assert.equal((await load(disk)).size, 0)
})

test('a disk that refuses is said once, and gets all when it takes it again', async () => {
  const disk = new TestDisk()
  const failures: (string | undefined)[] = []
  const map = new PersistentMap(disk, { onDisk: (cause) => failures.push(cause), retryMs: 1 })
  map.adopt(await readEntries(disk, true))
  await map.flush()
  disk.fails = true
  map.set('/a', bytes(1))
  await map.flush()
  map.set('/b', bytes(2))
  map.set('/a', bytes(3))
  await map.flush()
  await until('a second failure', () => failures.length === 1 && map.get('/a')?.[0] === 3)
  disk.fails = false
  await until('all of it on the disk', () => disk.data.has('/a') && disk.data.has('/b'))
  await map.close()
  assert.deepEqual((await load(disk)).get('/a'), bytes(3))
  assert.deepEqual(failures, ['no space left on device', undefined])
  assert.equal(map.failure, undefined)
})

test('a disk that failed is opened anew, and made like what is here', async () => {
  const failing = new TestDisk()
  let isThere = false
  const disks: TestDisk[] = []
  const reopen = async () => {
    if (!isThere) throw new Error('read-only')
    const disk = new TestDisk()
    for (const [name, value] of failing.data) disk.data.set(name, value)
    disks.push(disk)
    return { disk, entries: await readEntries(disk, false) }
  }
  const map = new PersistentMap(failing, { reopen, retryMs: 1 })
  map.adopt(await readEntries(failing, true))
  map.set('/kept', bytes(1))
  map.set('/deleted', bytes(2))
  await map.flush()
  failing.fails = true
  map.set('/new', bytes(3))
  map.delete('/deleted')
  await map.flush()
  assert.equal(map.failure, 'no space left on device')
  isThere = true
  await until('it to be written again', () => map.failure === undefined)
  const [disk = assert.fail(), ...others] = disks
  assert.equal(others.length, 0)
  assert.deepEqual((await load(disk)).under('/').toSorted(), map.under('/').toSorted())
  assert.equal(map.get('/deleted'), undefined)
  await map.close()
})

test('what was on a disk that could not be read at first is there once it can be, below what came since', async () => {
  const disk = new TestDisk()
  const before = await load(disk, true)
  before.set('/a', bytes(1))
  before.set('/b', bytes(1))
  await before.close()
  let isThere = false
  const reopen = async () => {
    if (!isThere) throw new Error('read-only')
    return { disk, entries: await readEntries(disk, false) }
  }
  const map = new PersistentMap(undefined, { reopen, retryMs: 1 })
  map.awaitDisk('read-only')
  map.set('/b', bytes(2))
  await map.flush()
  isThere = true
  await until('it to be written', () => map.failure === undefined)
  assert.deepEqual(map.get('/a'), bytes(1))
  await map.close()
  assert.deepEqual((await load(disk)).get('/a'), bytes(1))
  assert.deepEqual((await load(disk)).get('/b'), bytes(2))
})

test('a disk that hangs holds up nothing, and nothing piles up', async () => {
  const disk = new TestDisk()
  const map = await load(disk, true)
  map.set('/kept', bytes(1))
  await map.flush()
  let letGo = () => {}
  disk.hangs = new Promise((resolve) => {
    letGo = resolve
  })
  for (let n = 0; n < 100_000; n++) {
    assert.ok(map.set(`/a/${n}`, bytes(n & 255)))
    if (n >= 100) map.delete(`/a/${n - 100}`)
  }
  map.delete('/kept')
  assert.equal(map.size, 100)
  letGo()
  await map.flush()
  assert.equal(disk.data.size, 101)
  assert.equal((await load(disk)).get('/kept'), undefined)
})

test('it is bounded', () => {
  const map = new PersistentMap()
  assert.equal(map.set('/large', new Uint8Array(MAX_VALUE_LENGTH + 1)), false)
  for (let n = 0; n < MAX_ENTRIES; n++) assert.ok(map.set(`/${n}`, bytes()))
  assert.equal(map.set('/more', bytes()), false)
  assert.ok(map.set('/0', bytes(1)))
  map.delete('/1')
  assert.ok(map.set('/more', bytes()))
})

test('names are told apart by their prefix', () => {
  const map = new PersistentMap()
  map.set('/a/1', bytes(1))
  map.set('/b/1', bytes(2))
  assert.deepEqual(map.under('/b/'), [['/b/1', bytes(2)]])
  assert.equal(new Key('/a/1', false).toString(), '/a/1')
})
