/** What the machines of a fleet had to do: read off at the end of what is counted, and where one leaves before. */

import { HOUR, SECOND } from '../../src/base/time.js'
import { GOSSIP_BYTES, GOSSIP_COPIES } from './costs.js'
import type { Machine } from './machine.js'
import type { Network } from './network.js'
import type { Tally } from './tally.js'

export type Role = 'bootstrap' | 'serving' | 'other'

export function roleOf({ isBootstrap, serves }: Machine): Role {
  if (isBootstrap) return 'bootstrap'
  return serves ? 'serving' : 'other'
}

/** Bytes that a machine sent and received since `since`, or since it came, but for gossip; and for how long, in ms. */
function ownLoad(machine: Machine, network: Network, since: number, now: number) {
  const ms = now - Math.max(since, machine.onlineSince)
  const { sent, received } = machine.load
  return { ms, bytes: sent + received + 2 * network.pingBytes(machine, ms) }
}

/** Adds what a machine did to what all of its role did. */
export function addLoad(machine: Machine, network: Network, tally: Tally, since: number, now: number): void {
  const { ms, bytes } = ownLoad(machine, network, since, now)
  const sum = tally.traffic[roleOf(machine)]
  sum.ms += ms
  sum.bytes += bytes
}

/** Reads off what each machine did since `since`; `gossiped` is how many messages all of them heard meanwhile. */
export function readLoads(
  machines: readonly Machine[],
  network: Network,
  tally: Tally,
  since: number,
  now: number,
  gossiped: number,
): void {
  if (now <= since) return
  const online = machines.filter(({ isOnline }) => isOnline)
  for (const machine of online) {
    addLoad(machine, network, tally, since, now)
    const { ms, bytes } = ownLoad(machine, network, since, now)
    // Of one that was there for a part of the time a rate would say little.
    if (ms < now - since) continue
    const bytesASecond = (bytes + 2 * gossiped * GOSSIP_BYTES * GOSSIP_COPIES) / (ms / SECOND)
    const requestsAnHour = machine.load.requests / (ms / HOUR)
    const role = roleOf(machine)
    tally.bytesASecond[role].add(bytesASecond)
    tally.requestsAnHour[role].add(requestsAnHour)
  }
  for (const machine of online) {
    network.tidy(machine, now)
    tally.tableSizes.add(machine.table.size)
    if (!machine.serves) continue
    const role = machine.isBootstrap ? 'bootstrap' : 'serving'
    tally.connections[role].add(machine.links.size)
    tally.reservations[role].add(machine.reserved.size)
    tally.records[role].add(machine.stored.size)
  }
}
