/**
 * Where a host is attached: its addresses, its devices, its routes.
 *
 * Each network that it is in is a device: eth0, eth1, … To the network of each of its addresses it has a route by the
 * device that has the address. The default route of a family leaves by the first place that has the family.
 */

import {
  type AddressFamily,
  familyOf,
  isGlobal,
  type Prefix,
  prefixContains,
} from '../../src/base/address.js'
import type { MachineRoute } from '../../src/engine/inputs.js'
import type { Place } from '../network/place.js'

const EVERYTHING: Readonly<Record<AddressFamily, Prefix>> = {
  4: { ip: '0.0.0.0', length: 0 },
  6: { ip: '::', length: 0 },
}

/** How the blocks are cut from which networks behind gateways take their addresses (network/addresses.ts). */
const IPV4_LENGTHS: readonly (readonly [start: string, length: number])[] = [
  ['192.168.', 24],
  ['10.', 16],
  ['100.', 16],
]
const IPV6_LENGTH = 64

export class Attachments {
  readonly #places: Place[] = []
  readonly #placeOf = new Map<string, Place>()
  readonly #devices = new Map<Place['site'], string>()

  /** In the order in which they were added. */
  get places(): readonly Place[] {
    return this.#places
  }

  /** All addresses, oldest first. */
  get ips(): readonly string[] {
    return [...this.#placeOf.keys()]
  }

  add(place: Place): void {
    this.#places.push(place)
    for (const ip of place.ips) this.#placeOf.set(ip, place)
    if (!this.#devices.has(place.site)) this.#devices.set(place.site, this.#freeDevice())
  }

  remove(place: Place): void {
    const at = this.#places.indexOf(place)
    if (at < 0) return
    this.#places.splice(at, 1)
    for (const ip of place.ips) this.#placeOf.delete(ip)
    if (!this.#places.some(({ site }) => site === place.site)) this.#devices.delete(place.site)
  }

  /** The place that has an address. */
  placeOf(ip: string): Place | undefined {
    return this.#placeOf.get(ip)
  }

  /** The device that has an address. */
  deviceOf(ip: string): string | undefined {
    const place = this.#placeOf.get(ip)
    return place === undefined ? undefined : this.#devices.get(place.site)
  }

  /** The main routing tables of both families. */
  get routes(): readonly MachineRoute[] {
    const routes: MachineRoute[] = []
    for (const family of [4, 6] as const) {
      const place = this.#defaultPlace(family)
      if (place === undefined) continue
      const gateway = family === 4 ? place.gateway?.ip : undefined
      const route = this.#routeBy(place, EVERYTHING[family])
      routes.push(gateway === undefined ? route : { ...route, gateway })
    }
    for (const place of this.#places) {
      for (const ip of place.ips) {
        const network = networkOf(ip)
        if (network !== undefined) routes.push(this.#routeBy(place, network))
      }
    }
    return routes
  }

  /** The address from which `ip` is spoken to by a socket that is bound to none. */
  sourceFor(ip: string): string | undefined {
    const family = familyOf(ip)
    for (const own of this.#placeOf.keys()) {
      const network = networkOf(own)
      if (network !== undefined && prefixContains(network, ip)) return own
    }
    return this.#defaultPlace(family)?.ips.find((own) => familyOf(own) === family)
  }

  #defaultPlace(family: AddressFamily): Place | undefined {
    return this.#places.find(({ ips }) => ips.some((ip) => familyOf(ip) === family))
  }

  #routeBy(place: Place, prefix: Prefix): MachineRoute {
    return { prefix, device: this.#devices.get(place.site), tunnel: false }
  }

  #freeDevice(): string {
    const taken = new Set(this.#devices.values())
    for (let number = 0; ; number++) if (!taken.has(`eth${number}`)) return `eth${number}`
  }
}

/** The network that an address is in; undefined where there is nothing but the way to the internet. */
function networkOf(ip: string): Prefix | undefined {
  if (familyOf(ip) === 6) return { ip, length: IPV6_LENGTH }
  if (isGlobal(ip)) return undefined
  const length = IPV4_LENGTHS.find(([start]) => ip.startsWith(start))?.[1]
  return length === undefined ? undefined : { ip, length }
}
