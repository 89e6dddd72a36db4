/** `tunnelbore doctor`: what this machine and this network allow, each line with what mends it. */

import { causeOf } from '../base/userError.js'
import { askStatus, NotRunningError } from '../daemon/controlClient.js'
import { type Diagnosis, finding } from '../daemon/finding.js'
import { diagnoseMachine, type MachineFacts } from '../daemon/machineDiagnosis.js'
import { diagnoseNode } from '../daemon/nodeDiagnosis.js'
import { controlSocketPath, listNodes } from '../daemon/runDirectory.js'
import type { Status } from '../daemon/status.js'
import { paintFor } from './colours.js'
import { renderDiagnosis } from './doctorTable.js'

export interface DoctorOptions {
  readonly runDir: string
  readonly json: boolean
}

/** What the nodes that run here say; or why one does not. */
export type NodeAnswers = readonly { readonly node: string; readonly status: Status | string }[]

/** Prints what it finds; false where anything has to be mended. */
export async function printDiagnosis({ runDir, json }: DoctorOptions): Promise<boolean> {
  const { machineFacts } = await import('../daemon/machineFacts.js')
  const [facts, nodes] = await Promise.all([machineFacts(), answers(runDir)])
  const found = diagnose(facts, nodes)
  process.stdout.write(
    json ? `${JSON.stringify(found, undefined, 2)}\n` : renderDiagnosis(found, paintFor(process.stdout)),
  )
  return found.ok
}

export function diagnose(facts: MachineFacts, answered: NodeAnswers): Diagnosis {
  const machine = diagnoseMachine(facts)
  const nodes = answered.map(({ node, status }) => ({
    node,
    findings:
      typeof status === 'string'
        ? [finding('failure', 'node', status, 'see its log, or restart it')]
        : diagnoseNode(status),
  }))
  const all = [...machine, ...nodes.flatMap(({ findings }) => findings)]
  return { ok: all.every(({ severity }) => severity !== 'failure'), machine, nodes }
}

async function answers(runDir: string): Promise<NodeAnswers> {
  const names = await listNodes(runDir)
  const all = await Promise.all(
    names.map(async (node) => {
      try {
        return [{ node, status: await askStatus(controlSocketPath(runDir, node)) }]
      } catch (error) {
        // One that was killed leaves its socket behind.
        return error instanceof NotRunningError ? [] : [{ node, status: causeOf(error) }]
      }
    }),
  )
  return all.flat()
}
