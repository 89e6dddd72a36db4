/**
 * What the daemon tells the engine of the mesh (`mesh-changed`), made by its own rules: whether a server is connected,
 * where libp2p reaches us, the reflectors in the order to ask them, and the relays (src/daemon/meshNode.ts, ownMultiaddrs.ts and
 * reflectors.ts). It is told when it changed, and what changed at one instant is told once.
 */

import { familyOf, type SocketAddress } from '../../src/base/address.js'
import { rankOwnMultiaddrs } from '../../src/daemon/ownMultiaddrs.js'
import { reflectorsToAsk, relaysToAsk, witnessesOf } from '../../src/daemon/reflectors.js'
import type { RelayOffer, Witness } from '../../src/engine/inputs.js'
import type { EventQueue } from '../network/eventQueue.js'
import type { Seat } from './seat.js'
import { SERVER_PORT, type Server } from './server.js'

/** TCP for libp2p at a member: the default listen port. */
const MEMBER_PORT = 51_821

/** Circuits through a server that was dialled at `ip`: there first, then at its other addresses. */
function circuitsThrough(server: Server, ip: string): readonly string[] {
  return [ip, ...server.ips.filter((other) => other !== ip)].map(
    (at) => `${tcpMultiaddr(at, SERVER_PORT)}/p2p/${server.peerId}/p2p-circuit`,
  )
}

function tcpMultiaddr(ip: string, port: number): string {
  return `/ip${familyOf(ip)}/${ip}/tcp/${port}`
}

interface Offers {
  readonly reflectors: readonly SocketAddress[]
  readonly relays: readonly RelayOffer[]
  readonly witnesses: readonly Witness[]
}

export class Surroundings {
  readonly #queue: EventQueue
  readonly #gossips: boolean
  /** What each was told last, and those that will be told. */
  readonly #told = new WeakMap<Seat, string>()
  readonly #due = new Set<Seat>()
  /** By the servers and where they were dialled: there are few different lists. */
  readonly #offers = new Map<string, Offers>()

  constructor(queue: EventQueue, gossips: boolean) {
    this.#queue = queue
    this.#gossips = gossips
  }

  /** Something changed, or may have. The member is told after what is happening now. */
  changed(seat: Seat): void {
    if (this.#due.has(seat)) return
    this.#due.add(seat)
    this.#queue.soon(() => {
      this.#due.delete(seat)
      this.#tell(seat)
    })
  }

  #tell(seat: Seat): void {
    const multiaddrs: string[] = []
    for (const { server, connection, holdsReservation } of seat.links)
      if (holdsReservation && connection !== undefined)
        multiaddrs.push(...circuitsThrough(server, connection.ip))
    for (const ip of seat.ips) multiaddrs.push(tcpMultiaddr(ip, MEMBER_PORT))
    let servers = ''
    for (const [server, ip] of seat.serving) servers += `${server.key} ${ip} `
    const text = `${servers}\n${multiaddrs.join(' ')}`
    if (this.#told.get(seat) === text) return
    this.#told.set(seat, text)
    seat.tell({
      type: 'mesh-changed',
      connected: seat.serving.size > 0,
      multiaddrs: rankOwnMultiaddrs(multiaddrs, false),
      ...this.#offersOf(seat, servers),
      gossips: this.#gossips && seat.serving.size > 0,
    })
  }

  #offersOf(seat: Seat, servers: string): Offers {
    let offers = this.#offers.get(servers)
    if (offers === undefined) {
      const states = [...seat.serving].map(([{ peerId, services }, ip]) => ({ peerId, services, ip }))
      const reflectors = reflectorsToAsk(states, [], (reason) => {
        throw new Error(`the services of a server are refused: ${reason}`)
      })
      offers = { reflectors, relays: relaysToAsk(states), witnesses: witnessesOf(states) }
      this.#offers.set(servers, offers)
    }
    return offers
  }
}
