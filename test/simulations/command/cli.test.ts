import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SCENARIOS } from '../../../simulations/scenarios/all.js'
import { until } from '../../until.js'

const CLI = fileURLToPath(new URL('../../../simulations/cli.js', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'sim-'))
after(() => rmSync(directory, { recursive: true }))

describe('npm run sim', () => {
  it('lists every scenario', async () => {
    const { code, stdout } = await sim(['--help'])
    assert.equal(code, 0)
    for (const { name, summary } of SCENARIOS) assert.ok(stdout.includes(`  ${name}\n    ${summary}\n`), name)
  })

  it('ends with 2 and one line where it is used wrongly', async () => {
    for (const argv of [[], ['nowhere'], ['roaming', '--nodes', '1'], ['nat-matrix', '--nodes', '4']]) {
      const { code, stdout, stderr } = await sim(argv)
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
      assert.match(stderr, /^sim: [^\n]+\n$/)
    }
  })

  it('plays a scenario, the same to the byte each time, and draws a connection', async () => {
    const sequence = join(directory, 'guessing.md')
    const runs = await Promise.all([
      sim(['guessing', '--seed', '4', '--tries', '2', '--json', '--sequence', sequence]),
      sim(['guessing', '--seed', '4', '--tries', '2', '--json']),
    ])
    const [{ code, stdout }, again] = runs
    assert.equal(code, 0)
    assert.equal(stdout, again.stdout)
    const { scenario, seed, complete, held, tables } = JSON.parse(stdout)
    assert.deepEqual(
      { scenario, seed, complete, held },
      { scenario: 'guessing', seed: 4, complete: true, held: true },
    )
    assert.equal(tables.pairs.length, 2)
    const page = readFileSync(sequence, 'utf8')
    assert.match(page, /participant gatewayA as/)
    assert.match(page, /participant gatewayB as/)
    assert.match(page, /the packet is answered/)
  })

  it('ends at Ctrl-C with what was measured so far', async () => {
    // It is made just before the run begins.
    const sequence = join(directory, 'interrupted.md')
    const { code, stdout } = await sim(
      ['roaming', '--nodes', '200', '--hours', '168', '--json', '--sequence', sequence],
      async (interrupt) => {
        await until('the run to begin', () => existsSync(sequence))
        interrupt()
      },
    )
    assert.equal(code, 130)
    const { complete, incomplete, held, simulatedMs, measurements } = JSON.parse(stdout)
    assert.deepEqual(
      { complete, incomplete, held },
      { complete: false, incomplete: 'interrupted', held: null },
    )
    assert.ok(simulatedMs > 0)
    assert.ok('pings' in measurements)
  })
})

async function sim(argv: readonly string[], meanwhile?: (interrupt: () => void) => Promise<void>) {
  const child = spawn(process.execPath, [CLI, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
    meanwhile?.(() => child.kill('SIGINT')),
  ])
  return { code, stdout, stderr }
}
