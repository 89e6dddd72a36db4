/**
 * A small internet in network namespaces of one machine. Needs root and the programs of test/packages.ts.
 *
 *     const lab = await Laboratory.create()
 *     const home = await lab.gateway('port-restricted')
 *     const alice = await lab.host({ behind: home, name: 'alice' })   192.168.1.10, seen as 203.0.113.10
 *     const bob = await lab.host({ name: 'bob' })                     203.0.113.11 and 2001:db8::11
 *     await alice.ping(bob.address)
 *     await lab.close()
 *
 * The internet is a bridge with 203.0.113.0/24 and 2001:db8::/64 (RFC 5737, RFC 3849). A private destination goes
 * nowhere on it. Gateways know IPv4 only, unless IPv6 is asked for. Nothing of it is seen in the machine's own network, and nothing in it reaches
 * out. It is removed by `close`, by the end of this process, or, had that no time left, by the next laboratory.
 */

import { type Capture, startCapture } from './capture.js'
import { Gateway, type GatewayKind, type GatewayOptions } from './gateway.js'
import { Host } from './host.js'
import { Namespace } from './namespace.js'
import { Scope } from './scope.js'
import { Segment, type UplinkOptions } from './segment.js'

/** How a host reaches the internet: with an address on it, or from behind a gateway. */
export type Access = 'open' | GatewayKind

export const ACCESS_KINDS: readonly Access[] = [
  'open',
  'full-cone',
  'address-restricted',
  'port-restricted',
  'symmetric',
]

export interface PlaceOptions extends UplinkOptions {
  /** Lower-case letters, digits and hyphens, unique in the laboratory. */
  readonly name?: string
  /** On whose LAN it stands; on the internet itself where absent. */
  readonly behind?: Gateway
}

/** What a gateway has besides its kind. */
export interface HomeOptions extends PlaceOptions, GatewayOptions {
  /** The LAN's addresses are those of a carrier's network (100.64.0.0/10, RFC 6598). */
  readonly isCarrierGrade?: boolean
  /** Members of the LAN do not reach each other. */
  readonly isolated?: boolean
  /** The LAN has global IPv6 addresses. The gateway must stand on the internet itself. */
  readonly ipv6?: boolean
}

export interface HostOptions extends PlaceOptions {
  /** The only family it has; default both, where its segment has both. */
  readonly family?: 4 | 6
}

export class Laboratory {
  readonly #scope: Scope
  readonly #internet: Segment
  #gateways = 0
  #hosts = 0

  private constructor(scope: Scope, internet: Segment) {
    this.#scope = scope
    this.#internet = internet
  }

  /** Removes what killed runs left behind, and makes an internet with nobody on it. */
  static async create(): Promise<Laboratory> {
    if (process.getuid?.() !== 0) throw new Error('the laboratory makes network namespaces: run it as root')
    const scope = new Scope()
    const namespace = await Namespace.create(scope, 'internet')
    const internet = await Segment.create(namespace, 'internet', '203.0.113.', '2001:db8::')
    await namespace.configure({ 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 }, [
      'route add blackhole 10.0.0.0/8',
      'route add blackhole 100.64.0.0/10',
      'route add blackhole 172.16.0.0/12',
      'route add blackhole 192.168.0.0/16',
    ])
    return new Laboratory(scope, internet)
  }

  /** A directory for files of this laboratory, readable by its user only and removed with it. */
  get directory(): string {
    return this.#scope.directory
  }

  /**
   * Adds a gateway with a LAN of its own: the first has 192.168.1.0/24 (or 100.64.1.0/24), the next 192.168.2.0/24, and so on; with
   * IPv6 the n-th has 2001:db8:n::/64.
   */
  async gateway(kind: GatewayKind, options: HomeOptions = {}): Promise<Gateway> {
    const number = ++this.#gateways
    const namespace = await Namespace.create(this.#scope, options.name ?? `gateway${number}`)
    const lan = await Segment.create(
      namespace,
      'lan',
      options.isCarrierGrade === true ? `100.64.${number}.` : `192.168.${number}.`,
      options.ipv6 === true ? `2001:db8:${number}::` : undefined,
      options.isolated,
    )
    return Gateway.create(kind, namespace, this.#segmentOf(options), lan, options)
  }

  /** Adds a host. */
  async host(options: HostOptions = {}): Promise<Host> {
    const number = ++this.#hosts
    const namespace = await Namespace.create(this.#scope, options.name ?? `host${number}`)
    const host = new Host(namespace, await this.#segmentOf(options).join(namespace, 'eth0', options))
    if (options.family !== undefined) await host.loseFamily(options.family === 4 ? 6 : 4)
    return host
  }

  /** Adds a host and, unless it stands in the open, a gateway of its own before it; a delay is the gateway's. */
  async hostWith(
    access: Access,
    { name, ...uplink }: UplinkOptions & { readonly name?: string } = {},
  ): Promise<Host> {
    const named = name === undefined ? {} : { name }
    if (access === 'open') return this.host({ ...named, ...uplink })
    const gatewayName = name === undefined ? {} : { name: `${name}-gateway` }
    return this.host({ ...named, behind: await this.gateway(access, { ...gatewayName, ...uplink }) })
  }

  /** Pulls a host's cable and plugs it in elsewhere; resolves to how long it had no network, in ms. */
  move(host: Host, to: PlaceOptions = {}): Promise<number> {
    return host.replug(() => this.#segmentOf(to).join(host.namespace, 'eth0', to))
  }

  /** Gives a host another device, with a way out of its own; of several the one with the lowest metric is used. */
  async addDevice(host: Host, device: string, to: PlaceOptions): Promise<void> {
    await this.#segmentOf(to).join(host.namespace, device, to)
  }

  /** Starts to record all that crosses the internet. */
  capture(): Promise<Capture> {
    return startCapture(this.#internet.namespace, this.#internet.bridge)
  }

  /** Stops every process and removes everything. */
  close(): Promise<void> {
    return this.#scope.close()
  }

  #segmentOf({ behind }: PlaceOptions): Segment {
    return behind?.lan ?? this.#internet
  }
}
