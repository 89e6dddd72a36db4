/**
 * A segment: what is joined on one link, as Ethernet has it. A bridge in a namespace of its owner (the internet, or a
 * gateway's LAN), which gives each member an address. Members take part through a veth pair:
 *
 *     member's namespace          the segment's namespace
 *     eth0 ─────────────── port3 ─ bridge
 *     eth0 ─────────────── port3 ─ slow3 (bridge) ─ near3 (TAP) ─ delayLine ─ far3 (TAP) ─ bridge     with a delay
 *
 * The kernels at hand have no netem; so a delay is made by a process that passes frames between two TAP devices.
 */

import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { until } from '../until.js'
import { ipBatch, type Namespace } from './namespace.js'

const DELAY_LINE = fileURLToPath(new URL('./programs/delayLine.js', import.meta.url))
/** Addresses from here on are given to members; those below are the segment's own. */
const FIRST_MEMBER = 10
const LAST_MEMBER = 254

/** Where a member stands on a segment. */
export interface Membership {
  readonly address: string
  /** Absent on a segment without IPv6. */
  readonly address6: string | undefined
  /** The lines of an `ip -batch` which give the member's device its addresses and default routes. */
  readonly ipCommands: readonly string[]
}

export interface UplinkOptions {
  /** Of the default routes; the lowest is used. By default they take the place of those that are there. */
  readonly metric?: number
  /** Holds back every frame for so many milliseconds, in each direction: a round trip takes twice that longer. */
  readonly delayMs?: number
}

export class Segment {
  readonly namespace: Namespace
  readonly bridge: string
  readonly #prefix: string
  readonly #prefix6: string | undefined
  readonly #isolated: boolean
  #members = 0
  /** Who was given which number: a device that comes back has it again, as a DHCP server would have it. */
  readonly #numbers = new Map<string, number>()

  private constructor(
    namespace: Namespace,
    bridge: string,
    prefix: string,
    prefix6: string | undefined,
    isolated: boolean,
  ) {
    this.namespace = namespace
    this.bridge = bridge
    this.#prefix = prefix
    this.#prefix6 = prefix6
    this.#isolated = isolated
  }

  /**
   * Makes the bridge. `prefix` is the first three bytes of a /24 with the dot after them (`192.168.1.`), `prefix6` all
   * but the last group of a /64 (`2001:db8::`). The bridge has number 1 in both, and is the members' default gateway. Where
   * it is isolated, members reach nobody but the bridge.
   */
  static async create(
    namespace: Namespace,
    bridge: string,
    prefix: string,
    prefix6?: string,
    isolated = false,
  ): Promise<Segment> {
    await namespace.configure({}, [
      `link add ${bridge} type bridge mcast_snooping 0`,
      `address add ${prefix}1/24 dev ${bridge}`,
      ...(prefix6 === undefined ? [] : [`address add ${prefix6}1/64 dev ${bridge} nodad`]),
      `link set ${bridge} up`,
    ])
    return new Segment(namespace, bridge, prefix, prefix6, isolated)
  }

  /** The segment's own address, its members' default gateway. */
  get address(): string {
    return `${this.#prefix}1`
  }

  /** Its IPv6 network, with its length; undefined without IPv6. */
  get network6(): string | undefined {
    return this.#prefix6 === undefined ? undefined : `${this.#prefix6}/64`
  }

  /** Joins a namespace through a new device there, which is up and has its addresses when this resolves. */
  async join(
    member: Namespace,
    device: string,
    { delayMs = 0, metric }: UplinkOptions = {},
  ): Promise<Membership> {
    const { number, membership } = this.#next(device, this.#numberOf(member, device), metric)
    const port = `port${number}`
    await ipBatch([
      `link add ${device} netns ${member.name} address ${macOf(member, device)} type veth peer name ${port} netns ${this.namespace.name}`,
    ])
    if (delayMs === 0) {
      await this.namespace.configure({}, [
        `link set ${port} master ${this.bridge} up`,
        ...(this.#isolated ? [`link set ${port} type bridge_slave isolated on`] : []),
      ])
    } else {
      const [slow, near, far] = [`slow${number}`, `near${number}`, `far${number}`]
      await this.namespace.configure({}, [
        `link add ${slow} type bridge mcast_snooping 0`,
        `tuntap add dev ${near} mode tap`,
        `tuntap add dev ${far} mode tap`,
        `link set ${port} master ${slow} up`,
        `link set ${near} master ${slow} up`,
        `link set ${far} master ${this.bridge} up`,
        `link set ${slow} up`,
      ])
      const line = this.namespace.spawn(process.execPath, [DELAY_LINE, near, far, String(delayMs)], {
        stopLast: true,
      })
      await line.waitForOutput(/^ready$/m)
    }
    await member.configure({}, [`link set ${device} up`])
    await until(`${device} of ${member.shortName} to have a link`, () => this.#isForwarding(port))
    await member.configure({}, membership.ipCommands)
    return membership
  }

  /** Another place for the same device of a member that has joined. */
  renumber(device: string): Membership {
    return this.#next(device, this.#newNumber()).membership
  }

  /**
   * Whether what comes to a port of the bridge is passed on. Now and then the kernel takes a second for that, and would lose
   * the first packets; no machine is given an address before its link is there.
   */
  async #isForwarding(port: string): Promise<boolean> {
    const { stdout } = await this.namespace.run('bridge', ['link', 'show', 'dev', port])
    return stdout.includes('state forwarding')
  }

  #numberOf(member: Namespace, device: string): number {
    const name = `${member.name} ${device}`
    const number = this.#numbers.get(name) ?? this.#newNumber()
    this.#numbers.set(name, number)
    return number
  }

  #newNumber(): number {
    const number = FIRST_MEMBER + this.#members++
    if (number > LAST_MEMBER) throw new RangeError(`no address left in ${this.#prefix}0/24`)
    return number
  }

  #next(device: string, number: number, metric?: number): { number: number; membership: Membership } {
    const address = `${this.#prefix}${number}`
    // The decimal digits of the IPv4 address's last byte, read as hexadecimal: easier to recognise.
    const address6 = this.#prefix6 === undefined ? undefined : `${this.#prefix6}${number}`
    const rank = metric === undefined ? '' : ` metric ${metric}`
    const ipCommands = [
      `address add ${address}/24 dev ${device}`,
      ...(address6 === undefined ? [] : [`address add ${address6}/64 dev ${device} nodad`]),
      `route replace default via ${this.address} dev ${device}${rank}`,
      ...(this.#prefix6 === undefined
        ? []
        : [`route replace default via ${this.#prefix6}1 dev ${device}${rank}`]),
    ]
    return { number, membership: { address, address6, ipCommands } }
  }
}

/** The same wherever it is plugged in; of those that are locally administered. */
function macOf(member: Namespace, device: string): string {
  const bytes = createHash('sha256').update(`${member.name} ${device}`).digest().subarray(0, 5)
  return ['02', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
}
