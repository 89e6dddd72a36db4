/**
 * The benchmark, in a laboratory on this machine:
 *
 *     npm run bench                           all parts
 *     npm run bench -- throughput             one part or several, by name
 *     npm run bench -- mesh                   all parts whose names begin so
 *     npm run bench -- --json bench.json      the same figures in a file as well
 */

import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { causeOf, UserError } from '../../src/base/userError.js'
import { Progress } from '../lab/progress.js'
import { ensurePackages } from '../packages.js'
import { benchFirstPing } from './firstPing.js'
import { benchFlood } from './flood.js'
import { benchIdle } from './idle.js'
import { describeMachine } from './machine.js'
import { benchMatrix } from './matrix.js'
import { benchMemberRelay } from './memberRelay.js'
import { benchMeshChurn } from './meshChurn.js'
import { benchMeshDead } from './meshDead.js'
import { benchMeshGossip } from './meshGossip.js'
import { benchMeshIdle } from './meshIdle.js'
import { benchMeshKnock } from './meshKnock.js'
import { benchMeshLookUp } from './meshLookUp.js'
import { benchPrimitives } from './primitives.js'
import { type Finding, renderFinding } from './report.js'
import { benchRoaming } from './roaming.js'
import { benchThroughput } from './throughput.js'
import { benchWakeUps } from './wakeUps.js'

/** Yields what it found as soon as it knows. */
type Part = (progress: Progress) => AsyncGenerator<Finding>

const PARTS: ReadonlyMap<string, Part> = new Map([
  ['primitives', benchPrimitives],
  ['wake-ups', benchWakeUps],
  ['throughput', benchThroughput],
  ['first-ping', benchFirstPing],
  ['matrix', benchMatrix],
  ['member-relay', benchMemberRelay],
  ['roaming', benchRoaming],
  ['idle', benchIdle],
  ['flood', benchFlood],
  ['mesh-look-up', benchMeshLookUp],
  ['mesh-dead', benchMeshDead],
  ['mesh-knock', benchMeshKnock],
  ['mesh-gossip', benchMeshGossip],
  ['mesh-idle', benchMeshIdle],
  ['mesh-churn', benchMeshChurn],
])

/** Reads the arguments: which parts, and the file for JSON. Throws a UserError where they are wrong. */
function readArguments(): { parts: readonly Part[]; jsonFile: string | undefined } {
  const names = [...PARTS.keys()].join(', ')
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'string' } },
    })
    const parts = positionals.flatMap((name) => {
      const exact = PARTS.get(name)
      if (exact !== undefined) return [exact]
      const begun = [...PARTS].filter(([other]) => other.startsWith(`${name}-`)).map(([, part]) => part)
      if (begun.length === 0) throw new Error(`no part is called ${name}`)
      return begun
    })
    return { parts: parts.length === 0 ? [...PARTS.values()] : parts, jsonFile: values.json }
  } catch (error) {
    throw new UserError(`${causeOf(error)}; usage: npm run bench -- [--json <file>] [${names}]`, 2)
  }
}

async function main(): Promise<void> {
  const { parts, jsonFile } = readArguments()
  ensurePackages()
  const findings: Finding[] = []
  const show = (finding: Finding): void => {
    findings.push(finding)
    process.stdout.write(`\n${renderFinding(finding)}\n`)
  }
  show(describeMachine())
  const progress = new Progress()
  for (const part of parts) for await (const finding of part(progress)) show(finding)
  if (jsonFile !== undefined) await writeFile(jsonFile, `${JSON.stringify(findings, null, 2)}\n`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : 1
}
