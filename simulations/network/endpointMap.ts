/**
 * Maps whose keys are addresses and ports, or as much of them as RFC 4787 has a NAT look at. The tables are nested, so
 * that a look-up makes no key.
 */

import type { SocketAddress } from '../../src/base/address.js'
import type { Dependence } from '../topology.js'

export interface EndpointMap<Value> {
  readonly isEmpty: boolean
  get(endpoint: SocketAddress): Value | undefined
  set(endpoint: SocketAddress, value: Value): void
  delete(endpoint: SocketAddress): void
}

/** A map that tells endpoints apart as far as `dependence` says. */
export function endpointMap<Value>(dependence: Dependence): EndpointMap<Value> {
  switch (dependence) {
    case 'endpoint-independent':
      return new OneForAll()
    case 'address-dependent':
      return new ByAddress()
    case 'address-and-port-dependent':
      return new ByAddressAndPort()
  }
}

class OneForAll<Value> implements EndpointMap<Value> {
  #value: Value | undefined = undefined

  get isEmpty(): boolean {
    return this.#value === undefined
  }

  get(): Value | undefined {
    return this.#value
  }

  set(_endpoint: SocketAddress, value: Value): void {
    this.#value = value
  }

  delete(): void {
    this.#value = undefined
  }
}

class ByAddress<Value> implements EndpointMap<Value> {
  readonly #values = new Map<string, Value>()

  get isEmpty(): boolean {
    return this.#values.size === 0
  }

  get({ ip }: SocketAddress): Value | undefined {
    return this.#values.get(ip)
  }

  set({ ip }: SocketAddress, value: Value): void {
    this.#values.set(ip, value)
  }

  delete({ ip }: SocketAddress): void {
    this.#values.delete(ip)
  }
}

class ByAddressAndPort<Value> implements EndpointMap<Value> {
  readonly #values = new Map<string, Map<number, Value>>()

  get isEmpty(): boolean {
    return this.#values.size === 0
  }

  get({ ip, port }: SocketAddress): Value | undefined {
    return this.#values.get(ip)?.get(port)
  }

  set({ ip, port }: SocketAddress, value: Value): void {
    const ports = this.#values.get(ip)
    if (ports === undefined) this.#values.set(ip, new Map([[port, value]]))
    else ports.set(port, value)
  }

  delete({ ip, port }: SocketAddress): void {
    const ports = this.#values.get(ip)
    ports?.delete(port)
    if (ports?.size === 0) this.#values.delete(ip)
  }
}
