/** The terrain of a world, as faults have made it by now. */

import type { LinkSpec, SiteSpec } from '../topology.js'
import type { Terrain } from './terrain.js'
import type { WatchedSite, WatchedWorld } from './watched.js'

export class WorldTerrain implements Terrain {
  readonly #internet: WatchedWorld['internet']
  #specs: readonly SiteSpec[] = []
  readonly #seen: (boolean | number | LinkSpec)[] = []

  constructor({ internet }: WatchedWorld) {
    this.#internet = internet
  }

  get sites(): readonly SiteSpec[] {
    if (this.#specs.length !== this.#sites.length) this.#specs = this.#sites.map(({ spec }) => spec)
    return this.#specs
  }

  isUp(site: number): boolean {
    return this.#sites[site]?.isUp ?? false
  }

  passesUdp(site: number): boolean {
    return this.#sites[site]?.passesUdp ?? false
  }

  sideOf(site: number): number {
    return this.#sites[site]?.side ?? 0
  }

  linkOf(site: number): LinkSpec | undefined {
    return this.#sites[site]?.link
  }

  get #sites(): readonly WatchedSite[] {
    return this.#internet.sites
  }

  /** True where something has changed since this was asked last. */
  hasChanged(): boolean {
    let at = 0
    let changed = false
    const look = (value: boolean | number | LinkSpec): void => {
      if (this.#seen[at] !== value) changed = true
      this.#seen[at++] = value
    }
    for (const { isUp, passesUdp, side, link } of this.#sites) {
      look(isUp)
      look(passesUdp)
      look(side)
      look(link)
    }
    return changed
  }
}
