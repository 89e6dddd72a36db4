/** Machines for tests of the model. */

import { type Access, Machine } from '../../../simulations/fleet/machine.js'
import { PLACES } from '../../../simulations/fleet/sortedIds.js'

/** Machines that are all there since the time 0, the first `serving` of which serve. */
export function startMachines(count: number, serving: number): readonly Machine[] {
  return Array.from({ length: count }, (_, index) => {
    const access: Access = index < serving ? 'open' : 'punchable'
    const machine = new Machine(index, (index * 0x9e3779b1) % PLACES, access, false, index % 2 === 0 ? 0 : 1)
    machine.isOnline = true
    machine.onlineSince = 0
    return machine
  })
}
