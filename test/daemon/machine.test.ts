import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Input, LocalSocket } from '../../src/engine/inputs.js'
import { run } from '../io/run.js'
import { ensurePackages } from '../packages.js'
import { until } from '../until.js'
import type { LoggedLine } from './recordingLogger.js'

const NAMESPACE = `tbd${process.pid}m`
const PORT = 51_821

function ip(...args: readonly string[]): void {
  run('ip', ['-n', NAMESPACE, ...args])
}

before(() => {
  ensurePackages()
  run('ip', ['netns', 'add', NAMESPACE])
  for (const [device, other] of [
    ['tba', 'tbb'],
    ['tbtunnel', 'tbfar'],
  ] as const) {
    ip('link', 'add', device, 'type', 'veth', 'peer', 'name', other)
    ip('link', 'set', device, 'up')
    ip('link', 'set', other, 'up')
  }
  ip('link', 'set', 'lo', 'up')
  ip('address', 'add', '192.0.2.2/24', 'dev', 'tba')
  ip('address', 'add', '10.9.0.1/24', 'dev', 'tbtunnel')
  ip('route', 'add', '10.9.9.0/24', 'dev', 'tbtunnel')
  ip('route', 'add', 'blackhole', '10.66.0.0/16')
})

after(() => {
  run('ip', ['netns', 'delete', NAMESPACE])
})

/** The program, and what it told so far. */
class Follower {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #said: unknown[] = []

  constructor(t: TestContext, takenIp?: string) {
    const script = fileURLToPath(new URL('./machineProcess.js', import.meta.url))
    const args = [script, String(PORT), 'tbtunnel', ...(takenIp === undefined ? [] : [takenIp])]
    this.#child = spawn('ip', ['netns', 'exec', NAMESPACE, process.execPath, ...args])
    this.#child.stderr.pipe(process.stderr)
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#said.push(JSON.parse(line)))
    t.after(async () => {
      this.#child.stdin.end()
      if (this.#child.exitCode === null) await once(this.#child, 'exit')
    })
  }

  /** Its first word: `started`, or why not. */
  started(): Promise<string> {
    return until('the start', () => this.#said.find((said) => typeof said === 'string'))
  }

  newest<Type extends Input['type']>(type: Type): Extract<Input, { type: Type }> | undefined {
    return this.#said.findLast(
      (said): said is Extract<Input, { type: Type }> => (said as Partial<Input>).type === type,
    )
  }

  /** The sockets that are open now, `device ip:port`. */
  get sockets(): readonly string[] {
    const show = ({ device, address }: LocalSocket) => `${device} ${address.ip}:${address.port}`
    return (this.newest('sockets-changed')?.sockets ?? []).map(show).sort()
  }

  /** How often it was told that an address or a way out came or went. */
  get changes(): number {
    return this.#said.filter((said) => (said as { changed?: true }).changed === true).length
  }

  get warnings(): readonly LoggedLine[] {
    return (this.#said as Partial<LoggedLine>[]).filter((said): said is LoggedLine => said.level === 'warn')
  }
}

describe('The machine', () => {
  test('has a socket on each address outside the tunnel, and each route with its device', async (t) => {
    const follower = new Follower(t)
    assert.equal(await follower.started(), 'started')
    assert.deepEqual(follower.sockets, [`tba 192.0.2.2:${PORT}`])
    const routes = (follower.newest('routes-read')?.routes ?? [])
      .filter(({ prefix }) => !prefix.ip.includes(':'))
      .map(({ prefix, device, tunnel }) => `${prefix.ip}/${prefix.length} ${device} ${tunnel}`)
    assert.deepEqual(routes.sort(), [
      '10.66.0.0/16 undefined false',
      '10.9.0.0/24 tbtunnel true',
      '10.9.9.0/24 tbtunnel true',
      '192.0.2.0/24 tba false',
    ])
  })

  test('follows changes', async (t) => {
    const follower = new Follower(t)
    await follower.started()
    ip('address', 'add', '192.0.2.3/24', 'dev', 'tba')
    await until('the new address', () => follower.sockets.length === 2)
    assert.deepEqual(follower.sockets, [`tba 192.0.2.2:${PORT}`, `tba 192.0.2.3:${PORT}`])
    ip('address', 'delete', '192.0.2.3/24', 'dev', 'tba')
    await until('its end', () => follower.sockets.length === 1)
  })

  test('says when an address or a way out came or went, and not for other routes', async (t) => {
    const follower = new Follower(t)
    await follower.started()
    ip('address', 'add', '192.0.2.3/24', 'dev', 'tba')
    await until('the new address', () => follower.changes === 1)
    ip('route', 'add', 'default', 'via', '192.0.2.1')
    await until('the way out', () => follower.changes === 2)
    ip('route', 'replace', 'default', 'via', '192.0.2.7')
    await until('another gateway', () => follower.changes === 3)
    ip('route', 'add', '203.0.113.9', 'dev', 'tba')
    ip('route', 'add', '203.0.113.128/25', 'via', '10.9.0.7', 'dev', 'tbtunnel')
    const destinations = () => follower.newest('routes-read')?.routes.map(({ prefix }) => prefix.ip)
    await until('the routes without a meaning', () => destinations()?.includes('203.0.113.128'))
    assert.equal(follower.changes, 3)
    ip('route', 'delete', 'default')
    await until('its end', () => follower.changes === 4)
    ip('address', 'delete', '192.0.2.3/24', 'dev', 'tba')
    await until('the end of the address', () => follower.changes === 5)
    ip('route', 'delete', '203.0.113.9')
    ip('route', 'delete', '203.0.113.128/25')
  })

  test('does not start where another program has the port', async (t) => {
    assert.equal(
      await new Follower(t, '192.0.2.2').started(),
      `PortInUseError: UDP port ${PORT} is in use on 192.0.2.2: choose another with --listen-port`,
    )
  })

  test('goes on where another program has the port on an address that comes later', async (t) => {
    ip('address', 'add', '192.0.2.9/32', 'dev', 'lo')
    const follower = new Follower(t, '192.0.2.9')
    assert.equal(await follower.started(), 'started')
    ip('address', 'add', '192.0.2.9/24', 'dev', 'tba')
    await until('a warning', () => follower.warnings.length > 0)
    ip('address', 'add', '192.0.2.4/24', 'dev', 'tba')
    await until('the other address', () => follower.sockets.length === 2)
    assert.deepEqual(follower.sockets, [`tba 192.0.2.2:${PORT}`, `tba 192.0.2.4:${PORT}`])
    const { ip: takenIp } = follower.warnings[0]?.fields ?? {}
    assert.equal(takenIp, '192.0.2.9')
    ip('address', 'delete', '192.0.2.4/24', 'dev', 'tba')
    ip('address', 'delete', '192.0.2.9/24', 'dev', 'tba')
    ip('address', 'delete', '192.0.2.9/32', 'dev', 'lo')
  })
})
