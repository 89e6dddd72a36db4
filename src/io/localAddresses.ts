/** The machine's own addresses, as far as a peer could reach us there. */

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { canonicalIp, scopeOf } from '../base/address.js'

/** An address and the name of the device that has it. */
export interface LocalAddress {
  readonly ip: string
  readonly device: string
}

/**
 * The addresses of both families of the devices that are up, without loopback and link-local ones, and without those
 * of the devices in `excluded`: WireGuard interfaces (an address inside a tunnel is no way to its outside) and what
 * the user leaves out.
 */
export function localAddresses(excluded: ReadonlySet<string>): readonly LocalAddress[] {
  return selectAddresses(networkInterfaces(), excluded)
}

/**
 * Says of an address whether this machine has it now: of any scope, on any device that is up. Zones are ignored, and
 * all of 127.0.0.0/8 is ours (RFC 1122 section 3.2.1.3) though one address of it is listed.
 */
export function ownAddresses(): (ip: string) => boolean {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((addresses = []) =>
      addresses.map(({ address }) => canonicalIp(withoutZone(address))),
    ),
  )
  return (ip) => {
    const canonical = canonicalIp(withoutZone(ip))
    return canonical !== undefined && (own.has(canonical) || scopeOf(canonical) === 'loopback')
  }
}

function withoutZone(ip: string): string {
  const [address = ip] = ip.split('%')
  return address
}

/** {@link localAddresses} of what `os.networkInterfaces()` returned. */
export function selectAddresses(
  devices: NodeJS.Dict<readonly NetworkInterfaceInfo[]>,
  excluded: ReadonlySet<string>,
): readonly LocalAddress[] {
  return Object.entries(devices).flatMap(([name, addresses = []]) => {
    // An IPv4 address with a label is listed under it: "eth0:1".
    const [device = name] = name.split(':')
    if (excluded.has(device)) return []
    return addresses.flatMap(({ address, internal }) => {
      const ip = canonicalIp(address)
      if (internal || ip === undefined) return []
      const scope = scopeOf(ip)
      return scope === 'private' || scope === 'global' ? [{ ip, device }] : []
    })
  })
}
