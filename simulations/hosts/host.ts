/** The network side of a host: what it is attached to, and its UDP ports. While it sleeps, nothing comes or goes. */

import type { SocketAddress } from '../../src/base/address.js'
import type { MachineRoute } from '../../src/engine/inputs.js'
import type { Datagram, TellUnreachable } from '../network/datagram.js'
import type { Place } from '../network/place.js'
import type { Observer } from '../observer.js'
import { Attachments } from './attachments.js'
import type { HostClock } from './clock.js'

export type PortReceiver = (datagram: Datagram) => void

export interface HostOptions {
  readonly name: string
  readonly clock: HostClock
  readonly observers: readonly Observer[]
}

export class Host {
  readonly name: string
  readonly clock: HostClock
  readonly observers: readonly Observer[]
  readonly #attachments = new Attachments()
  readonly #ports = new Map<number, PortReceiver>()

  constructor({ name, clock, observers }: HostOptions) {
    this.name = name
    this.clock = clock
    this.observers = observers
  }

  get places(): readonly Place[] {
    return this.#attachments.places
  }

  /** The addresses of its devices, oldest first. */
  get ips(): readonly string[] {
    return this.#attachments.ips
  }

  /** The device that has an address of ours. */
  deviceOf(ip: string): string | undefined {
    return this.#attachments.deviceOf(ip)
  }

  get routes(): readonly MachineRoute[] {
    return this.#attachments.routes
  }

  attach(place: Place): void {
    this.#attachments.add(place)
    place.attach(this.name, (datagram) => this.#arrived(datagram))
  }

  /** Leaves the place that has an address. */
  detach(ip: string): void {
    const place = this.#attachments.placeOf(ip)
    if (place === undefined) return
    place.detach()
    this.#attachments.remove(place)
  }

  /** Has what comes to a port of any address go to `receive`. */
  bind(port: number, receive: PortReceiver): void {
    if (this.#ports.has(port)) throw new Error(`port ${port} of ${this.name} is in use`)
    this.#ports.set(port, receive)
  }

  unbind(port: number): void {
    this.#ports.delete(port)
  }

  /** Sends from an address of ours. From one that is ours no longer nothing leaves. `author`: whose it is, if we only pass it on. */
  send(
    from: SocketAddress,
    to: SocketAddress,
    bytes: Uint8Array,
    author = this.name,
    unreachable?: TellUnreachable,
  ): void {
    const place = this.#attachments.placeOf(from.ip)
    if (place === undefined || this.clock.asleep) return
    const datagram: Datagram = { from, to, bytes, author, unreachable }
    for (const observer of this.observers) observer.sent?.(this.name, datagram)
    place.send(datagram)
  }

  /** Sends from any address of ours that leads there, or from `source` where that is ours. */
  sendFromAny(port: number, to: SocketAddress, bytes: Uint8Array, source: string | undefined): void {
    const isOurs = source !== undefined && this.#attachments.placeOf(source) !== undefined
    const ip = isOurs ? source : this.#attachments.sourceFor(to.ip)
    if (ip !== undefined) this.send({ ip, port }, to, bytes)
  }

  /** See {@link Place.streamDelay}: from the first place that has a way. */
  streamDelay(to: string): number | undefined {
    if (this.clock.asleep) return undefined
    for (const place of this.places) {
      const delay = place.streamDelay(to)
      if (delay !== undefined) return delay
    }
    return undefined
  }

  #arrived(datagram: Datagram): void {
    if (this.clock.asleep) return
    const receive = this.#ports.get(datagram.to.port)
    if (receive === undefined) {
      datagram.unreachable?.('port')
      return
    }
    for (const observer of this.observers) observer.arrived?.(this.name, datagram)
    receive(datagram)
  }
}
