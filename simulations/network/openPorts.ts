/**
 * Ports of a NAT that inner hosts have had opened (PCP, NAT-PMP, UPnP), as Linux's gateways do it with DNAT: whoever sends
 * to one is let in, and what is answered leaves from there. What an inner host sends to others of its own accord has a
 * mapping as ever.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { type EndpointMap, endpointMap } from './endpointMap.js'

interface OpenPort {
  readonly inner: SocketAddress
  readonly outer: SocketAddress
  readonly expiresAt: number
}

interface Flow {
  readonly port: OpenPort
  usedAt: number
}

export class OpenPorts {
  readonly #lifetimeMs: number
  #byOuter: EndpointMap<OpenPort> = endpointMap('address-and-port-dependent')
  #open: OpenPort[] = []
  /** By the inner address, then by the remote one. */
  #flows: EndpointMap<EndpointMap<Flow>> = endpointMap('address-and-port-dependent')

  /** `lifetimeMs` is that of what is answered. */
  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs
  }

  /** Undefined where another inner socket has it. The same one renews it. */
  open(inner: SocketAddress, outer: SocketAddress, forMs: number, now: number): SocketAddress | undefined {
    if (this.isTaken(outer, inner, now)) return undefined
    this.close(inner, outer.port)
    const port: OpenPort = { inner, outer, expiresAt: now + forMs }
    this.#byOuter.set(outer, port)
    this.#open.push(port)
    return outer
  }

  close(inner: SocketAddress, outerPort: number): void {
    this.#open = this.#open.filter((port) => {
      const isIt = sameEnd(port.inner, inner) && port.outer.port === outerPort
      if (isIt) this.#byOuter.delete(port.outer)
      return !isIt
    })
  }

  /** True where an outer port is another inner socket's. */
  isTaken(outer: SocketAddress, inner: SocketAddress, now: number): boolean {
    const port = this.#at(outer, now)
    return port !== undefined && !sameEnd(port.inner, inner)
  }

  /** How many an inner host has. */
  countOf(innerIp: string, now: number): number {
    return this.#open.filter(({ inner, expiresAt }) => inner.ip === innerIp && expiresAt > now).length
  }

  /** The inner address for what comes to an outer one from `remote`. */
  inbound(outer: SocketAddress, remote: SocketAddress, now: number): SocketAddress | undefined {
    if (this.#open.length === 0) return undefined
    const port = this.#at(outer, now)
    if (port === undefined) return undefined
    let ofSocket = this.#flows.get(port.inner)
    if (ofSocket === undefined) {
      ofSocket = endpointMap('address-and-port-dependent')
      this.#flows.set(port.inner, ofSocket)
    }
    ofSocket.set(remote, { port, usedAt: now })
    return port.inner
  }

  /** The outer address from which is answered what came to it. */
  outbound(inner: SocketAddress, remote: SocketAddress, now: number): SocketAddress | undefined {
    const flow = this.#flows.get(inner)?.get(remote)
    if (flow === undefined) return undefined
    if (now - flow.usedAt > this.#lifetimeMs) {
      this.#flows.get(inner)?.delete(remote)
      return undefined
    }
    flow.usedAt = now
    return flow.port.outer
  }

  /** The gateway was restarted, or has other addresses. */
  forget(): void {
    this.#byOuter = endpointMap('address-and-port-dependent')
    this.#open = []
    this.#flows = endpointMap('address-and-port-dependent')
  }

  #at(outer: SocketAddress, now: number): OpenPort | undefined {
    const port = this.#byOuter.get(outer)
    return port !== undefined && port.expiresAt > now ? port : undefined
  }
}

function sameEnd(a: SocketAddress, b: SocketAddress): boolean {
  return a.ip === b.ip && a.port === b.port
}
