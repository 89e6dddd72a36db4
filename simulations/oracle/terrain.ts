/** The networks between hosts, as the oracle sees them: plain specs, and the switches that faults turn. */

import type { SiteSpec } from '../topology.js'

export type Family = 4 | 6

/** The sites, and what faults have made of them. */
export interface Terrain {
  readonly sites: readonly SiteSpec[]
  /** False where the link to the outside is cut. */
  isUp(site: number): boolean
  /** False where UDP neither leaves nor enters. */
  passesUdp(site: number): boolean
  /** Sites on different sides of a partition hear nothing of each other. */
  sideOf(site: number): number
}

/** Where a site is that is behind no other. */
export const INTERNET = -1

export function hasFamily(spec: SiteSpec, family: Family): boolean {
  return family === 6 ? spec.ipv6 !== 'none' : spec.ipv4
}
