import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsePublicKey } from '../../src/base/publicKey.js'
import { decodeState, encodeState, loadBootstrapKey, StateFile } from '../../src/daemon/state.js'
import { sampleKey } from '../cli/sampleStatus.js'
import { until } from '../until.js'
import { temporaryDirectory } from './temporaryDirectory.js'

function warnings() {
  const said: string[] = []
  const say = (_context: object, message: string) => void said.push(message)
  return { said, warn: say, info: say }
}

const remembered = {
  listenPort: 51_822,
  sequence: 1_700_000_000_000,
  formerEndpoints: {
    [sampleKey(1)]: '203.0.113.1:51820',
    [sampleKey(2)]: null,
    [sampleKey(3)]: '[fe80::1%eth0]:51820',
  },
}

test('a node without a state file starts with nothing, and without a warning', async (t) => {
  const log = warnings()
  const file = await StateFile.open(join(await temporaryDirectory(t), 'none'), 'wg0', log)
  assert.deepEqual(file.state, { listenPort: undefined, sequence: 0, formerEndpoints: {} })
  assert.deepEqual(log.said, [])
})

test('what was remembered is there at the next start, in a file 0600 in a directory 0700', async (t) => {
  const directory = join(await temporaryDirectory(t), 'state')
  const log = warnings()
  const file = await StateFile.open(directory, 'wg0', log)
  file.update({ listenPort: remembered.listenPort })
  file.update({ sequence: remembered.sequence, formerEndpoints: remembered.formerEndpoints })
  assert.deepEqual(file.state, remembered)
  await file.flush()
  assert.deepEqual((await StateFile.open(directory, 'wg0', log)).state, remembered)
  assert.equal((await stat(join(directory, 'wg0.json'))).mode & 0o777, 0o600)
  assert.equal((await stat(directory)).mode & 0o777, 0o700)
  assert.deepEqual(await readdir(directory), ['wg0.json'])
  assert.deepEqual(log.said, [])
})

test('updates while the file is written are not lost', async (t) => {
  const directory = await temporaryDirectory(t)
  const file = await StateFile.open(directory, 'wg0', warnings())
  file.update({ sequence: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  for (let sequence = 2; sequence <= 100; sequence++) file.update({ sequence })
  await file.flush()
  assert.equal((await StateFile.open(directory, 'wg0', warnings())).state.sequence, 100)
})

test('a truncated file is moved aside with a warning, and the node starts afresh', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'wg0.json')
  const half = encodeState(remembered).slice(0, 100)
  await writeFile(path, half)
  const log = warnings()
  const file = await StateFile.open(directory, 'wg0', log)
  assert.equal(file.state.sequence, 0)
  assert.deepEqual(log.said, ['the state file is damaged; it was moved aside, starting afresh'])
  assert.equal(await readFile(`${path}.corrupt`, 'utf8'), half)
  file.update({ sequence: 5 })
  await file.flush()
  assert.equal((await StateFile.open(directory, 'wg0', log)).state.sequence, 5)
})

test('a state of the wrong shape or of a later version is no state', () => {
  const state = { version: 1, listenPort: 1, sequence: 0, formerEndpoints: {} }
  const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
  assert.notEqual(decodeState(encode({ ...state, later: true })), undefined)
  for (const value of [
    null,
    [],
    {},
    { ...state, version: 2 },
    { ...state, listenPort: 0 },
    { ...state, listenPort: '1' },
    { ...state, sequence: -1 },
    { ...state, sequence: 1e300 },
    { ...state, formerEndpoints: [] },
    { ...state, formerEndpoints: { wg0: null } },
    { ...state, formerEndpoints: { [sampleKey(1)]: 7 } },
    { ...state, formerEndpoints: { [sampleKey(1)]: '--option' } },
  ])
    assert.equal(decodeState(encode(value)), undefined)
})

test('where the file cannot be written the node goes on in memory, says so once, and writes it once it can', async (t) => {
  const directory = await temporaryDirectory(t)
  // A directory where it is written first: it cannot be, for root either.
  const inTheWay = join(directory, 'wg0.json.new')
  await mkdir(join(inTheWay, 'x'), { recursive: true })
  const log = warnings()
  const file = await StateFile.open(directory, 'wg0', log, 1)
  for (const sequence of [1, 2, 3]) {
    file.update({ sequence })
    await file.flush()
  }
  assert.equal(file.state.sequence, 3)
  assert.match(file.failure ?? '', /directory/)
  assert.deepEqual(log.said, ['cannot write the state file; going on without it, nothing new is remembered'])
  await rm(inTheWay, { recursive: true })
  await until('it to be written', () => file.failure === undefined)
  assert.deepEqual(log.said.slice(1), ['the state file can be written again'])
  assert.equal((await StateFile.open(directory, 'wg0', log)).state.sequence, 3)
})

test('a file that cannot be read is kept beside the one that takes its place', async (t) => {
  const directory = await temporaryDirectory(t)
  await mkdir(join(directory, 'wg0.json', 'x'), { recursive: true })
  const log = warnings()
  const file = await StateFile.open(directory, 'wg0', log)
  assert.deepEqual(log.said, ['cannot read the state file; starting afresh'])
  file.update({ sequence: 1 })
  await file.flush()
  assert.deepEqual(await readdir(join(directory, 'wg0.json.unreadable')), ['x'])
  assert.equal((await StateFile.open(directory, 'wg0', log)).state.sequence, 1)
})

test('a process that is killed while it writes leaves the old state or the new one', async (t) => {
  const directory = await temporaryDirectory(t)
  const state = new URL('../../src/daemon/state.js', import.meta.url).href
  const script = `const { StateFile } = await import(${JSON.stringify(state)});
    const say = () => undefined;
    const file = await StateFile.open(process.argv[1], 'wg0', { warn: say, info: say });
    for (let sequence = file.state.sequence + 1; ; sequence++) {
      file.update({ sequence });
      await file.flush();
      process.stdout.write(sequence + '\\n');
    }`
  let written = 0
  for (const more of [1, 7, 20, 33]) {
    const writer = spawn(process.execPath, ['--input-type=module', '-e', script, directory])
    const enough = written + more
    for await (const line of createInterface(writer.stdout)) {
      written = Number(line)
      if (written >= enough) writer.kill('SIGKILL')
    }
    const log = warnings()
    const { sequence } = (await StateFile.open(directory, 'wg0', log)).state
    assert.deepEqual(log.said, [])
    assert.ok(
      sequence === written || sequence === written + 1,
      `told ${written} at last, ${sequence} is there`,
    )
    written = sequence
  }
})

test('property: a state survives being written and read', () => {
  const key = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => parsePublicKey(Buffer.from(bytes).toString('base64')) ?? sampleKey(0))
  const state = fc.record(
    {
      listenPort: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
      sequence: fc.maxSafeNat(),
      formerEndpoints: fc.dictionary(
        key,
        fc.option(
          fc
            .tuple(
              fc.oneof(
                fc.ipV4(),
                fc.ipV6().map((ip) => `[${ip}]`),
              ),
              fc.nat(65_535),
            )
            .map((at) => at.join(':')),
        ),
        { noNullPrototype: true },
      ),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(state, (given) => {
      assert.deepEqual(decodeState(new TextEncoder().encode(encodeState(given))), given)
    }),
  )
})

test('property: no bytes, and no damage to a state, make reading it throw', () => {
  const good = new TextEncoder().encode(encodeState(remembered))
  const damaged = fc
    .tuple(fc.nat(good.length), fc.uint8Array({ maxLength: 8 }))
    .map(([at, bytes]) =>
      Uint8Array.from([...good.subarray(0, at), ...bytes, ...good.subarray(at + bytes.length)]),
    )
  const json = fc.json().map((text) => new TextEncoder().encode(text))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2_000 }), damaged, json), (bytes) => {
      decodeState(bytes)
    }),
    { numRuns: 1_000 },
  )
})

test('the identity of a bootstrap node is made once, 0600, and kept', async (t) => {
  const directory = join(await temporaryDirectory(t), 'state')
  const key = await loadBootstrapKey(directory)
  assert.equal(key.length, 32)
  assert.deepEqual(await loadBootstrapKey(directory), key)
  assert.deepEqual(await readdir(directory), ['bootstrap.key'])
  assert.equal((await stat(join(directory, 'bootstrap.key'))).mode & 0o777, 0o600)
})

test('two first starts at once agree on one identity', async (t) => {
  const directory = await temporaryDirectory(t)
  const keys = await Promise.all(Array.from({ length: 4 }, () => loadBootstrapKey(directory)))
  for (const key of keys) assert.deepEqual(key, keys[0])
})

test('an identity that is damaged is never replaced', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'bootstrap.key')
  await writeFile(path, 'short')
  await assert.rejects(
    loadBootstrapKey(directory),
    (error) =>
      error instanceof Error &&
      error.message ===
        `cannot use the identity ${path}: it has 5 bytes, not 32; mend or remove it, or give another --state-dir`,
  )
  assert.equal(await readFile(path, 'utf8'), 'short')
})
