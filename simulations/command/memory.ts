/** Whether a run fits into memory, told before it starts. */

import { getHeapStatistics } from 'node:v8'
import { UserError } from '../../src/base/userError.js'
import type { Parameter, Scenario, Size, Values } from '../scenario.js'

/** Bytes that a run needs, measured with the heap of runs of several sizes, and half as much again. */
const BASE_BYTES = 64 * 1024 * 1024
const HOST_BYTES = 96 * 1024
const PAIR_BYTES = 64 * 1024

/** What there is, in bytes. */
export interface Memory {
  /** What V8 lets the heap grow to. */
  readonly heapLimit: number
  /** What the machine, or the control group, has left. */
  readonly available: number
}

export function presentMemory(): Memory {
  return { heapLimit: getHeapStatistics().heap_size_limit, available: process.availableMemory() }
}

export function bytesNeeded({ hosts, pairs }: Size): number {
  return BASE_BYTES + hosts * HOST_BYTES + pairs * PAIR_BYTES
}

/** Throws a UserError for a run that is too large. It names the number of nodes that fits. */
export function ensureFits<Names extends string>(
  scenario: Scenario<Names>,
  values: Values<Names>,
  memory: Memory,
): void {
  const there = Math.min(memory.heapLimit, memory.available)
  const needed = bytesNeeded(scenario.size(values))
  if (needed <= there) return
  const mends = [
    ...fittingNodes(scenario, values, there),
    ...(memory.heapLimit < memory.available && needed <= memory.available
      ? [`NODE_OPTIONS=--max-old-space-size=${Math.ceil(needed / 2 ** 20)} lets it use more of the machine's`]
      : []),
  ]
  throw new UserError(
    [
      `${scenario.name} needs about ${mebibytes(needed)} MiB of memory and ${mebibytes(there)} MiB are there`,
      ...mends,
    ].join('; '),
    2,
  )
}

function fittingNodes<Names extends string>(
  scenario: Scenario<Names>,
  values: Values<Names>,
  there: number,
): readonly string[] {
  const parameters: Readonly<Record<string, Parameter>> = scenario.parameters
  const { nodes } = parameters
  if (nodes === undefined) return []
  const fits = (count: number): boolean => bytesNeeded(scenario.size({ ...values, nodes: count })) <= there
  if (!fits(nodes.min)) return ['not even the smallest run fits']
  let [fitting, tooMany] = [nodes.min, nodes.max + 1]
  while (tooMany - fitting > 1) {
    const middle = Math.floor((fitting + tooMany) / 2)
    if (fits(middle)) fitting = middle
    else tooMany = middle
  }
  return [`--nodes ${fitting} fits`]
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
