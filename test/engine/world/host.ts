/** A machine: an address in a segment, UDP ports, WireGuard, and an application that pings and answers pings. */

import type { SocketAddress } from '../../../src/base/address.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import type { Random } from '../../../src/base/random.js'
import type { EventQueue } from './eventQueue.js'
import type { Segment } from './network.js'
import { WireGuard } from './wireguard.js'

export const WIREGUARD_PORT = 51_820

export interface Place {
  readonly segment: Segment
  readonly ip: string
  /** From the host to the middle of its segment. */
  readonly delayMs: number
}

export interface Ping {
  readonly sentAt: number
  answeredAt: number | undefined
}

export type PortReceiver = (localIp: string, from: SocketAddress, datagram: Uint8Array) => void

const REQUEST = 8
const REPLY = 0

export class Host {
  readonly name: string
  readonly wireguard: WireGuard
  readonly pings: Ping[] = []
  /** Where WireGuard's messages to 127.0.0.0/8 go. */
  onLoopback: (to: SocketAddress, datagram: Uint8Array) => void = () => undefined
  readonly #queue: EventQueue
  readonly #ports = new Map<number, PortReceiver>()
  readonly #places = new Map<string, Place>()

  constructor(
    name: string,
    places: readonly Place[],
    privateKey: Uint8Array,
    queue: EventQueue,
    random: Random,
  ) {
    this.name = name
    this.#queue = queue
    this.wireguard = new WireGuard({
      privateKey,
      queue,
      random,
      send: (datagram, to) => this.#wireguardSends(datagram, to),
      onPacket: (peer, packet) => this.#packetArrived(peer, packet),
    })
    for (const place of places) this.attach(place)
    this.bind(WIREGUARD_PORT, (_localIp, from, datagram) => this.wireguard.receive(datagram, from))
  }

  get publicKey(): PublicKey {
    return this.wireguard.publicKey
  }

  /** The addresses of its network interfaces, oldest first. */
  get ips(): readonly string[] {
    return [...this.#places.keys()]
  }

  attach(place: Place): void {
    this.#places.set(place.ip, place)
    place.segment.attach(place.ip, place.delayMs, ({ from, to, bytes }) =>
      this.#ports.get(to.port)?.(to.ip, from, bytes),
    )
  }

  detach(ip: string): void {
    this.#places.get(ip)?.segment.detach(ip)
    this.#places.delete(ip)
  }

  bind(port: number, receive: PortReceiver): void {
    this.#ports.set(port, receive)
  }

  send(from: SocketAddress, to: SocketAddress, bytes: Uint8Array): void {
    this.#places.get(from.ip)?.segment.send({ from, to, bytes })
  }

  ping(peer: PublicKey): Ping {
    const id = this.pings.length
    const ping: Ping = { sentAt: this.#queue.elapsed, answeredAt: undefined }
    this.pings.push(ping)
    this.wireguard.sendPacket(peer, packet(REQUEST, id))
    return ping
  }

  #packetArrived(peer: PublicKey, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const id = view.getUint32(4)
    if (view.getUint8(0) === REQUEST) this.wireguard.sendPacket(peer, packet(REPLY, id))
    else {
      const ping = this.pings[id]
      if (ping !== undefined) ping.answeredAt ??= this.#queue.elapsed
    }
  }

  #wireguardSends(datagram: Uint8Array, to: SocketAddress): void {
    const ip = this.ips[0]
    // Through sockets, so never on the same stack.
    if (to.ip.startsWith('127.')) this.#queue.in(0, () => this.onLoopback(to, datagram))
    else if (ip !== undefined) this.send({ ip, port: WIREGUARD_PORT }, to, datagram)
  }
}

/** As long as an ICMP echo of `ping` with nothing in it, padded. */
function packet(kind: number, id: number): Uint8Array {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, kind)
  view.setUint32(4, id)
  return bytes
}
