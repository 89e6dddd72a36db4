/** About which of our uplinks it is found out what NAT it is behind, who helps, and whether that still holds. */

import { familyOf } from '../../base/address.js'
import type { UdpProber } from '../inputs.js'
import type { Uplink } from './findings.js'
import { strictestMapping } from './natMapping.js'
import type { Helpers } from './natProbing.js'

/** Of IPv4 if there is one, and of those the one whose mapping is the strictest; undefined where there is none. */
export function uplinkThatCounts(uplinks: readonly Uplink[]): Uplink | undefined {
  const ipv4 = uplinks.filter(({ socket }) => familyOf(socket.address.ip) === 4)
  const fit = ipv4.length > 0 ? ipv4 : uplinks
  const strictest = strictestMapping(fit.map(({ mapping }) => mapping))
  return fit.find(({ mapping }) => mapping === strictest) ?? fit[0]
}

/** True where what was found out holds still: it is the same address, seen as the same. Ports change all the while. */
export function isAsBefore(uplink: Uplink, former: Uplink): boolean {
  if (whereOf(uplink) !== whereOf(former)) return false
  if (uplink.mapping === former.mapping || uplink.mapping === 'unknown') return true
  // Where it depends on the address, there is more to find out.
  return former.mapping === 'unknown' && uplink.mapping !== 'address-dependent'
}

/**
 * Servers of the uplink's family; undefined where there is none. Those that the shared sockets do not talk to, as
 * `talksTo` says, make the best strangers: a NAT may filter by the inner address alone.
 */
export function helpersFor(
  uplink: Uplink,
  probers: readonly UdpProber[],
  talksTo: (ip: string) => boolean,
): Helpers | undefined {
  const family = familyOf(uplink.socket.address.ip)
  const fit = probers.filter(({ reflector }) => familyOf(reflector.ip) === family)
  const known = fit.find(({ reflector }) => talksTo(reflector.ip)) ?? fit[0]
  if (known === undefined) return undefined
  const strangers = fit.filter(({ reflector }) => reflector.ip !== known.reflector.ip)
  const rank = ({ reflector }: UdpProber) => Number(talksTo(reflector.ip))
  return { known, strangers: strangers.sort((a, b) => rank(a) - rank(b)) }
}

function whereOf({ socket, seen }: Uplink): string {
  return [socket.address.ip, ...[...new Set(seen.map(({ ip }) => ip))].sort()].join(' ')
}
