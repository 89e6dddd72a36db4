/**
 * Runs tests of the laboratory against the kernel's own WireGuard, and with netem, which the running kernel may lack: in
 * Debian's cloud kernel, on an emulated machine.
 *
 *     npm run test:kernel                     those of TEST_FILES
 *     npm run test:kernel -- lab/restore      others, by their path below test/, without `.test.ts`
 *
 * Each test that ends in the machine is one here. Where one fails, the machine's console is shown.
 */

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensurePackages, KERNEL_TEST_PACKAGES } from '../packages.js'
import { REPOSITORY } from '../repository.js'
import { fetchDebianKernel } from './debianKernel.js'
import { buildInitramfs } from './initramfs.js'
import { runMachine } from './machine.js'
import { ResultCollector } from './resultCollector.js'
import { type FileEnd, parseResultLine, type TestResult } from './resultLines.js'

/** By their path below dist/test. */
const TEST_FILES = ['kernel/tunnel', 'lab/restore.test']
/** Kept after the run. */
const CONSOLE = join(REPOSITORY, 'build', 'kernel', 'console.log')
/** Of this machine's clock. It takes about two minutes, and longer where others use the processor too. */
const DEADLINE_MS = 1_800_000

await main(process.argv.slice(2).map((path) => `${path}.test`))

async function main(selection: readonly string[]): Promise<void> {
  const { CI } = process.env
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  const files = selection.length === 0 ? TEST_FILES : selection
  const results = new ResultCollector()
  let failure: unknown
  try {
    await bootAndRun(files, results)
  } catch (error) {
    failure = error
  }
  if (existsSync(CONSOLE) && (failure !== undefined || results.files.some(({ exitCode }) => exitCode !== 0)))
    process.stdout.write(`The machine's console:\n${readFileSync(CONSOLE, 'utf8')}\n`)
  // Node's runner waits for all that are declared.
  for (const file of files)
    void test(`${file}, in the machine`, async (t) => {
      const found = results.files.find((each) => each.file === file)
      assert.ok(found, 'it did not run to its end')
      const { tests, exitCode } = found
      for (const { name, failure, isSkipped } of tests)
        await t.test(name, (each) => {
          if (failure !== undefined) throw new Error(failure)
          if (isSkipped && CI === 'true') throw new Error('skipped tests are failures where CI=true')
          if (isSkipped) each.skip()
        })
      assert.equal(exitCode, 0, 'how the file ended')
      assert.notEqual(tests.length, 0, 'there is no test in it')
    })
  void test('the machine boots, and ends when all is done', () => {
    if (failure !== undefined) throw failure
  })
}

async function bootAndRun(files: readonly string[], results: ResultCollector): Promise<void> {
  ensurePackages(KERNEL_TEST_PACKAGES)
  const kernel = await fetchDebianKernel(say)
  const directory = mkdtempSync(join(tmpdir(), 'tunnelbore-kernel-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    say(`Linux ${kernel.release}: packing what the machine boots into`)
    const initramfs = await buildInitramfs(directory, kernel)
    say(`running ${files.join(', ')} in it; its console is ${CONSOLE}`)
    await runMachine({
      kernel: kernel.image,
      initramfs,
      console: CONSOLE,
      results: join(directory, 'results'),
      arguments: `tests=${files.join(',')}`,
      deadlineMs: DEADLINE_MS,
      onLine: (line) => {
        const result = parseResultLine(line)
        if (result === undefined) return
        results.take(result)
        say(progressLine(result))
      },
    })
    say('the machine has ended')
  } finally {
    remove()
    process.off('exit', remove)
  }
}

function progressLine(result: TestResult | FileEnd): string {
  if (result.kind === 'file') return `${result.file}: exit code ${result.exitCode}`
  const verdict = result.failure === undefined ? 'passed' : 'failed'
  return `${'  '.repeat(result.nesting + 1)}${verdict}: ${result.name}`
}

/** Progress: on stderr, with the seconds since the start. */
function say(line: string): void {
  process.stderr.write(`[${process.uptime().toFixed(0).padStart(4)} s] ${line}\n`)
}
