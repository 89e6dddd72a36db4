/** Of what machines a fleet consists, and who is whose peer. */

import type { Draws } from '../network/draws.js'
import { type Access, Machine } from './machine.js'
import { PLACES } from './sortedIds.js'

export interface PopulationSetting {
  /** How many machines are there at a time, on average. */
  readonly nodes: number
  /** The share of time for which each is there. */
  readonly availability: number
  /** Nodes that everybody is told of, and which are there all the time; they come on top of `nodes`. */
  readonly bootstrap: number
  /** The share that others can reach, and which therefore serves. */
  readonly serving: number
  /** Of the others, the share behind gateways that map each destination to another port. */
  readonly symmetric: number
  /** Of the others, the share whose networks let no UDP out. */
  readonly withoutUdp: number
  /** How many WireGuard peers each machine has, on average. */
  readonly peers: number
}

/** All machines there will ever be, the bootstrap nodes first. Each is a peer of those that are its peers. */
export function populate(setting: PopulationSetting, draws: Draws): readonly Machine[] {
  const count = Math.max(2, Math.round(setting.nodes / setting.availability))
  const ids = new Set<number>()
  while (ids.size < setting.bootstrap + count) ids.add(draws.below(PLACES))
  const machines = [...ids].map((id, index) => {
    const isBootstrap = index < setting.bootstrap
    const access = isBootstrap ? 'open' : accessOf(setting, draws)
    return new Machine(index, id, access, isBootstrap, index % 2 === 0 ? 0 : 1)
  })
  befriend(machines.slice(setting.bootstrap), setting.peers, draws)
  return machines
}

function accessOf({ serving, symmetric, withoutUdp }: PopulationSetting, draws: Draws): Access {
  if (draws.share() < serving) return 'open'
  const kind = draws.share()
  if (kind < withoutUdp) return 'no-udp'
  return kind < withoutUdp + symmetric ? 'symmetric' : 'punchable'
}

/** Random pairs, until there are as many as it takes. */
function befriend(machines: readonly Machine[], peers: number, draws: Draws): void {
  const lists = machines.map((): Machine[] => [])
  const pairs = Math.min((machines.length * peers) / 2, (machines.length * (machines.length - 1)) / 4)
  for (let made = 0; made < pairs; ) {
    const [a, b] = [draws.below(machines.length), draws.below(machines.length)]
    const [one, other] = [machines[a], machines[b]]
    if (one === undefined || other === undefined || a === b || lists[a]?.includes(other) === true) continue
    lists[a]?.push(other)
    lists[b]?.push(one)
    made += 1
  }
  for (const [index, machine] of machines.entries()) machine.peers = lists[index] ?? []
}
