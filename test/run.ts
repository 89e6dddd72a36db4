/**
 * Runs the compiled tests: first all that share the machine, as many files at a time as it has cores, then the
 * laboratory's, one file at a time, because they measure. Those of the simulator, which do nothing but compute, run
 * beside the laboratory's, in the time that those leave.
 *
 *     npm test                            everything
 *     npm test -- wire/stun lab/          the test files whose path below test/ contains one of these
 *
 * Prints what Node's spec reporter does, then the closing lines of Node's test runner for both parts together. The exit
 * code is 1 if a test failed, if none ran or a file has none, and, where CI=true, if one was skipped.
 */

import { setMaxListeners } from 'node:events'
import { readdirSync } from 'node:fs'
import { availableParallelism, constants } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { runBesides } from './besides.js'
import { ensurePackages, TEST_PACKAGES } from './packages.js'
import { COMPILED_TESTS, REPOSITORY } from './repository.js'

interface Part {
  readonly name: string
  /** Paths below test/, without `.ts`. */
  readonly files: readonly string[]
  /** Files that run at a time. */
  readonly concurrency: number
  /** After this a file is ended, and has failed. */
  readonly timeoutMs: number
  /** Files that run meanwhile, when nothing else wants the processor. */
  readonly besides: readonly string[]
}

/** What a reporter takes. */
interface TestEvent {
  readonly type: string
  readonly data: unknown
}

process.exitCode = await main(process.argv.slice(2))

async function main(selection: readonly string[]): Promise<number> {
  const files = testFiles().filter(
    (file) => selection.length === 0 || selection.some((part) => file.includes(part)),
  )
  if (files.length === 0) {
    process.stderr.write(`no test file matches ${selection.join(', ')}\n`)
    return 1
  }
  try {
    ensurePackages(TEST_PACKAGES)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return 1
  }
  const lab = files.filter((file) => file.startsWith('lab/'))
  const besides = lab.length === 0 ? [] : files.filter((file) => file.startsWith('simulations/'))
  const parts: readonly Part[] = [
    {
      name: 'unit tests',
      files: files.filter((file) => !lab.includes(file) && !besides.includes(file)),
      concurrency: availableParallelism(),
      timeoutMs: 900_000,
      besides: [],
    },
    { name: 'laboratory tests', files: lab, concurrency: 1, timeoutMs: 600_000, besides },
  ]
  return report(parts.filter((part) => part.files.length > 0))
}

/** The test files there are. The sources say so: a compiled one may have outlived its source. */
function testFiles(): readonly string[] {
  const suffix = '.test.ts'
  return readdirSync(join(REPOSITORY, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(suffix))
    .map((path) => path.slice(0, -'.ts'.length))
    .sort()
}

async function report(parts: readonly Part[]): Promise<number> {
  const closing = new Map<string, number>()
  const empty: string[] = []
  const failures: string[] = []
  const stopping = new AbortController()
  // Node's runner listens once for each file, and would warn of a leak.
  setMaxListeners(0, stopping.signal)
  let stopCode: number | undefined
  // The test processes end with this one, and with them what they made on the machine.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      stopCode = 128 + constants.signals[signal]
      stopping.abort()
    })
  const events = Readable.from(eventsOf(parts, closing, empty, failures, stopping.signal))
  await pipeline(events, new spec(), process.stdout, { end: false })
  const count = (name: string): number => closing.get(name) ?? 0
  const { CI } = process.env
  const strict = CI === 'true'
  if (strict && count('skipped') > 0) process.stdout.write('Skipped tests are failures where CI=true.\n')
  for (const file of empty) process.stdout.write(`There is no test in ${file}.\n`)
  if (failures.length > 0) closing.set('fail', Math.max(count('fail'), 1))
  for (const [name, value] of closing) process.stdout.write(`# ${name} ${Math.round(value)}\n`)
  if (stopCode !== undefined) return stopCode
  const failed = failures.length + count('cancelled') + empty.length + (strict ? count('skipped') : 0)
  return failed > 0 || count('tests') === 0 ? 1 : 0
}

/**
 * The events of all parts, but for the closing lines of each, which are added up in `closing`. Files without a test are
 * put into `empty`: Node has such a file pass as one test of its own. All that fails is put into `failures`: a suite that
 * throws before its first test is not among what Node counts.
 */
async function* eventsOf(
  parts: readonly Part[],
  closing: Map<string, number>,
  empty: string[],
  failures: string[],
  signal: AbortSignal,
): AsyncGenerator<TestEvent> {
  for (const { name, files, concurrency, timeoutMs, besides } of parts) {
    if (signal.aborted) return
    const meanwhile = besides.length === 0 ? undefined : runBesides(besides, signal)
    const beside = besides.length === 0 ? '' : `, and ${counted(besides.length, 'file')} beside them`
    const message = `${name}: ${counted(files.length, 'file')}, ${concurrency} at a time${beside}`
    yield { type: 'test:diagnostic', data: { nesting: 0, message } }
    const paths = files.map((file) => join(COMPILED_TESTS, `${file}.js`))
    const events: AsyncIterable<TestEvent> = run({ files: paths, concurrency, timeout: timeoutMs, signal })
    for await (const event of events) {
      if (event.type === 'test:fail') failures.push(nameOf(event))
      if (event.type === 'test:pass') empty.push(...paths.filter((path) => path === nameOf(event)))
      const line = closingLine(event)
      if (line === undefined) yield event
      else closing.set(line.name, (closing.get(line.name) ?? 0) + line.value)
    }
    if (meanwhile === undefined) continue
    meanwhile.show((text) => process.stdout.write(text))
    const ended = await meanwhile.ended
    if (ended.failed) failures.push(`beside the ${name}`)
    // It took no time of its own.
    for (const [line, value] of ended.closing)
      if (line !== 'duration_ms') closing.set(line, (closing.get(line) ?? 0) + value)
  }
}

/** A closing line is a diagnostic that belongs to no file: `tests 12`, `duration_ms 34.5`. */
function closingLine({
  type,
  data,
}: TestEvent): { readonly name: string; readonly value: number } | undefined {
  if (type !== 'test:diagnostic') return undefined
  const { file, message } = data as { readonly file?: string; readonly message: string }
  const [, name, value] = /^(\w+) ([\d.]+)$/.exec(message) ?? []
  if (file !== undefined || name === undefined) return undefined
  return { name, value: Number(value) }
}

function nameOf({ data }: TestEvent): string {
  return (data as { readonly name: string }).name
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
