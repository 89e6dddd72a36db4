/**
 * Whether two hosts can talk through a member relay on the internet that has both families: each must get UDP there, and
 * what comes back, by a family of its own. What filters and mappings are in between plays no part, since each asks first.
 */

import { Crossing } from './crossing.js'
import type { Family, Terrain } from './terrain.js'

const FAMILIES: readonly Family[] = [4, 6]

/** The families by which a host at these sites, the first of which carries its default route, exchanges UDP with the internet. */
export function familiesToRelays(terrain: Terrain, sites: readonly number[]): readonly Family[] {
  return FAMILIES.filter((family) => {
    const crossing = new Crossing(terrain, family, undefined)
    return crossing.socketsOf(0, sites).some((socket) => crossing.seenByReflector(socket) !== undefined)
  })
}

/** Whether hosts at these sites can meet at a relay, if there is one that they both know. */
export function canBeRelayed(terrain: Terrain, a: readonly number[], b: readonly number[]): boolean {
  return [a, b].every((sites) => familiesToRelays(terrain, sites).length > 0)
}
