/**
 * Runs tests of the laboratory against the kernel's own WireGuard, and with netem, which the running kernel may lack: in
 * Debian's cloud kernel, on an emulated machine.
 *
 *     npm run test:kernel                     those of TEST_FILES
 *     npm run test:kernel -- lab/restore      files of the laboratory, by their path below test/, without `.test.ts`
 *
 * Each file has a machine of its own. Each test that ends in it is one here; where one fails, its console is shown.
 */

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Scope } from '../lab/scope.js'
import { ensurePackages, KERNEL_TEST_PACKAGES } from '../packages.js'
import { REPOSITORY } from '../repository.js'
import { fetchDebianKernel } from './debianKernel.js'
import { buildInitramfs } from './initramfs.js'
import { type MachineOptions, runMachine } from './machine.js'
import { ResultCollector } from './resultCollector.js'
import { parseResultLine } from './resultLines.js'

/** By their path below dist/test. */
const TEST_FILES = ['kernel/tunnel']
/** The consoles are kept here after the run. */
const CONSOLES = join(REPOSITORY, 'build', 'kernel', 'consoles')
/** Of this machine's clock. A run of TEST_FILES takes more than two minutes, and longer where others use the processors too. */
const DEADLINE_MS = 1_800_000

try {
  await main(process.argv.slice(2).map((path) => `${path}.test`))
} catch (error) {
  // Not of a test: what is needed to run them could not be had.
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}

async function main(selection: readonly string[]): Promise<void> {
  const { CI } = process.env
  const runs = await runAll(selection.length === 0 ? TEST_FILES : selection)
  // Node's runner waits for all that are declared.
  for (const { file, results, console, failure } of runs)
    void test(`${file}, in the machine`, async (t) => {
      for (const { name, failure, isSkipped } of results.tests)
        await t.test(name, (each) => {
          if (failure !== undefined) throw new Error(failure)
          if (isSkipped && CI === 'true') throw new Error('skipped tests are failures where CI=true')
          if (isSkipped) each.skip()
        })
      const isWell = failure === undefined && results.exitCode === 0
      if (!isWell && existsSync(console))
        process.stdout.write(`The console of the machine for ${file}:\n${readFileSync(console, 'utf8')}\n`)
      assert.equal(failure, undefined)
      assert.equal(results.exitCode, 0, 'how the file ended')
      assert.notEqual(results.tests.length, 0, 'there is no test in it')
    })
}

/** What became of a file. */
interface FileRun {
  readonly file: string
  readonly results: ResultCollector
  /** Where the machine's console was written. */
  readonly console: string
  /** Why the machine did not run to its end. */
  readonly failure: unknown
}

/** Gives each file a machine, as many at a time as this machine has processors. */
async function runAll(files: readonly string[]): Promise<readonly FileRun[]> {
  if (process.arch !== 'x64')
    throw new Error(`the machine is x86-64, and runs no programs of ${process.arch}`)
  ensurePackages(KERNEL_TEST_PACKAGES)
  const kernel = await fetchDebianKernel(say)
  // Its directory goes at the end, also by a signal; after SIGKILL the next run or laboratory removes it.
  const scope = new Scope()
  try {
    say(`Linux ${kernel.release}: packing what the machine boots into`)
    const initramfs = await buildInitramfs(join(scope.directory, 'initramfs'), kernel)
    mkdirSync(CONSOLES, { recursive: true })
    const waiting = [...files]
    const runs: FileRun[] = []
    const worker = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift())
        runs.push(await runFile(file, { kernel: kernel.image, initramfs }, scope.directory))
    }
    await Promise.all(Array.from({ length: availableParallelism() }, worker))
    return runs
  } finally {
    await scope.close()
  }
}

async function runFile(
  file: string,
  boot: Pick<MachineOptions, 'kernel' | 'initramfs'>,
  directory: string,
): Promise<FileRun> {
  const name = file.replaceAll('/', '-')
  const console = join(CONSOLES, `${name}.log`)
  const results = new ResultCollector()
  say(`${file}: runs in a machine; its console is ${console}`)
  let failure: unknown
  try {
    await runMachine({
      ...boot,
      console,
      results: join(directory, `${name}.results`),
      arguments: `test=${file}`,
      deadlineMs: DEADLINE_MS,
      onLine: (line) => {
        const result = parseResultLine(line)
        if (result === undefined) return
        if (result.kind === 'note') say(`${file}: ${result.note}`)
        else results.take(result)
        if (result.kind === 'test')
          say(
            `${file}: ${result.failure !== undefined ? 'failed' : result.isSkipped ? 'skipped' : 'passed'}: ${result.name}`,
          )
      },
    })
  } catch (error) {
    failure = error
  }
  say(`${file}: its machine has ended`)
  return { file, results, console, failure }
}

/** Progress: on stderr, with the seconds since the start. */
function say(line: string): void {
  process.stderr.write(`[${process.uptime().toFixed(0).padStart(4)} s] ${line}\n`)
}
