#!/usr/bin/env node
/** `npm run sim:search`: looks for cases in which the engine breaks a promise, and makes them small. */

import { readFile, writeFile } from 'node:fs/promises'
import { causeOf, UserError } from '../src/base/userError.js'
import { formatCase, parseCase } from './search/caseFile.js'
import { describeCase } from './search/caseText.js'
import { describeViolation, type Findings, renderJson, renderText } from './search/findings.js'
import { MAX_SEED, readOrder, type SearchOrder } from './search/order.js'
import { runOne, type SearchOptions, search } from './search/search.js'
import { SearchProgress } from './search/searchProgress.js'

/** Runs that the shrinking of one case takes at most. */
const SHRINK_RUNS = 1_500

const INTERRUPTED = 130

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  process.stderr.write(`sim:search: ${error.message}\n`)
  process.exitCode = error.exitCode
}

async function main(): Promise<number> {
  const order = readOrder(process.argv.slice(2), (text) => process.stdout.write(text))
  if (order === undefined) return 0
  const { quarry } = order
  if (quarry.type === 'case') return await runFile(quarry.file, order)
  const begunAt = performance.now()
  const from = quarry.type === 'seeds' ? quarry.from : Math.floor(Math.random() * (MAX_SEED / 2))
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  // Not once: from a terminal, and from npm, the same wish may come twice.
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const enough =
    quarry.type === 'minutes' ? AbortSignal.timeout(Math.round(quarry.minutes * 60_000)) : undefined
  const progress = new SearchProgress({
    seeds: quarry.type === 'seeds' ? quarry.to - quarry.from + 1 : undefined,
    ms: quarry.type === 'minutes' ? quarry.minutes * 60_000 : undefined,
    terminal: process.stderr,
    clock: () => performance.now(),
  })
  const options: SearchOptions = {
    from,
    to: quarry.type === 'seeds' ? quarry.to : undefined,
    workers: order.workers,
    cryptography: order.cryptography,
    shrinkRuns: SHRINK_RUNS,
    ...(enough === undefined ? {} : { enough }),
    interrupted: interrupted.signal,
    onFound: ({ seed, violation }) => progress.say(`seed ${seed}: ${describeViolation(violation)}`),
    onProgress: (soFar) => progress.show(soFar),
  }
  const outcome = await search(options)
  progress.end()
  const seconds = (performance.now() - begunAt) / 1_000
  const findings: Findings = { ...outcome, cryptography: order.cryptography, seconds }
  process.stdout.write(order.json ? renderJson(findings) : renderText(findings))
  const [smallest] = outcome.smallest
  if (order.write !== undefined && smallest !== undefined) await write(order.write, formatCase(smallest.case))
  if (outcome.found.length > 0) return 1
  return outcome.complete ? 0 : INTERRUPTED
}

async function runFile(file: string, { cryptography, json }: SearchOrder): Promise<number> {
  const whole = parseCase(await read(file))
  if (whole === undefined) throw new UserError(`${file} holds no case as --write makes them`, 2)
  const violation = await runOne(whole, cryptography)
  if (json) process.stdout.write(`${JSON.stringify({ violation: violation ?? null }, undefined, 2)}\n`)
  else {
    const outcome = violation === undefined ? 'no violation' : describeViolation(violation)
    process.stdout.write(`${[...describeCase(whole), outcome].join('\n')}\n`)
  }
  return violation === undefined ? 0 : 1
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${causeOf(error)}`, 2)
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new UserError(`cannot write ${file}: ${causeOf(error)}`)
  }
}
