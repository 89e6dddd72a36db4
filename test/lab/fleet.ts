/**
 * A fleet in a laboratory: bootstrap nodes in the open, and machines with WireGuard and our daemon, each a peer of every
 * other one.
 *
 *     const fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'symmetric' })
 *     await fleet.start()
 *     await fleet.machine('alice').host.ping(fleet.machine('bob').tunnelAddress)
 */

import { BootstrapNode, type DaemonOptions, UpNode } from './daemons.js'
import type { Gateway } from './gateway.js'
import type { Host } from './host.js'
import type { Access, Laboratory } from './laboratory.js'
import { writeNetworkKey } from './networkKeyFile.js'
import { generateWireGuardKeys, WireGuard, type WireGuardKeys, type WireGuardPeer } from './wireguard.js'

/** A machine of the fleet. */
export class Machine {
  readonly name: string
  readonly host: Host
  readonly wireguard: WireGuard
  /** The daemon, once it was started. */
  node: UpNode | undefined = undefined

  constructor(name: string, host: Host, wireguard: WireGuard) {
    this.name = name
    this.host = host
    this.wireguard = wireguard
  }

  /** Its address inside the tunnel. */
  get tunnelAddress(): string {
    const [address] = this.wireguard.addresses
    if (address === undefined) throw new Error(`${this.name} has no tunnel address`)
    return address
  }

  /** The daemon that runs here. */
  get daemon(): UpNode {
    if (this.node === undefined) throw new Error(`no daemon runs on ${this.name}`)
    return this.node
  }
}

/** How a machine is placed: an access of its own, or a host that is there already. */
export type Placement = Access | Host

export interface FleetOptions {
  /** How many bootstrap nodes; default 2. */
  readonly bootstrapNodes?: number
  /** True where the network is closed with a key, so that bootstrap nodes relay for all. */
  readonly isClosed?: boolean
  /** False where no daemon relays; by default each does that serves, for its own peers at least. */
  readonly relays?: boolean
  /** False for a machine that can send no UDP. */
  readonly hasUdp?: (name: string) => boolean
  /** True for a machine that is told of the bootstrap nodes' IPv6 addresses as well. */
  readonly needsIpv6?: (name: string) => boolean
  /**
   * What the WireGuard of machine `of` is told of another one; by default its key and tunnel address only. Undefined
   * where they are no peers.
   */
  readonly peer?: (of: string, peer: string, usual: WireGuardPeer) => WireGuardPeer | undefined
}

export class Fleet {
  readonly machines: readonly Machine[]
  #bootstrap: readonly BootstrapNode[]

  /** What every daemon is given. */
  readonly #arguments: readonly string[]
  readonly #hasUdp: (name: string) => boolean
  readonly #needsIpv6: (name: string) => boolean

  private constructor(
    bootstrap: readonly BootstrapNode[],
    machines: readonly Machine[],
    args: readonly string[],
    hasUdp: (name: string) => boolean,
    needsIpv6: (name: string) => boolean,
  ) {
    this.#bootstrap = bootstrap
    this.machines = machines
    this.#arguments = args
    this.#hasUdp = hasUdp
    this.#needsIpv6 = needsIpv6
  }

  /** Makes the machines with their WireGuard, and starts the bootstrap nodes; no other daemon yet. */
  static async create(
    lab: Laboratory,
    placements: Readonly<Record<string, Placement>>,
    {
      bootstrapNodes = 2,
      isClosed = false,
      relays = true,
      hasUdp = () => true,
      needsIpv6 = () => false,
      peer = (_of, _peer, usual) => usual,
    }: FleetOptions = {},
  ): Promise<Fleet> {
    const plans = Object.entries(placements).map(([name, placement], index) => ({
      name,
      placement,
      keys: generateWireGuardKeys(),
      address: `10.9.0.${index + 1}`,
    }))
    const makeMachine = async ({
      name,
      placement,
      keys,
      address,
    }: (typeof plans)[number]): Promise<Machine> => {
      const host = typeof placement === 'string' ? await lab.hostWith(placement, { name }) : placement
      const peers = plans
        .filter((other) => other.name !== name)
        .map((other) => peer(name, other.name, usualPeer(other.keys, other.address)))
        .filter((other) => other !== undefined)
      return new Machine(name, host, await WireGuard.create(host, { addresses: [address], keys, peers }))
    }
    const args = [
      ...(isClosed ? ['--network-key', await writeNetworkKey(lab)] : []),
      ...(relays ? [] : ['--no-relay']),
    ]
    const [bootstrap, machines] = await Promise.all([
      startBootstrapNodes(lab, bootstrapNodes, args),
      Promise.all(plans.map(makeMachine)),
    ])
    return new Fleet(bootstrap, machines, args, hasUdp, needsIpv6)
  }

  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name)
    if (found === undefined) throw new Error(`the fleet has no machine ${name}`)
    return found
  }

  get bootstrap(): readonly BootstrapNode[] {
    return this.#bootstrap
  }

  /** Starts a bootstrap node again that was killed. */
  async restartBootstrap(killed: BootstrapNode): Promise<void> {
    const others = this.#bootstrap.filter((node) => node !== killed)
    const bootstrap = others.map(({ multiaddr }) => multiaddr)
    const node = await BootstrapNode.start(killed.host, { bootstrap, args: this.#arguments })
    this.#bootstrap = [...others, node]
  }

  /** Where the bootstrap nodes are. */
  get known(): readonly string[] {
    return this.bootstrap.map(({ multiaddr }) => multiaddr)
  }

  /** The same over IPv6. */
  get known6(): readonly string[] {
    return this.bootstrap.map(({ multiaddr6 }) => multiaddr6)
  }

  /** Starts a machine's daemon; where the fleet has others than its bootstrap nodes to know, `options` name them. */
  async startMachine(machine: Machine, options: DaemonOptions = {}): Promise<UpNode> {
    const args = [...this.#arguments, ...(options.args ?? [])]
    const bootstrap = this.#needsIpv6(machine.name) ? [...this.known, ...this.known6] : this.known
    machine.node = await UpNode.start(machine.wireguard, { bootstrap, ...options, args })
    return machine.node
  }

  /** Starts the daemons of all machines, and waits until others can find them. */
  async start(): Promise<void> {
    await Promise.all(this.machines.map((machine) => this.startMachine(machine)))
    await Promise.all(
      this.machines.map((machine) => machine.daemon.untilPublished(this.#hasUdp(machine.name))),
    )
  }
}

/** One after the other: each is told of those before it. */
async function startBootstrapNodes(
  lab: Laboratory,
  count: number,
  args: readonly string[],
): Promise<readonly BootstrapNode[]> {
  const nodes: BootstrapNode[] = []
  for (let number = 1; number <= count; number++) {
    const bootstrap = nodes.map(({ multiaddr }) => multiaddr)
    const host = await lab.host({ name: `bootstrap${number}` })
    nodes.push(await BootstrapNode.start(host, { bootstrap, args }))
  }
  return nodes
}

function usualPeer(keys: WireGuardKeys, address: string): WireGuardPeer {
  return { publicKey: keys.publicKey, allowedIps: [`${address}/32`] }
}

/** Waits until a machine talks to another one at the public address of its gateway. */
export async function untilDirectAt(machine: Machine, other: Machine, gateway: Gateway): Promise<void> {
  await machine.daemon.untilPeer(
    other.wireguard.keys.publicKey,
    `direct at ${gateway.address}`,
    ({ state, path }) => state === 'direct' && path?.remote.startsWith(`${gateway.address}:`) === true,
  )
}
