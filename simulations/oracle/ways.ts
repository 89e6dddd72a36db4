/**
 * The oracle: can there be a direct path between two hosts, and must today's engine find it?
 *
 * It asks nobody but the topology and the switches that faults turn. What it says comes of the rules of RFC 4787 and of
 * what hole punching can do with them (RFC 5128 section 3.3):
 *
 * | between two gateways                          |              |
 * | --------------------------------------------- | ------------ |
 * | both map endpoint-independently               | certain      |
 * | one maps by destination, the other filters at most by address | certain |
 * | one maps by destination, the other filters by port | by guessing |
 * | both map by destination, and filter by port   | none         |
 *
 * Gateways behind gateways do all of this one after the other: the strictest mapping counts, and a filter counts as far
 * as the mappings outside of it let its own through. So none of it is looked up in a table: it is tried (trial.ts).
 */

import { DEFAULT_PUNCH_LIMITS } from '../../src/engine/path/punchLimits.js'
import { type Family, hasFamily, INTERNET, type Terrain } from './terrain.js'
import { type Attempt, type Meeting, meeting } from './trial.js'

/**
 * - `certain`: the engine of today must find it
 * - `by-guessing`: it takes luck: a port that is predicted or hit by many tries, a gateway that happens to have room
 * - `none`: there is no way at all
 */
export type WayKind = 'certain' | 'by-guessing' | 'none'

export interface Way {
  readonly kind: WayKind
  readonly reason: string
}

/**
 * What a host may take of a gateway's mappings: one a destination where it maps by destination (three reflectors, and
 * some dozens of addresses of its peers, and birthday punching twice), few where it does not (Tunnelbore's port and WireGuard's own).
 */
const MAPPINGS_PER_HOST = { byDestination: 64 + 2 * DEFAULT_PUNCH_LIMITS.sockets, otherwise: 4 } as const

const FAMILIES: readonly Family[] = [6, 4]

export class Ways {
  readonly #terrain: Terrain
  readonly #hosts: number
  readonly #known = new Map<string, Way>()

  /** `hosts`: how many there are at most behind any gateway. */
  constructor(terrain: Terrain, hosts: number) {
    this.#terrain = terrain
    this.#hosts = hosts
  }

  /** Faults have changed the terrain: what was found out before counts no more. */
  changed(): void {
    this.#known.clear()
  }

  /** Between a host at these sites and another one; the first site of each carries its default route. */
  directWay(a: readonly number[], b: readonly number[]): Way {
    const key = `${a} | ${b}`
    let way = this.#known.get(key)
    if (way === undefined) {
      way = this.#judge(a, b)
      this.#known.set(key, way)
    }
    return way
  }

  #judge(a: readonly number[], b: readonly number[]): Way {
    if (a.length === 0 || b.length === 0) return none('one of them is nowhere')
    const shared = FAMILIES.filter((family) => this.#has(a, family) && this.#has(b, family))
    if (shared.length === 0) return none('they have no address family in common')
    const attempts = shared.map(
      (family): Attempt => ({
        terrain: this.#terrain,
        family,
        sites: [a, b],
        onInternet: [this.#isOnInternet(a), this.#isOnInternet(b)],
      }),
    )
    const met = first(attempts, meeting)
    if (met !== undefined) {
      const doubt = met.family === 4 ? this.#doubt(met, a, b) : undefined
      return doubt === undefined
        ? { kind: 'certain', reason: describe(met) }
        : guess(`${describe(met)}; but ${doubt}`)
    }
    if (first(attempts, (attempt) => meeting({ ...attempt, everywhere: true })) !== undefined)
      return guess(
        'one has a private address that the other reaches, and does not take for one of its own network',
      )
    // A gateway that was restarted is asked again minutes later.
    if (first(attempts, (attempt) => meeting({ ...attempt, opened: true })) !== undefined)
      return guess('a gateway opens a port for one of them')
    const guessed = (host: number) =>
      first(attempts, (attempt) => meeting({ ...attempt, predicted: host })) !== undefined
    if (guessed(0) || guessed(1))
      return guess('one maps by destination, and the other lets in only the port that it has sent to')
    return none(this.#obstacle(a, b))
  }

  #has(sites: readonly number[], family: Family): boolean {
    return sites.some((site) => {
      const spec = this.#terrain.sites[site]
      return spec !== undefined && hasFamily(spec, family)
    })
  }

  #isOnInternet(sites: readonly number[]): boolean {
    return sites.some((site) => {
      const spec = this.#terrain.sites[site]
      return spec !== undefined && (spec.ipv6 !== 'none' || (spec.ipv4 && !this.#isTranslated(site)))
    })
  }

  #isTranslated(site: number): boolean {
    return this.#outwards(site).some((at) => this.#terrain.sites[at]?.nat !== undefined)
  }

  /** A site and those behind whose gateways it is. */
  #outwards(site: number): readonly number[] {
    const found: number[] = []
    for (let at = site; at !== INTERNET; at = this.#terrain.sites[at]?.behind ?? INTERNET) found.push(at)
    return found
  }

  /** What may make a way fail that is there. */
  #doubt(met: Meeting, a: readonly number[], b: readonly number[]): string | undefined {
    // All carriers may use 100.64.0.0/10 (RFC 6598), and a host in two such networks cannot tell them apart.
    if ([a, b].some((sites) => sites.filter((site) => this.#isCarrier(site)).length > 1))
      return 'two networks that one of them is in may use the same addresses'
    const tight = this.#tightGateway(met, [...a, ...b])
    return tight === undefined ? undefined : `the gateway of site ${tight} may have no mapping left`
  }

  #isCarrier(site: number): boolean {
    const { sites } = this.#terrain
    return sites[site]?.behind === undefined && sites.some(({ behind }) => behind === site)
  }

  /** A gateway on the way that may be out of mappings. */
  #tightGateway({ here, there }: Meeting, sites: readonly number[]): number | undefined {
    // Of two hosts in one network nothing is mapped.
    if (
      here.at === there.at &&
      here.of !== undefined &&
      'host' in here.of &&
      there.of !== undefined &&
      'host' in there.of
    )
      return undefined
    return this.#fullGateway(sites)
  }

  /** True where no gateway that these sites are behind may be out of mappings. */
  haveRoom(sites: readonly number[]): boolean {
    return this.#fullGateway(sites) === undefined
  }

  #fullGateway(sites: readonly number[]): number | undefined {
    for (const site of sites) {
      for (const at of this.#outwards(site)) {
        const nat = this.#terrain.sites[at]?.nat
        if (nat === undefined) continue
        const each =
          nat.mapping === 'endpoint-independent'
            ? MAPPINGS_PER_HOST.otherwise
            : MAPPINGS_PER_HOST.byDestination
        if (nat.maxMappings < each * this.#hosts) return at
      }
    }
    return undefined
  }

  /** Why there is no way. */
  #obstacle(a: readonly number[], b: readonly number[]): string {
    const terrain = this.#terrain
    if (!a.some((site) => b.some((other) => terrain.sideOf(site) === terrain.sideOf(other))))
      return 'they are on different sides of a partition'
    const crossed = [a[0], b[0]].flatMap((site) => (site === undefined ? [] : this.#outwards(site)))
    for (const site of crossed) {
      if (!terrain.isUp(site)) return `site ${site} is cut off`
      if (!terrain.passesUdp(site)) return `UDP does not leave site ${site}`
    }
    for (const site of crossed) {
      const { broken } = terrain.sites[site] ?? {}
      if (broken !== undefined && broken !== 'none')
        return `${broken === 'ipv4' ? 'IPv4' : 'IPv6'} goes nowhere from site ${site}`
    }
    const apart = a.find((site) => b.includes(site) && terrain.sites[site]?.isolated === true)
    if (apart !== undefined) return `both are in site ${apart}, which keeps its hosts apart`
    const [one, other] = [a, b].map((sites) => this.#gateways(sites))
    if (one === undefined || other === undefined) return 'nothing gets through'
    const common = one.find((site) => other.includes(site))
    if (common !== undefined && terrain.sites[common]?.nat?.hairpin === false)
      return `both are behind the gateway of site ${common}, which does not hairpin, and in different networks there`
    if (this.#mapsByDestination(one) && this.#mapsByDestination(other)) return 'both map by destination'
    return 'nothing gets through'
  }

  #gateways(sites: readonly number[]): readonly number[] {
    const [site] = sites
    return site === undefined
      ? []
      : this.#outwards(site).filter((at) => this.#terrain.sites[at]?.nat !== undefined)
  }

  #mapsByDestination(sites: readonly number[]): boolean {
    return sites.some((site) => this.#terrain.sites[site]?.nat?.mapping !== 'endpoint-independent')
  }
}

function describe({ family, here, there }: Meeting): string {
  const isHost = [here, there].map(({ of }) => of !== undefined && 'host' in of)
  if (!isHost.includes(false)) {
    return here.at === there.at ? `both are in site ${here.at}` : `by their own IPv${family} addresses`
  }
  return isHost.includes(true)
    ? `one is reached at its own IPv${family} address`
    : 'holes are punched from both sides'
}

function first<Item, Found>(
  items: readonly Item[],
  find: (item: Item) => Found | undefined,
): Found | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

function guess(reason: string): Way {
  return { kind: 'by-guessing', reason }
}

function none(reason: string): Way {
  return { kind: 'none', reason }
}
