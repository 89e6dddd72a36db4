/** The shared sockets of a daemon, as src/io/sharedSockets.ts keeps them: one for each address, all on one port. */

import type { LocalSocket, SocketId } from '../../src/engine/inputs.js'
import type { Host } from './host.js'

export class SharedSockets {
  readonly #port: number
  readonly #byIp = new Map<string, LocalSocket>()
  readonly #byId = new Map<SocketId, LocalSocket>()
  #last: SocketId = 0

  constructor(port: number) {
    this.#port = port
  }

  /** The open ones, oldest first. */
  get all(): readonly LocalSocket[] {
    return [...this.#byId.values()]
  }

  at(ip: string): LocalSocket | undefined {
    return this.#byIp.get(ip)
  }

  get(id: SocketId): LocalSocket | undefined {
    return this.#byId.get(id)
  }

  /** Opens and closes until there is one for each address of the host. */
  follow(host: Host): void {
    const { ips } = host
    for (const ip of ips) {
      const device = host.deviceOf(ip) ?? ''
      const known = this.#byIp.get(ip)
      if (known?.device === device) continue
      const id = known?.id ?? ++this.#last
      this.#put({ id, address: known?.address ?? { ip, port: this.#port }, device })
    }
    for (const { id, address } of this.all) {
      if (ips.includes(address.ip)) continue
      this.#byIp.delete(address.ip)
      this.#byId.delete(id)
    }
  }

  close(): void {
    this.#byIp.clear()
    this.#byId.clear()
  }

  #put(socket: LocalSocket): void {
    this.#byIp.set(socket.address.ip, socket)
    this.#byId.set(socket.id, socket)
  }
}
