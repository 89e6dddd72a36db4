/**
 * Pairs of machines in networks of every kind, beside those of two gateways of RFC 4787's kinds: how each is placed, and
 * how the two come to talk where there is a member relay.
 */

import type { Host } from './host.js'
import type { Laboratory } from './laboratory.js'

export interface Meeting {
  readonly name: string
  /** In the end; a relayed path may carry until then. */
  readonly way: 'direct' | 'relayed'
  /** Places the two; `name` begins the names of all that is made. */
  readonly place: (lab: Laboratory, name: string) => Promise<readonly [from: Host, to: Host]>
  /** False where one of the two can send no UDP. */
  readonly hasUdp: boolean
  /** True where one of the two has no IPv4 that works. */
  readonly needsIpv6?: boolean
}

export const MEETINGS: readonly Meeting[] = [
  {
    name: 'a carrier-grade NAT on one side',
    way: 'direct',
    place: (lab, name) =>
      Promise.all([behindCarrier(lab, `${name}-a`), lab.hostWith('port-restricted', { name: `${name}-b` })]),
    hasUdp: true,
  },
  {
    name: 'carrier-grade NATs on both sides',
    way: 'direct',
    place: (lab, name) => Promise.all([behindCarrier(lab, `${name}-a`), behindCarrier(lab, `${name}-b`)]),
    hasUdp: true,
  },
  {
    name: 'the same gateway, with LAN contact',
    way: 'direct',
    place: (lab, name) => behindOne(lab, name, {}),
    hasUdp: true,
  },
  {
    name: 'the same gateway, which hairpins, without LAN contact',
    way: 'direct',
    place: (lab, name) => behindOne(lab, name, { isolated: true, hairpins: true }),
    hasUdp: true,
  },
  {
    name: 'the same gateway, which does not hairpin, without LAN contact',
    way: 'relayed',
    place: (lab, name) => behindOne(lab, name, { isolated: true }),
    hasUdp: true,
  },
  {
    name: 'IPv6 only, both behind firewalls',
    way: 'direct',
    place: (lab, name) => Promise.all([withIpv6Only(lab, `${name}-a`), withIpv6Only(lab, `${name}-b`)]),
    hasUdp: true,
    needsIpv6: true,
  },
  {
    name: 'IPv6 only on one side, IPv4 only on the other',
    way: 'relayed',
    place: (lab, name) =>
      Promise.all([withIpv6Only(lab, `${name}-a`), lab.hostWith('port-restricted', { name: `${name}-b` })]),
    hasUdp: true,
    needsIpv6: true,
  },
  {
    name: 'both families on both sides, IPv4 blocked on one',
    way: 'direct',
    place: (lab, name) => Promise.all([withoutIpv4(lab, `${name}-a`), withBoth(lab, `${name}-b`)]),
    hasUdp: true,
    needsIpv6: true,
  },
  {
    name: 'no UDP on one side',
    way: 'relayed',
    place: (lab, name) =>
      Promise.all([withoutUdp(lab, `${name}-a`), lab.hostWith('port-restricted', { name: `${name}-b` })]),
    hasUdp: false,
  },
  {
    name: 'no UDP on both sides',
    way: 'relayed',
    place: (lab, name) => Promise.all([withoutUdp(lab, `${name}-a`), withoutUdp(lab, `${name}-b`)]),
    hasUdp: false,
  },
]

async function behindCarrier(lab: Laboratory, name: string): Promise<Host> {
  const carrier = await lab.gateway('port-restricted', { name: `${name}-cgn`, isCarrierGrade: true })
  const home = await lab.gateway('port-restricted', { name: `${name}-gw`, behind: carrier })
  return lab.host({ name, behind: home })
}

async function behindOne(
  lab: Laboratory,
  name: string,
  options: { readonly isolated?: boolean; readonly hairpins?: boolean },
): Promise<readonly [Host, Host]> {
  const gateway = await lab.gateway('port-restricted', { name: `${name}-gw`, ...options })
  return Promise.all([
    lab.host({ name: `${name}-a`, behind: gateway }),
    lab.host({ name: `${name}-b`, behind: gateway }),
  ])
}

async function withIpv6Only(lab: Laboratory, name: string): Promise<Host> {
  const gateway = await lab.gateway('symmetric', { name: `${name}-gw`, ipv6: true })
  return lab.host({ name, behind: gateway, family: 6 })
}

/** IPv4 behind a symmetric NAT, IPv6 behind a firewall. */
async function withBoth(lab: Laboratory, name: string): Promise<Host> {
  return lab.host({ name, behind: await lab.gateway('symmetric', { name: `${name}-gw`, ipv6: true }) })
}

/** It has IPv4, and nothing of it gets through. */
async function withoutIpv4(lab: Laboratory, name: string): Promise<Host> {
  const gateway = await lab.gateway('symmetric', { name: `${name}-gw`, ipv6: true })
  await gateway.blockIpv4(true)
  return lab.host({ name, behind: gateway })
}

async function withoutUdp(lab: Laboratory, name: string): Promise<Host> {
  const gateway = await lab.gateway('port-restricted', { name: `${name}-gw` })
  await gateway.blockUdp(true)
  return lab.host({ name, behind: gateway })
}
