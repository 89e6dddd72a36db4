/** Sockets, routes and addresses for the path engine. */

import fc from 'fast-check'
import { canonicalIp, type Prefix, parsePrefix, type SocketAddress } from '../../../src/base/address.js'
import type { LocalSocket, MachineRoute } from '../../../src/engine/inputs.js'
import type { Candidate, CandidateType } from '../../../src/wire/candidate.js'

export const PORT = 51_821

/** What all sockets are on, and all routes leave by, unless something else is said. */
export const DEVICE = 'eth0'
/** Another device of the same machine. */
export const OTHER_DEVICE = 'eth1'

/** A socket at home in 192.168.1.0/24. */
export const HOME: LocalSocket = {
  id: 1,
  address: { ip: '192.168.1.2', port: PORT },
  device: DEVICE,
  purpose: 'shared',
}
/** Another uplink of the same machine. */
export const OFFICE: LocalSocket = {
  id: 2,
  address: { ip: '10.0.0.2', port: PORT },
  device: DEVICE,
  purpose: 'shared',
}
export const HOME6: LocalSocket = {
  id: 3,
  address: { ip: '2001:db8:1::2', port: PORT },
  device: DEVICE,
  purpose: 'shared',
}

/** A far host of a number from 1 up. */
export function remote(host: number, port = PORT): SocketAddress {
  return { ip: `203.0.${113 + Math.floor(host / 250)}.${host % 250}`, port }
}

export function candidate(type: CandidateType, address: SocketAddress): Candidate {
  return { type, address }
}

/** A route to `prefix`, through a WireGuard interface where `tunnel` is true. */
export function route(
  prefix: string,
  tunnel: boolean,
  device: string | undefined = tunnel ? 'wg0' : DEVICE,
): MachineRoute {
  return { prefix: prefixOf(prefix), device, tunnel }
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text)
  if (prefix === undefined) throw new TypeError(`${text} is no prefix`)
  return prefix
}

/** Addresses of both families and every scope. */
export const anyIp: fc.Arbitrary<string> = fc.oneof(
  fc.oneof(fc.ipV4(), fc.ipV6()).map((text) => canonicalIp(text) ?? '192.0.2.1'),
  fc.constantFrom('127.0.0.1', '::1', '0.0.0.0', '::', '169.254.1.1', 'fe80::1', '224.0.0.1', 'ff02::1'),
  fc.constantFrom('192.168.1.2', '10.0.0.2', '10.0.0.3', '203.0.113.1', '2001:db8:1::2', '2001:db8:2::1'),
)

/** Routes of which many lie in each other. */
export const anyRoutes: fc.Arbitrary<readonly MachineRoute[]> = fc.uniqueArray(
  fc.record({
    prefix: fc.oneof(
      fc.nat({ max: 32 }).map((length) => ({ ip: '10.0.0.2', length })),
      fc.nat({ max: 32 }).map((length) => ({ ip: '203.0.113.1', length })),
      fc.nat({ max: 128 }).map((length) => ({ ip: '2001:db8:1::2', length })),
    ),
    device: fc.constantFrom(DEVICE, OTHER_DEVICE, undefined),
    tunnel: fc.boolean(),
  }),
  { selector: ({ prefix }) => `${prefix.ip}/${prefix.length}`, maxLength: 12 },
)
