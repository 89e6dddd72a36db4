/**
 * A node behind a NAT of the simulated internet, as far as it finds out about that NAT: its reflections, and what it
 * knows. Outside are servers that reflect and send UDP probes, as src/io/mesh/udpProbe.ts does.
 */

import type { Datagram } from '../../../simulations/network/datagram.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { NAT_KINDS } from '../../../simulations/network/natKinds.js'
import type { NatSpec } from '../../../simulations/topology.js'
import { type SocketAddress, sameSocketAddress } from '../../../src/base/address.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { after, type Instant, SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { LocalSocket, UdpProber } from '../../../src/engine/inputs.js'
import { NatKnowledge } from '../../../src/engine/path/natKnowledge.js'
import { Reflection } from '../../../src/engine/path/reflection.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'
import { udpProbeDatagram } from '../../../src/wire/udpProbe.js'
import { HOME, LINK_MS, OPEN, SmallInternet } from '../../simulations/network/probes.js'

const PORT = 51_821
const FIRST_SPARE_PORT = 40_000
const TCP_MS = 4 * LINK_MS

export interface HouseOptions {
  /** What differs from a port-restricted NAT; undefined for a host in the open. */
  readonly nat: Partial<NatSpec> | undefined
  readonly servers?: number
  /** Reflect, but send no probes though they say so. */
  readonly mute?: boolean
}

export class NatHouse {
  readonly internet: SmallInternet
  readonly reflection: Reflection
  readonly nat: NatKnowledge
  readonly servers: readonly UdpProber[]
  /** Everything that left for the network, and when. */
  readonly sent: { readonly at: number; readonly from: SocketAddress; readonly to: SocketAddress }[] = []
  /** Who was asked for a probe, from which port. */
  readonly asked: string[] = []
  /** True while the network outside lets no UDP pass. */
  blocksUdp = false
  /** True to wake all the while, also where nothing is due. */
  fidgets = false
  readonly #socket: LocalSocket
  readonly #send: (datagram: Datagram) => void
  readonly #spares = new Map<number, LocalSocket>()
  readonly #mute: boolean
  readonly #outerIp: string
  #lastId = 1
  #lastPort = 50_000

  constructor({ nat, servers = 2, mute = false }: HouseOptions) {
    const home = { ...HOME, nat: { ...NAT_KINDS['port-restricted'], ...nat } }
    this.internet = new SmallInternet([nat === undefined ? { ...OPEN, ipv6: 'none' } : home])
    this.#mute = mute
    const site = this.internet.site(0)
    const place = site.place()
    const ip = place.ips[0] ?? ''
    this.#outerIp = nat === undefined ? ip : (site.gateway?.addresses[0] ?? '')
    place.attach('node', (datagram) => this.#received(datagram))
    this.#send = (datagram) => {
      this.sent.push({ at: this.internet.queue.elapsed, from: datagram.from, to: datagram.to })
      if (!this.blocksUdp) place.send(datagram)
    }
    this.servers = Array.from({ length: servers }, (_, index) => this.#server(`server ${index + 1}`))
    this.#socket = { id: 1, address: { ip, port: PORT }, device: 'eth0', purpose: 'shared' }
    const emit = (effect: Effect) => this.#perform(effect)
    this.reflection = new Reflection(emit, seededRandom(1))
    this.nat = new NatKnowledge(emit, seededRandom(2), this.reflection)
  }

  get now(): Instant {
    return this.internet.queue.now.instant
  }

  get openSpares(): number {
    return this.#spares.size
  }

  /** The mesh connects us to these servers. */
  join(servers: readonly UdpProber[] = this.servers): void {
    const reflectors = this.servers.map(({ reflector }) => reflector)
    this.reflection.change({ sockets: [this.#socket], reflectors }, this.now)
    this.nat.meshChanged(true, servers, this.now)
  }

  /** Something comes to the spare socket. */
  receiveAtSpare(datagram: Uint8Array, remote: SocketAddress): void {
    for (const { id } of [...this.#spares.values()])
      this.nat.received({ socket: id, remote }, datagram, this.now)
  }

  /** Only so many of the servers reflect now. */
  reflectAt(count: number): void {
    const reflectors = this.servers.slice(0, count).map(({ reflector }) => reflector)
    this.reflection.change({ reflectors }, this.now)
    this.reflection.renew(this.now)
  }

  leave(): void {
    this.nat.meshChanged(false, [], this.now)
  }

  /** Lets time pass, and wakes whoever wants to be. */
  pass(ms: number): void {
    const { queue } = this.internet
    const end = after(this.now, ms)
    for (;;) {
      const wakes = [this.reflection.nextWake, this.nat.nextWake].filter((wake) => wake !== undefined)
      const next = Math.min(...wakes, end)
      // Things happen in between, which may want an earlier wake-up.
      const step = Math.min(Math.max(0, next - this.now), LINK_MS)
      if (next > this.now) queue.run(step)
      if (this.fidgets) this.nat.wake(this.now)
      if (this.now >= end) return
      if (next > this.now) continue
      this.reflection.wake(this.now)
      this.nat.wake(this.now)
      if (Math.min(...[this.nat.nextWake ?? Infinity, this.reflection.nextWake ?? Infinity]) < this.now)
        throw new Error('it wants to be woken in the past')
    }
  }

  /** From the start until the NAT was told, and what was told. */
  findOut(): { readonly mapping: string; readonly filtering: string } {
    this.join()
    this.pass(25 * SECOND)
    const { mapping, filtering } = this.reflection.findings
    return { mapping, filtering }
  }

  #perform(effect: Effect): void {
    const { queue } = this.internet
    switch (effect.type) {
      case 'send': {
        const { socket, remote, datagram } = effect
        const from = socket === this.#socket.id ? this.#socket : this.#spares.get(socket)
        if (from === undefined) throw new Error('sent from a socket that is not open')
        this.#send({ from: from.address, to: remote, bytes: datagram, author: 'node' })
        return
      }
      case 'open-spare-socket': {
        const id = ++this.#lastId
        const socket: LocalSocket = {
          id,
          address: { ip: effect.ip, port: FIRST_SPARE_PORT + id },
          device: '',
          purpose: 'spare',
        }
        this.#spares.set(id, socket)
        queue.in(0, () => this.nat.handle({ type: 'spare-socket-opened', socket }, this.now))
        return
      }
      case 'close-spare-socket':
        if (!this.#spares.delete(effect.socket)) throw new Error('closed a socket that is not open')
        return
      case 'ask-udp-probe':
        this.asked.push(`${effect.server} ${effect.from}`)
        queue.in(TCP_MS / 2, () => this.#probe(effect))
        return
      case 'log':
        return
      default:
        throw new Error(`unexpected: ${effect.type}`)
    }
  }

  #received({ from, to, bytes }: Datagram): void {
    if (this.blocksUdp) return
    if (to.port === PORT) {
      const message = decodeStun(bytes)
      if (!isDropped(message) && message.messageClass === 'success') {
        this.reflection.answered(message, { socket: this.#socket.id, remote: from }, this.now)
        this.nat.review(this.now)
      }
      return
    }
    const spare = [...this.#spares.values()].find(({ address }) => sameSocketAddress(address, to))
    if (spare !== undefined) this.nat.received({ socket: spare.id, remote: from }, bytes, this.now)
  }

  readonly #places = new Map<string, { readonly ip: string; readonly send: (datagram: Datagram) => void }>()

  #server(name: string): UdpProber {
    const place = this.internet.internet.publicPlace('europe', perfectLink(LINK_MS))
    const ip = place.ips.find((one) => !one.includes(':')) ?? ''
    place.attach(name, ({ from, to, bytes }) => {
      const request = decodeStun(bytes)
      if (isDropped(request) || request.messageClass !== 'request') return
      const answer = encodeStun({
        messageClass: 'success',
        method: BINDING,
        transactionId: request.transactionId,
        mappedAddress: from,
      })
      place.send({ from: to, to: from, bytes: answer, author: name })
    })
    this.#places.set(name, { ip, send: (datagram) => place.send(datagram) })
    return { server: name, reflector: { ip, port: PORT } }
  }

  #probe({ server, port, from, nonce }: Extract<Effect, { type: 'ask-udp-probe' }>): void {
    const place = this.#places.get(server)
    if (place === undefined) return
    const otherPort = from === 'other-port' ? ++this.#lastPort : undefined
    if (!this.#mute)
      place.send({
        from: { ip: place.ip, port: otherPort ?? PORT },
        to: { ip: this.#outerIp, port },
        bytes: udpProbeDatagram(nonce),
        author: server,
      })
    this.internet.queue.in(TCP_MS / 2, () =>
      this.nat.handle({ type: 'udp-probe-answered', nonce, ip: this.#outerIp, otherPort }, this.now),
    )
  }
}
