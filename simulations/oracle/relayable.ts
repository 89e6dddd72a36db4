/**
 * Whether two hosts can talk through a member relay on the internet that has both families: each must get UDP there, and
 * what comes back, by a family of its own; or TCP, over which a stream stands in for UDP. What filters and mappings are in
 * between plays no part, since each asks first.
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

/** The same terrain for TCP that is dialled outwards, which no gateway keeps back (RFC 5382 REQ-1). */
export function overTcp(terrain: Terrain): Terrain {
  return {
    get sites() {
      return terrain.sites
    },
    isUp: (site) => terrain.isUp(site),
    passesUdp: () => true,
    sideOf: (site) => terrain.sideOf(site),
  }
}

/** Whether hosts at these sites can meet at a relay, if there is one that they both know. */
export function canBeRelayed(terrain: Terrain, a: readonly number[], b: readonly number[]): boolean {
  return [a, b].every((sites) => familiesToRelays(overTcp(terrain), sites).length > 0)
}

/** Whether both reach relays over UDP. */
export function needNoStream(terrain: Terrain, a: readonly number[], b: readonly number[]): boolean {
  return [a, b].every((sites) => familiesToRelays(terrain, sites).length > 0)
}
