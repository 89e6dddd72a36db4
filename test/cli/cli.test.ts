import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { VERSION } from '../../src/base/version.js'
import { renderRecord } from '../../src/cli/recordTable.js'
import { renderStatus, renderStatuses } from '../../src/cli/statusTable.js'
import { holdControl } from '../daemon/holdControl.js'
import { temporaryDirectory } from '../daemon/temporaryDirectory.js'
import { CLI, type Outcome, runCli } from './runCli.js'
import { sampleKey, sampleRecord, sampleStatus } from './sampleStatus.js'

/** That it failed with this code, one line on stderr and nothing on stdout. */
function assertFailure(outcome: Outcome, code: 1 | 2, line: RegExp): void {
  assert.match(outcome.stderr, line)
  assert.match(outcome.stderr, /^tunnelbore: [^\n]+\n$/)
  assert.equal(outcome.stdout, '')
  assert.equal(outcome.code, code)
}

const wrongUse: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /a command is missing: up, bootstrap, status, resolve, why or doctor; see tunnelbore --help/],
  [['dance'], /unknown command 'dance'; see tunnelbore --help/],
  [['stats'], /unknown command 'stats' \(Did you mean status\?\); see/],
  [['--dance'], /unknown option '--dance'; see/],
  [['up'], /missing required argument 'interface'; see/],
  [['up', 'wg0', 'wg1'], /too many arguments/],
  [['up', 'wg0', '--bootstrap'], /option '--bootstrap <multiaddr>' argument missing; see/],
  [['up', 'wg0', '--reachable', '--unreachable'], /'--reachable' cannot be used with option '--unreachable'/],
  [['up', 'wg0/1'], /"wg0\/1" is no interface name/],
  [['up', 'bootstrap'], /an interface cannot be named bootstrap/],
  [['up', 'wg0', '--listen-port', '99999'], /--listen-port: must be a port from 1 to 65535, not 99999/],
  [['up', 'wg0', '--listen-port', '0x10'], /--listen-port: .* not "0x10"/],
  [['up', 'wg0', '--bootstrap', 'example.org'], /--bootstrap: must be a multiaddr/],
  [['up', 'wg0', '--stun', 'a.example:1', '--stun', 'b.example'], /--stun: must be .* not "b\.example"/],
  [['up', 'wg0', '--config', '/nonexistent/x.toml'], /cannot read \/nonexistent\/x\.toml: no such file/],
  [['up', 'wg0', '--log-level', 'loud'], /--log-level: must be one of/],
  [['bootstrap', '--stun', 'a.example:1'], /unknown option '--stun'/],
  [['bootstrap', '--network', 'a b'], /--network: must be/],
  [['status', 'a/b'], /"a\/b" is no interface name/],
  [['why'], /missing required argument 'interface or public key'/],
  [['why', 'wg0', 'abc'], /"abc" is no WireGuard public key; give it as wg prints it/],
  [['why', '../x', `${sampleKey(1)}`], /"\.\.\/x" is no interface name/],
  [['resolve'], /missing required argument 'public key'/],
  [['resolve', 'abc'], /"abc" is no WireGuard public key; give it as wg prints it/],
  [['resolve', `${sampleKey(1)}`.replace('=', '')], /is no WireGuard public key/],
]

for (const [args, line] of wrongUse) {
  test(`tunnelbore ${args.join(' ')} is wrong use: exit 2 and one line`, async () => {
    assertFailure(await runCli(...args), 2, line)
  })
}

test('a wrong value in a configuration file is told with its key and file', async (t) => {
  const path = join(await temporaryDirectory(t), 'tb.toml')
  await writeFile(path, 'listen-port = "http"\n')
  assertFailure(
    await runCli('up', 'wg0', '--config', path),
    2,
    /listen-port in \/.*\/tb\.toml: must be a port/,
  )
  await writeFile(path, 'lan = 1\n')
  // --no-lan decides where it is given, and leaves it to the file where not.
  assertFailure(
    await runCli('up', 'wg0', '--config', path),
    2,
    /lan in \/.*\/tb\.toml: must be true or false/,
  )
  await writeFile(path, 'lan = 1\nnetwork = 1\n')
  assertFailure(await runCli('up', 'wg0', '--config', path, '--no-lan'), 2, /network in /)
  await writeFile(path, 'listen-port = \n')
  assertFailure(await runCli('bootstrap', '--config', path), 2, /tb\.toml, line 1: not valid TOML/)
})

test('peers are named, and the mesh is left out, as the configuration has it', async (t) => {
  assertFailure(
    await runCli('up', 'wg0', '--peer', 'nobody'),
    2,
    /--peer: must be <public key>=<host>:<port>/,
  )
  assertFailure(
    await runCli('up', 'wg0', '--no-mesh', '--network', 'home'),
    2,
    /--network: means nothing without a mesh; leave it out, or leave --no-mesh out/,
  )
  const path = join(await temporaryDirectory(t), 'tb.toml')
  await writeFile(path, 'mesh = false\nnetwork = "home"\n')
  assertFailure(await runCli('up', 'wg0', '--config', path), 2, /network in .*means nothing without a mesh/)
  assertFailure(await runCli('bootstrap', '--no-mesh'), 2, /unknown option '--no-mesh'/)
})

test('--version and --help are no failures', async () => {
  assert.deepEqual(await runCli('--version'), { code: 0, stdout: `${VERSION}\n`, stderr: '' })
  for (const args of [['--help'], ['help'], ['up', '--help'], ['help', 'status']]) {
    const { code, stdout, stderr } = await runCli(...args)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^Usage: tunnelbore /)
  }
})

test('the version is the one of package.json', () => {
  assert.equal(JSON.parse(readFileSync('package.json', 'utf8')).version, VERSION)
})

test('where no node runs, status and resolve say so and exit 1', async (t) => {
  const runDir = join(await temporaryDirectory(t), 'run')
  const none = new RegExp(
    `no node runs here \\(looked in ${runDir}\\); start one with: tunnelbore up <interface>`,
  )
  assertFailure(await runCli('status', '--run-dir', runDir), 1, none)
  assertFailure(await runCli('status', '--json', '--run-dir', runDir), 1, none)
  assertFailure(await runCli('resolve', sampleKey(1), '--run-dir', runDir), 1, none)
  assertFailure(
    await runCli('status', 'wg0', '--run-dir', runDir),
    1,
    /tunnelbore does not run beside wg0; start it with: tunnelbore up wg0/,
  )
  assertFailure(
    await runCli('status', 'bootstrap', '--run-dir', runDir),
    1,
    /no bootstrap node runs here; start it with: tunnelbore bootstrap/,
  )
})

/** A run directory in which nodes of these names run. */
async function running(t: TestContext, ...names: readonly string[]): Promise<string> {
  const runDir = join(await temporaryDirectory(t), 'run')
  for (const name of names) {
    const { said } = await holdControl(t, join(runDir, `${name}.sock`))
    assert.equal(said, 'taken')
  }
  return runDir
}

test('status shows the one node that runs, for people and as an object', async (t) => {
  const runDir = await running(t, 'wg0')
  const text = { code: 0, stdout: renderStatus(sampleStatus), stderr: '' }
  assert.deepEqual(await runCli('status', '--run-dir', runDir), text)
  assert.deepEqual(await runCli('status', 'wg0', '--run-dir', runDir), text)
  const { code, stdout } = await runCli('status', '--json', '--run-dir', runDir)
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout), sampleStatus)
})

test('status shows all nodes that run, as an array; the one that is named, as an object', async (t) => {
  const runDir = await running(t, 'wg0', 'bootstrap')
  const json = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse((await runCli('status', '--json', '--run-dir', runDir, ...args)).stdout)
  assert.deepEqual(await json(), [sampleStatus, sampleStatus])
  assert.deepEqual(await json('wg0'), sampleStatus)
  assert.equal(
    (await runCli('status', '--run-dir', runDir)).stdout,
    renderStatuses([sampleStatus, sampleStatus]),
  )
})

test('status passes over what killed nodes left', async (t) => {
  const runDir = await running(t, 'wg0')
  await writeFile(join(runDir, 'wg1.sock'), '')
  const { code, stdout } = await runCli('status', '--json', '--run-dir', runDir)
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout), sampleStatus)
})

test('resolve shows a record, for people and as JSON, or says that there is none', async (t) => {
  const runDir = await running(t, 'wg0')
  const key = sampleRecord.publicKey
  assert.deepEqual(await runCli('resolve', key, '--run-dir', runDir), {
    code: 0,
    stdout: renderRecord(sampleRecord),
    stderr: '',
  })
  const { stdout } = await runCli('resolve', key, '--json', '--interface', 'wg0', '--run-dir', runDir)
  assert.deepEqual(JSON.parse(stdout), sampleRecord)
  assertFailure(await runCli('resolve', sampleKey(99), '--run-dir', runDir), 1, /no record of Y2Nj/)
  assertFailure(
    await runCli('resolve', key, '--interface', 'wg1', '--run-dir', runDir),
    1,
    /tunnelbore does not run beside wg1/,
  )
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`status --watch --json gives one object a line until ${signal}, and exits 0`, async (t) => {
    const runDir = await running(t, 'wg0')
    const child = spawn(process.execPath, [CLI, 'status', '--watch', '--json', '--run-dir', runDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    for (let line = 0; line < 2; line++) {
      assert.deepEqual(JSON.parse((await lines.next()).value ?? ''), sampleStatus)
    }
    child.kill(signal)
    assert.deepEqual(await exited, [0, null])
  })
}

test('status --watch ends quietly when its reader has enough', async (t) => {
  const runDir = await running(t, 'wg0')
  const child = spawn(process.execPath, [CLI, 'status', '--watch', '--run-dir', runDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  child.stdout.destroy()
  assert.deepEqual(await exited, [0, null])
})

test('on a terminal status --watch redraws the screen, and Ctrl-C gives it back', async (t) => {
  const runDir = await running(t, 'wg0')
  // script(1) is a terminal whose keyboard is our pipe.
  const command = `exec ${process.execPath} ${CLI} status --watch --run-dir ${runDir}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Node shows no colours where CI is set.
    env: { ...process.env, TERM: 'xterm', CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined },
  })
  t.after(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let screen = ''
  for await (const chunk of child.stdout) {
    const drawn = screen.split('\x1b[J').length
    screen += chunk
    // Once, at the second drawing.
    if (drawn < 3 && screen.split('\x1b[J').length >= 3) child.stdin.write('\x03')
  }
  assert.deepEqual(await exited, [0, null])
  assert.ok(screen.startsWith('\x1b[?1049h'))
  assert.ok(screen.includes('\x1b[H\x1b[32;1minterface\x1b[0m: \x1b[32mwg0\x1b[0m\x1b[K'))
  assert.ok(screen.endsWith('\x1b[?1049l'))
})

test('status does not load what only a running node needs', async (t) => {
  const runDir = await running(t, 'wg0')
  const child = spawn(process.execPath, [CLI, 'status', '--json', '--run-dir', runDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_DEBUG: 'esm' },
  })
  let loaded = ''
  child.stderr.on('data', (chunk) => {
    loaded += chunk
  })
  child.stdout.resume()
  await once(child, 'close')
  assert.match(loaded, /statusCommand\.js/)
  assert.doesNotMatch(loaded, /node_modules\/(libp2p|@libp2p|@multiformats|pino|smol-toml)\//)
})
