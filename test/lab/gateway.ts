/**
 * A gateway: a router with a public side (`wan`), a LAN, and a NAT of one of RFC 4787's kinds between them.
 *
 * | kind               | mapping (section 4.1)      | filtering (section 5)      |
 * | ------------------ | -------------------------- | -------------------------- |
 * | full-cone          | endpoint-independent       | endpoint-independent       |
 * | address-restricted | endpoint-independent       | address-dependent          |
 * | port-restricted    | endpoint-independent       | address-and-port-dependent |
 * | symmetric          | address-and-port-dependent | address-and-port-dependent |
 *
 * Linux's own NAT is address-and-port-dependent in both, but keeps the inner port where it can, so that its mapping
 * looks endpoint-independent: that is `port-restricted`, the home router as it is. (It can't where two inner hosts talk
 * from the same port to the same remote: the second one is given a port at random for that remote.) The kinds before it
 * note in `owners` which inner host sends from a port and send what comes in for the port there, though it was not asked
 * for; `address-restricted` only from addresses in `contacts`, to which that port has sent. `symmetric` takes a port at
 * random for each new flow. What the first two have noted does not expire; conntrack's own mappings do, after 30 s
 * without a packet (120 s once both sides have sent).
 *
 * What is not wanted must end in the input chain: were it let through to the gateway itself, its conntrack entry would
 * hold the port, and the next packet from inside to that remote would be given another one.
 *
 * There is no hairpinning unless it is asked for (`hairpins`): then what a host of the LAN sends to the gateway's public
 * address comes back to the host that owns the port, from the public address, as RFC 4787 section 6 (REQ-9) wants it.
 * Members of an `isolated` LAN do not reach each other on it, as in the Wi-Fi of a hotel. With `ipv6`, the LAN has global
 * IPv6 addresses behind a firewall that lets in what was asked for.
 */

import type { MappingProtocol } from '../../src/engine/path/mappedPort.js'
import { until } from '../until.js'
import type { Namespace } from './namespace.js'
import { PortDaemon, portRules } from './portDaemon.js'
import type { Segment, UplinkOptions } from './segment.js'

export type GatewayKind = 'full-cone' | 'address-restricted' | 'port-restricted' | 'symmetric'

export interface GatewayOptions {
  readonly hairpins?: boolean
}

/** Which way what is blocked goes: out of the LAN, into it, or both. */
export type BlockedWays = 'both' | 'outward' | 'inward'

const WAN = 'wan'
const LAN = 'lan'
/** Addresses that are neither private nor reserved; here they lead nowhere but to gateways of the laboratory. */
const ROUTABLE_PREFIX = '25.0.113.'

export class Gateway {
  readonly kind: GatewayKind
  readonly namespace: Namespace
  readonly lan: Segment
  readonly #uplink: Segment
  #address: string

  private constructor(
    kind: GatewayKind,
    namespace: Namespace,
    uplink: Segment,
    lan: Segment,
    address: string,
  ) {
    this.kind = kind
    this.namespace = namespace
    this.#uplink = uplink
    this.lan = lan
    this.#address = address
  }

  /** Turns a namespace that has a LAN into a gateway to `uplink`. */
  static async create(
    kind: GatewayKind,
    namespace: Namespace,
    uplink: Segment,
    lan: Segment,
    options: UplinkOptions & GatewayOptions,
  ): Promise<Gateway> {
    await namespace.configure({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }, [])
    const { address, address6 } = await uplink.join(namespace, WAN, options)
    await namespace.nft(ruleset(kind, lan.address, options.hairpins === true ? address : undefined))
    if (lan.network6 !== undefined && address6 !== undefined)
      await uplink.namespace.configure({}, [`route add ${lan.network6} via ${address6}`])
    return new Gateway(kind, namespace, uplink, lan, address)
  }

  /** Its address on the public side. */
  get address(): string {
    return this.#address
  }

  /** Takes another address on the public side and forgets every mapping, as after a new lease of the provider. */
  async renumber(): Promise<void> {
    const { address, ipCommands } = this.#uplink.renumber(WAN)
    await this.namespace.configure({}, [`address del ${this.#address}/24 dev ${WAN}`, ...ipCommands])
    this.#address = address
    await this.forgetMappings()
  }

  /** Forgets every mapping, as at a restart. */
  async forgetMappings(): Promise<void> {
    await this.namespace.nft('flush map inet gateway owners\nflush set inet gateway contacts\n')
    await this.namespace.run('conntrack', ['-F'])
  }

  /** Passes nothing on for so long, and has no mapping left then. */
  async reboot(ms: number): Promise<void> {
    await this.#block(['drop'])
    const upAt = performance.now() + ms
    await until('the gateway to be up', () => performance.now() >= upAt, 2 * ms)
    await this.forgetMappings()
    await this.#block([])
  }

  /**
   * Opens ports for hosts in the LAN by these protocols, with the program that many home routers have. For that the
   * gateway takes another address on the public side, and keeps it: the program refuses to work with one that is set
   * aside for documentation, as all of the laboratory's are.
   */
  async openPorts(protocols: readonly MappingProtocol[]): Promise<PortDaemon> {
    const address = `${ROUTABLE_PREFIX}${this.#address.split('.').at(-1)}`
    const { namespace, bridge, address: router } = this.#uplink
    await this.namespace.configure({}, [
      `address del ${this.#address}/24 dev ${WAN}`,
      `address add ${address}/32 dev ${WAN}`,
      `route add ${router}/32 dev ${WAN}`,
      `route replace default via ${router} dev ${WAN}`,
    ])
    await namespace.configure({}, [`route add ${address}/32 dev ${bridge}`])
    this.#address = address
    await this.namespace.nft(portRules(protocols))
    return PortDaemon.start(this.namespace, { wan: WAN, lan: LAN, protocols })
  }

  /** Drops all UDP between the LAN and the public side, or no longer does. */
  async blockUdp(block: boolean): Promise<void> {
    await this.#block(block ? ['meta l4proto udp drop'] : [])
  }

  /**
   * Drops all UDP between the LAN and one address on the public side, or what goes one way only; without an address no
   * longer.
   */
  async blockUdpWith(address: string | undefined, ways: BlockedWays = 'both'): Promise<void> {
    const family = address?.includes(':') === true ? 'ip6' : 'ip'
    const sides = [
      ...(ways === 'inward' ? [] : [`${family} daddr ${address}`]),
      ...(ways === 'outward' ? [] : [`${family} saddr ${address}`]),
    ]
    await this.#block(address === undefined ? [] : sides.map((side) => `${side} meta l4proto udp drop`))
  }

  /** Drops all IPv4 between the LAN and the public side, or no longer does. */
  async blockIpv4(block: boolean): Promise<void> {
    await this.#block(block ? ['meta nfproto ipv4 drop'] : [])
  }

  /** These rules, and no others. */
  async #block(rules: readonly string[]): Promise<void> {
    const added = rules.map((rule) => `add rule inet gateway blocked ${rule}\n`)
    await this.namespace.nft(`flush chain inet gateway blocked\n${added.join('')}`)
  }
}

/** `hairpinAddress`: the public address at which hosts of the LAN reach each other; undefined where they do not. */
function ruleset(kind: GatewayKind, lanAddress: string, hairpinAddress: string | undefined): string {
  const unsolicited = {
    'full-cone': `iifname ${WAN} dnat ip to udp dport map @owners`,
    'address-restricted': `iifname ${WAN} udp dport . ip saddr @contacts dnat ip to udp dport map @owners`,
    'port-restricted': '',
    symmetric: '',
  }[kind]
  const hairpin =
    hairpinAddress === undefined
      ? { inward: '', outward: '' }
      : {
          inward: `iifname ${LAN} ip daddr ${hairpinAddress} dnat ip to udp dport map @owners`,
          outward: `iifname ${LAN} oifname ${LAN} snat ip to ${hairpinAddress}`,
        }
  const masquerade = kind === 'symmetric' ? 'masquerade fully-random' : 'masquerade'
  return `
table inet gateway {
  map owners { type inet_service : ipv4_addr; flags dynamic; size 65535; }
  set contacts { type inet_service . ipv4_addr; flags dynamic; size 65535; }
  chain unsolicited {
    type nat hook prerouting priority dstnat
    ${unsolicited}
    ${hairpin.inward}
  }
  chain outward {
    type nat hook postrouting priority srcnat
    oifname ${WAN} meta nfproto ipv4 ${masquerade}
    ${hairpin.outward}
  }
  chain blocked {
  }
  chain through {
    type filter hook forward priority filter; policy drop
    jump blocked
    iifname ${LAN} oifname ${WAN} ip protocol udp add @owners { udp sport : ip saddr } add @contacts { udp sport . ip daddr }
    ct state established,related accept
    iifname ${LAN} accept
    ct status dnat accept
  }
  chain input {
    type filter hook input priority filter; policy drop
    iifname lo accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
    iifname ${LAN} ip daddr ${lanAddress} accept
  }
}
`
}
