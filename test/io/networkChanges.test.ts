import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NetworkChanges } from '../../src/io/networkChanges.js'
import { ensurePackages } from '../packages.js'
import { until } from '../until.js'
import { run } from './run.js'

describe('changes of the network', () => {
  const namespace = `tbio${process.pid}c`
  const ip = (...args: string[]) => run('ip', ['-n', namespace, ...args])

  before(() => {
    ensurePackages()
    run('ip', ['netns', 'add', namespace])
    ip('link', 'add', 'tba', 'type', 'bridge')
    ip('link', 'set', 'tba', 'up')
  })

  after(() => {
    run('ip', ['netns', 'delete', namespace])
  })

  for (const [what, change] of [
    ['an address', () => ip('address', 'add', '192.0.2.2/24', 'dev', 'tba')],
    ['a route', () => ip('route', 'add', '198.51.100.0/24', 'via', '192.0.2.1')],
    ['a link', () => ip('link', 'set', 'tba', 'down')],
  ] as const)
    it(`are reported: ${what}`, async () => {
      const watcher = await startWatcher()
      try {
        change()
        await until('a change', () => watcher.printed().includes('changed'))
      } finally {
        await watcher.stop()
      }
    })

  it('are watched by a child that an orderly stop ends first', async () => {
    const watcher = await startWatcher()
    await watcher.stop()
    assert.match(watcher.printed(), /stopped\n$/)
    assert.deepEqual(monitors(), [])
  })

  it('are watched by a child that does not outlive us, even if we are killed', async () => {
    const watcher = await startWatcher()
    watcher.process.kill('SIGKILL')
    await once(watcher.process, 'exit')
    await until('the end of the child', () => monitors().length === 0)
  })

  it('are watched again after the child died, which is told, and counts as a change', async () => {
    const watcher = await startWatcher()
    try {
      const [monitor] = monitors()
      assert.ok(monitor !== undefined)
      assert.ok(!watcher.printed().includes('changed'))
      process.kill(monitor, 'SIGKILL')
      await until('the report', () =>
        watcher
          .printed()
          .includes('trouble: changes of the network are not seen for a while: "ip monitor" ended'),
      )
      await until('a new child', () => monitors().length === 1 && !monitors().includes(monitor))
      await until('a change', () => watcher.printed().includes('changed'))
    } finally {
      await watcher.stop()
    }
  })

  it('cannot be watched without ip, which is said with what to install', async () => {
    const { PATH } = process.env
    const bin = mkdtempSync(join(tmpdir(), 'bin-'))
    symlinkSync(run('sh', ['-c', 'command -v sh']), join(bin, 'sh'))
    const troubles: string[] = []
    Object.assign(process.env, { PATH: bin })
    try {
      const changes = new NetworkChanges({ onChange: assert.fail, onTrouble: (said) => troubles.push(said) })
      await until('a report', () => troubles.length > 0)
      await changes.stop()
      assert.deepEqual(troubles, [
        'changes of the network are not seen: the tool ip was not found, install iproute2',
      ])
    } finally {
      Object.assign(process.env, { PATH })
      rmSync(bin, { recursive: true })
    }
  })

  /** Starts the program in the namespace; resolves when its `ip monitor` is subscribed. */
  async function startWatcher() {
    const program = fileURLToPath(new URL('networkChangesProcess.js', import.meta.url))
    const child: ChildProcess = spawn('ip', ['netns', 'exec', namespace, process.execPath, program])
    let printed = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    await until('the child to be subscribed', () => monitors().some(isSubscribed))
    return {
      process: child,
      printed: () => printed,
      stop: async () => {
        const exited = once(child, 'exit')
        child.stdin?.end()
        await exited
      },
    }
  }

  /** The processes `ip monitor` in the namespace. */
  function monitors(): readonly number[] {
    const inode = run('stat', ['-L', '-c', '%i', `/run/netns/${namespace}`])
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => {
        try {
          const isMonitor = readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('ip\0monitor\0')
          return isMonitor && readlinkSync(`/proc/${pid}/ns/net`) === `net:[${inode}]`
        } catch {
          return false
        }
      })
      .map(Number)
  }
})

/** Whether the process has a netlink socket that receives some group of messages; such a socket has its number. */
function isSubscribed(pid: number): boolean {
  return readFileSync(`/proc/${pid}/net/netlink`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, , portId, groups = '']) => Number(portId) === pid && Number.parseInt(groups, 16) !== 0)
}
