/**
 * The UDP sockets of a daemon, as src/io/sharedSockets.ts keeps them: one for each address, all on one port, and such for
 * punching as are asked for, each on a port of its own.
 */

import type { SocketAddress } from '../../src/base/address.js'
import type { LocalSocket, SocketId } from '../../src/engine/inputs.js'
import type { Host, PortReceiver } from './host.js'

/** Where the ports that Linux gives to those who name none begin (net.ipv4.ip_local_port_range). */
const FIRST_EPHEMERAL_PORT = 32_768
const EPHEMERAL_PORTS = 28_232

export class SharedSockets {
  readonly #host: Host
  readonly #port: number
  readonly #receive: PortReceiver
  readonly #byId = new Map<SocketId, LocalSocket>()
  readonly #sharedByIp = new Map<string, LocalSocket>()
  readonly #punchingByPort = new Map<number, LocalSocket>()
  #last: SocketId = 0
  #lastPunching = 0

  constructor(host: Host, port: number, receive: PortReceiver) {
    this.#host = host
    this.#port = port
    this.#receive = receive
  }

  /** The open ones, oldest first. */
  get all(): readonly LocalSocket[] {
    return [...this.#byId.values()]
  }

  at({ ip, port }: SocketAddress): LocalSocket | undefined {
    if (port === this.#port) return this.#sharedByIp.get(ip)
    const socket = this.#punchingByPort.get(port)
    return socket?.address.ip === ip ? socket : undefined
  }

  get(id: SocketId): LocalSocket | undefined {
    return this.#byId.get(id)
  }

  start(): void {
    this.#host.bind(this.#port, this.#receive)
  }

  /** Opens and closes until there is a shared one for each address of the host, and none for another. */
  follow(): void {
    const { ips } = this.#host
    for (const ip of ips) {
      const device = this.#host.deviceOf(ip) ?? ''
      const address = { ip, port: this.#port }
      const known = this.at(address)
      if (known?.device === device) continue
      const id = known?.id ?? ++this.#last
      const socket: LocalSocket = { id, address: known?.address ?? address, device, purpose: 'shared' }
      this.#byId.set(id, socket)
      this.#sharedByIp.set(ip, socket)
    }
    for (const { id, address } of this.all) if (!ips.includes(address.ip)) this.#close(id)
  }

  /** Opens so many for punching at an address that is the host's; none at another. */
  openPunching(ip: string, count: number): void {
    const device = this.#host.deviceOf(ip)
    if (device === undefined) return
    for (let opened = 0; opened < count; opened++) {
      const socket: LocalSocket = {
        id: ++this.#last,
        address: { ip, port: this.#freePort() },
        device,
        purpose: 'punching',
      }
      this.#host.bind(socket.address.port, this.#receive)
      this.#byId.set(socket.id, socket)
      this.#punchingByPort.set(socket.address.port, socket)
    }
  }

  closePunching(id: SocketId): void {
    if (this.#byId.get(id)?.purpose === 'punching') this.#close(id)
  }

  close(): void {
    for (const { id } of this.all) this.#close(id)
    this.#host.unbind(this.#port)
  }

  #freePort(): number {
    for (;;) {
      const port = FIRST_EPHEMERAL_PORT + (this.#lastPunching++ % EPHEMERAL_PORTS)
      if (port !== this.#port && !this.#punchingByPort.has(port)) return port
    }
  }

  #close(id: SocketId): void {
    const socket = this.#byId.get(id)
    if (socket === undefined) return
    const { address, purpose } = socket
    this.#byId.delete(id)
    if (purpose === 'shared') {
      this.#sharedByIp.delete(address.ip)
    } else {
      this.#punchingByPort.delete(address.port)
      this.#host.unbind(address.port)
    }
  }
}
