/** An internet, sites and hosts that do nothing but send and note what they receive. */

import type { Datagram } from '../../../simulations/network/datagram.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Internet, type InternetOptions } from '../../../simulations/network/internet.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { Place } from '../../../simulations/network/place.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'

/** From a host to the middle of the internet, where the site's network is left out. */
export const LINK_MS = 10

/** Public hosts with both families, 10 ms from the middle. */
export const OPEN: SiteSpec = {
  region: 'europe',
  behind: undefined,
  link: perfectLink(LINK_MS),
  ipv4: true,
  nat: undefined,
  ipv6: 'open',
  firewall: false,
  udp: true,
  broken: 'none',
  isolated: false,
  portMapping: 'none',
}

/** A home: a port-restricted NAT, no IPv6. */
export const HOME: SiteSpec = { ...OPEN, nat: NAT_KINDS['port-restricted'], ipv6: 'none' }

export interface Received {
  readonly at: number
  readonly datagram: Datagram
}

export class Probe {
  readonly name: string
  readonly place: Place
  readonly received: Received[] = []

  constructor(name: string, place: Place, queue: EventQueue) {
    this.name = name
    this.place = place
    place.attach(name, (datagram) => this.received.push({ at: queue.elapsed, datagram }))
  }

  /** One of its addresses, of a family. */
  at(port: number, family: 4 | 6 = 4): SocketAddress {
    const ip = this.place.ips.find((one) => one.includes(':') === (family === 6))
    if (ip === undefined) throw new Error(`${this.name} has no address of IPv${family}`)
    return { ip, port }
  }

  send(from: SocketAddress, to: SocketAddress, length = 0): void {
    this.place.send({ from, to, bytes: new Uint8Array(length), author: this.name })
  }

  /** Where from, and where to, everything came that it received; oldest first. */
  get heard(): readonly SocketAddress[] {
    return this.received.map(({ datagram: { from } }) => from)
  }
}

export class SmallInternet {
  readonly queue = new EventQueue(1_000, 0)
  readonly internet: Internet

  /** All regions are where they are by default at the same place. */
  constructor(sites: readonly SiteSpec[], options: InternetOptions = { delayBetween: () => 0 }, seed = 1) {
    this.internet = new Internet(this.queue, seededRandom(seed), sites, options)
  }

  site(index: number) {
    const site = this.internet.sites[index]
    if (site === undefined) throw new Error(`there is no site ${index}`)
    return site
  }

  /** A host in a site. */
  probe(site: number, name = `host in ${site}`): Probe {
    return new Probe(name, this.site(site).place(), this.queue)
  }

  /** A public host of no site. */
  server(name = 'server'): Probe {
    return new Probe(name, this.internet.publicPlace('europe', perfectLink(LINK_MS)), this.queue)
  }

  /** Sends, lets a second pass, and gives what the other received of it. */
  passes(from: Probe, source: SocketAddress, to: Probe, destination: SocketAddress): readonly Received[] {
    const before = to.received.length
    from.send(source, destination)
    this.queue.run(1_000)
    return to.received.slice(before)
  }

  /** As whom `from` is seen by `to`; undefined where nothing arrives. */
  seen(from: Probe, source: SocketAddress, to: Probe, destination: SocketAddress): SocketAddress | undefined {
    return this.passes(from, source, to, destination)[0]?.datagram.from
  }
}
