/**
 * One socket for mDNS on one device. It sends by that device whatever the routes say, so that nothing leaves through a
 * tunnel, and it hears only those who stand on the same link (RFC 6762 section 11): the kernel hands it what comes for
 * the group on any device.
 */

import { createSocket, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import {
  canonicalIp,
  familyOf,
  type Prefix,
  parsePrefix,
  prefixContains,
  scopeOf,
} from '../../base/address.js'

/** A device with an IPv4 address, which mDNS is sent from. */
export interface LanInterface {
  readonly device: string
  /** The IPv4 address. */
  readonly ip: string
  /** All addresses on it, and the prefixes that they are in. */
  readonly ips: readonly string[]
  readonly prefixes: readonly Prefix[]
}

/** The group of mDNS (RFC 6762 section 3), and its port. */
const GROUP = '224.0.0.251'
export const MDNS_PORT = 5353

/** The devices that are up and have an address that `mayUse` allows, but for loopback. */
export function lanInterfaces(mayUse: (ip: string) => boolean): readonly LanInterface[] {
  const devices = new Map<string, { ips: string[]; prefixes: Prefix[] }>()
  for (const [label, addresses = []] of Object.entries(networkInterfaces())) {
    const [device = label] = label.split(':')
    for (const { address, cidr, internal } of addresses) {
      const ip = canonicalIp(address)
      const prefix = cidr === null ? undefined : parsePrefix(cidr)
      if (internal || ip === undefined || prefix === undefined) continue
      if (scopeOf(ip) === 'link-local' || !mayUse(ip)) continue
      const of = devices.get(device) ?? { ips: [], prefixes: [] }
      of.ips.push(ip)
      of.prefixes.push(prefix)
      devices.set(device, of)
    }
  }
  return [...devices].flatMap(([device, { ips, prefixes }]) => {
    const ip = ips.find((each) => familyOf(each) === 4)
    return ip === undefined ? [] : [{ device, ip, ips, prefixes }]
  })
}

export interface LanSocketEvents {
  readonly onMessage: (bytes: Uint8Array) => void
  /** It can send from now on. */
  readonly onReady: () => void
  /** It is of no use, and closed. Called once at most. */
  readonly onTrouble: (error: Error) => void
}

export class LanSocket {
  readonly on: LanInterface
  readonly #port: number
  readonly #socket: Socket
  #state: 'opening' | 'ready' | 'closed' = 'opening'

  constructor(on: LanInterface, port: number, { onMessage, onReady, onTrouble }: LanSocketEvents) {
    this.on = on
    this.#port = port
    this.#socket = createSocket({ type: 'udp4', reuseAddr: true })
    this.#socket.on('error', (error) => {
      if (this.#state === 'closed') return
      this.close()
      onTrouble(error)
    })
    this.#socket.on('message', (bytes, { address }) => {
      if (isOnLink(on, address)) onMessage(bytes)
    })
    // Bound to the group, it hears nothing that was sent to this machine alone.
    this.#socket.bind(port, GROUP, () => {
      try {
        this.#socket.addMembership(GROUP, on.ip)
        this.#socket.setMulticastInterface(on.ip)
        this.#socket.setMulticastTTL(255)
        // Another node on this machine is to hear us too.
        this.#socket.setMulticastLoopback(true)
      } catch (error) {
        this.#socket.emit('error', error)
        return
      }
      this.#state = 'ready'
      onReady()
    })
  }

  /** Sends to the group, if it can; what cannot be sent is lost, as on any link. */
  send(bytes: Uint8Array): void {
    // What is sent before leaves by the way that the routes say.
    if (this.#state === 'ready') this.#socket.send(bytes, this.#port, GROUP, () => {})
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#socket.close()
  }
}

/** True for an address that can be reached on the device's link. */
export function isOnLink({ prefixes }: LanInterface, address: string): boolean {
  const ip = canonicalIp(address)
  return ip !== undefined && prefixes.some((prefix) => prefixContains(prefix, ip))
}
