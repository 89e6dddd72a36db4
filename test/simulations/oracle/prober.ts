/**
 * What the oracle is held to: two hosts on the simulated network that try all that they sensibly can, with nothing but
 * raw datagrams. Each asks a reflector where it is, tells the other out of band, and sends again and again to the other's
 * addresses, to those that the reflector saw, and to wherever something of the other's came from. They have met where
 * an answer comes from where the question went.
 */

import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Internet } from '../../../simulations/network/internet.js'
import { perfectLink } from '../../../simulations/network/link.js'
import type { Place } from '../../../simulations/network/place.js'
import type { SiteSpec } from '../../../simulations/topology.js'
import {
  type AddressFamily,
  familyOf,
  isGlobal,
  type SocketAddress,
  sameSocketAddress,
} from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'

const PORT = 51_821
const ROUNDS = 12
const MOST_TARGETS = 100

export interface Probe {
  readonly sites: readonly SiteSpec[]
  /** The sites of each host; the first that has a family carries its default route. */
  readonly hosts: readonly [readonly number[], readonly number[]]
  readonly seed: number
  /** Done to the network before anything is sent; there are two reflectors. */
  readonly faults?: (internet: Internet, reflectors: readonly Place[]) => void
}

/** Whether the two have met, each by its own questions. */
export function probersMeet({ sites, hosts, seed, faults }: Probe): boolean {
  const queue = new EventQueue(1_000, 1_767_225_600_000)
  const internet = new Internet(queue, seededRandom(seed), sites)
  const reflectors = [reflectorIn(internet), reflectorIn(internet)]
  const asked = reflectors.flatMap(({ ips }) => ips.map((ip) => ({ ip, port: PORT })))
  const probers = hosts.map((at, host) => {
    const places = at.flatMap((index) => internet.sites[index]?.place() ?? [])
    return new Prober(`prober${host}`, places, asked)
  })
  const [one, other] = probers
  if (one === undefined || other === undefined) throw new Error('there are two')
  faults?.(internet, reflectors)
  for (let round = 0; round < ROUNDS; round++) {
    for (const prober of probers) prober.reflect()
    queue.run(1 * SECOND)
    one.hearOf(other)
    other.hearOf(one)
    for (const prober of probers) prober.ask()
    queue.run(1 * SECOND)
  }
  return one.met && other.met
}

function reflectorIn(internet: Internet): Place {
  const place = internet.publicPlace('europe', perfectLink(5))
  place.attach('reflector', ({ from, to }) => {
    place.send({ from: to, to: from, bytes: say('you are', from.ip, from.port), author: 'reflector' })
  })
  return place
}

class Prober {
  met = false
  readonly #name: string
  readonly #places: readonly Place[]
  readonly #reflectors: readonly SocketAddress[]
  /** What a reflector saw of an address of ours. */
  readonly #reflexive = new Map<string, SocketAddress>()
  readonly #targets: { readonly from: string; readonly to: SocketAddress }[] = []

  constructor(name: string, places: readonly Place[], reflectors: readonly SocketAddress[]) {
    this.#name = name
    this.#places = places
    this.#reflectors = reflectors
    for (const place of places) {
      place.attach(name, ({ from, to, bytes }) => {
        if (to.port === PORT) this.#received(to.ip, from, new TextDecoder().decode(bytes).split(' '))
      })
    }
  }

  get ips(): readonly string[] {
    return this.#places.flatMap(({ ips }) => ips)
  }

  reflect(): void {
    for (const own of this.ips) for (const to of this.#reflectors) this.#send(own, to, say('who am I'))
  }

  /** Out of band: where the other is. */
  hearOf(other: Prober): void {
    const shares = [...this.#reflexive.values()].some(({ ip }) =>
      [...other.#reflexive.values()].some((seen) => seen.ip === ip),
    )
    const isOnInternet = this.#reflexive.size > 0 || this.ips.some(isGlobal)
    for (const own of this.ips) {
      for (const seen of other.#reflexive.values()) this.#learn(own, seen)
      for (const ip of other.ips) {
        const near = this.ips.some((mine) => isOnLink(mine, ip))
        if (isGlobal(ip) || shares || !isOnInternet || near) this.#learn(own, { ip, port: PORT })
      }
    }
  }

  /** Everything that is known is asked once more. */
  ask(): void {
    for (const { from, to } of this.#targets) this.#send(from, to, say('question', to.ip, to.port))
  }

  #received(own: string, from: SocketAddress, [kind, ...words]: readonly string[]): void {
    const named: SocketAddress = { ip: words[0] ?? '', port: Number(words[1]) }
    if (!this.#isRouted(own, from.ip)) return
    switch (kind) {
      case 'you-are':
        this.#reflexive.set(own, named)
        break
      case 'question':
        this.#send(own, from, say('answer', named.ip, named.port))
        if (this.#learn(own, from)) this.#send(own, from, say('question', from.ip, from.port))
        break
      case 'answer':
        if (named.ip === from.ip && named.port === from.port) this.met = true
        break
      default:
    }
  }

  /** True for what is new. */
  #learn(from: string, to: SocketAddress): boolean {
    if (familyOf(from) !== familyOf(to.ip) || !this.#isRouted(from, to.ip)) return false
    if (this.ips.includes(to.ip) || this.#targets.length >= MOST_TARGETS) return false
    if (this.#targets.some((known) => known.from === from && sameSocketAddress(known.to, to))) return false
    this.#targets.push({ from, to })
    return true
  }

  #send(own: string, to: SocketAddress, bytes: Uint8Array): void {
    if (familyOf(own) !== familyOf(to.ip) || !this.#isRouted(own, to.ip)) return
    const place = this.#places.find(({ ips }) => ips.includes(own))
    place?.send({ from: { ip: own, port: PORT }, to, bytes, author: this.#name })
  }

  /** The default route of a family leaves by the first place that has it; the others reach their own network. */
  #isRouted(own: string, remote: string): boolean {
    return own === this.#defaultOf(familyOf(own)) || isOnLink(own, remote)
  }

  #defaultOf(family: AddressFamily): string | undefined {
    return this.ips.find((ip) => familyOf(ip) === family)
  }
}

/** Whether two addresses are in one network, as network/addresses.ts hands them out. */
function isOnLink(own: string, remote: string): boolean {
  if (familyOf(own) !== familyOf(remote)) return false
  if (familyOf(own) === 6) return own.split('::')[0] === remote.split('::')[0]
  if (isGlobal(own)) return false
  if (own.startsWith('100.')) return remote.startsWith('100.')
  const parts = own.startsWith('10.') ? 2 : 3
  const network = own.split('.').slice(0, parts).join('.')
  return remote.startsWith(`${network}.`)
}

function say(kind: string, ip = '', port = 0): Uint8Array {
  return new TextEncoder().encode(`${kind.replaceAll(' ', '-')} ${ip} ${port}`)
}
