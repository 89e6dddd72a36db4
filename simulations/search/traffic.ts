/** The pings of a case. */

import type { Machine } from '../hosts/machine.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Case, Traffic } from './case.js'

/** A host that sleeps pings nobody, and does not make up for it. */
export function startTraffic(whole: Case, machines: readonly Machine[], queue: EventQueue): void {
  for (const traffic of whole.traffic) {
    const [from, to] = endsOf(traffic, whole, machines)
    if (from !== undefined && to !== undefined) repeat(traffic, from, to, queue)
  }
}

function endsOf(
  { pair, forwards }: Traffic,
  { topology }: Case,
  machines: readonly Machine[],
): readonly [Machine | undefined, Machine | undefined] {
  const [a, b] = topology.pairs[pair] ?? []
  const first = a === undefined ? undefined : machines[a]
  const second = b === undefined ? undefined : machines[b]
  return forwards ? [first, second] : [second, first]
}

function repeat({ everyMs, fromMs, forMs }: Traffic, from: Machine, to: Machine, queue: EventQueue): void {
  const until = fromMs + forMs
  const ping = (): void => {
    if (!from.clock.asleep) from.ping(to.publicKey)
    if (queue.elapsed + everyMs < until) queue.in(everyMs, ping)
  }
  queue.in(fromMs, ping)
}
