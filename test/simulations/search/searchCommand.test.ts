import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { caseOf } from '../../../simulations/search/arbitraries.js'
import { formatCase } from '../../../simulations/search/caseFile.js'

const COMMAND = fileURLToPath(new URL('../../../simulations/searchCommand.js', import.meta.url))

describe('sim:search', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tunnelbore-search-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('runs seeds, and says that it found nothing', () => {
    const { status, stdout } = run('--seeds', '18-19', '--workers', '1')
    assert.equal(status, 0)
    assert.match(stdout, /^2 seeds in .* a second: no violation\n/)
  })

  it('runs a case from a file, and says it in words', () => {
    const file = join(folder, 'case.json')
    writeFileSync(file, formatCase(caseOf(18)))
    const { status, stdout } = run('--case', file)
    assert.equal(status, 0)
    assert.match(stdout, /host1: at site/)
    assert.match(stdout, /\nno violation\n$/)
    assert.deepEqual(JSON.parse(run('--case', file, '--json').stdout), { violation: null })
  })

  it('writes JSON for programs', () => {
    const { complete, seeds, violations } = JSON.parse(run('--seed', '18', '--json').stdout)
    assert.deepEqual([complete, seeds, violations], [true, 1, []])
  })

  it('tells what is wrong with its arguments in one line, and exits with 2', () => {
    const broken = join(folder, 'broken.json')
    writeFileSync(broken, '{}')
    for (const argv of [[], ['--seed', 'x'], ['--case', join(folder, 'none.json')], ['--case', broken]]) {
      const { status, stdout, stderr } = run(...argv)
      assert.equal(status, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /^sim:search: [^\n]+\n$/)
    }
    assert.equal(readFileSync(broken, 'utf8'), '{}')
  })

  it('ends on Ctrl-C with what was found so far, marked incomplete', async () => {
    const child = spawn(process.execPath, [COMMAND, '--minutes', '10', '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    // The first line of progress says that seeds are being run.
    child.stderr.once('data', () => child.kill('SIGINT'))
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
    const { complete, seeds } = JSON.parse(output.join(''))
    assert.equal(complete, false)
    assert.ok(seeds >= 1)
    assert.ok(status === 130 || status === 1)
  })
})

function run(...argv: readonly string[]) {
  return spawnSync(process.execPath, [COMMAND, ...argv], { encoding: 'utf8' })
}
