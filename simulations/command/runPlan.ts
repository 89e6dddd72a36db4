/** `npm run sim -- plan`: plays fleets, and says what a fleet like them should expect. */

import Table from 'cli-table3'
import { MINUTE } from '../../src/base/time.js'
import { DEFAULT_GOSSIP_LIMIT } from '../../src/io/mesh/fleetSize.js'
import { makePlan, type Plan, sizesFor, type Wish } from '../fleet/plan.js'
import { DEFAULT_AVAILABILITY } from '../fleet/sessions.js'
import type { Outcome } from '../report/document.js'
import { churn } from '../scenarios/churn.js'
import { live } from './lives.js'
import type { PlanOrder } from './planArguments.js'
import type { Surroundings, Verdict } from './runOrder.js'

const HOURS = 1
const MAX_GOSSIP_LIMIT = churn.parameters['gossip-limit'].max

export async function runPlan({ wish, seed, json }: PlanOrder, surroundings: Surroundings): Promise<Verdict> {
  const outcomes: Outcome[] = []
  // The smaller fleets that are played do what the large one would.
  const gossipLimit = gossips(wish.nodes) ? MAX_GOSSIP_LIMIT : 0
  for (const nodes of sizesFor(wish.nodes)) {
    const habits = {
      nodes,
      hours: HOURS,
      'gossip-limit': gossipLimit,
      'median-session': Math.max(1, Math.round(wish.medianSessionMs / MINUTE)),
      serving: Math.max(1, Math.round(100 * wish.relayShare)),
    }
    const { outcome } = await live(habits, seed, surroundings)
    if (!outcome.complete) return 'interrupted'
    outcomes.push(outcome)
  }
  const plan = makePlan(wish, outcomes)
  surroundings.write(
    json ? `${JSON.stringify({ ...wish, seed, ...plan }, undefined, 2)}\n` : planText(wish, plan),
  )
  return 'held'
}

/** Whether a fleet of this size gossips: all count that are there at some time of a day. */
function gossips(nodes: number): boolean {
  return nodes / DEFAULT_AVAILABILITY <= DEFAULT_GOSSIP_LIMIT
}

function planText({ nodes, medianSessionMs, relayShare }: Wish, plan: Plan): string {
  const table = new Table({
    head: ['what to expect', 'unit', 'value', 'N machines: from'],
    colAligns: ['left', 'left', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  })
  for (const { what, unit, value, basis } of plan.expected) table.push([what, unit, shown(value), basis])
  return [
    `${nodes} machines at a time, half of the sessions over after ${Math.round(medianSessionMs / MINUTE)} min, ${100 * relayShare} % reachable`,
    table.toString(),
    `bootstrap nodes: ${plan.bootstrapNodes}`,
    `relays: ${plan.relays} at least`,
    ...plan.advice.map((line) => `  ${line}`),
    '',
  ].join('\n')
}

function shown(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (Number.isInteger(value) || value > 100) return value.toFixed(0)
  return value.toFixed(value > 99 ? 2 : 1)
}
