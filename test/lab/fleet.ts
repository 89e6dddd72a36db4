/**
 * A fleet in a laboratory: bootstrap nodes in the open, and machines with WireGuard and our daemon, each a peer of every
 * other one.
 *
 *     const fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'symmetric' })
 *     await fleet.start()
 *     await fleet.machine('alice').host.ping(fleet.machine('bob').tunnelAddress)
 */

import { BootstrapNode, type DaemonOptions, UpNode } from './daemons.js'
import type { Host } from './host.js'
import type { Access, Laboratory } from './laboratory.js'
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
  /** Changes what a machine's WireGuard is told of another one; by default its key and tunnel address only. */
  readonly peer?: (of: string, peer: string, usual: WireGuardPeer) => WireGuardPeer
}

export class Fleet {
  readonly bootstrap: readonly BootstrapNode[]
  readonly machines: readonly Machine[]

  private constructor(bootstrap: readonly BootstrapNode[], machines: readonly Machine[]) {
    this.bootstrap = bootstrap
    this.machines = machines
  }

  /** Makes the machines with their WireGuard, and starts the bootstrap nodes; no other daemon yet. */
  static async create(
    lab: Laboratory,
    placements: Readonly<Record<string, Placement>>,
    { bootstrapNodes = 2, peer = (_of, _peer, usual) => usual }: FleetOptions = {},
  ): Promise<Fleet> {
    const bootstrap: BootstrapNode[] = []
    for (let index = 1; index <= bootstrapNodes; index++) {
      const known = bootstrap.map(({ multiaddr }) => multiaddr)
      const host = await lab.host({ name: `bootstrap${index}` })
      bootstrap.push(await BootstrapNode.start(host, { bootstrap: known }))
    }
    const plans = Object.entries(placements).map(([name, placement], index) => ({
      name,
      placement,
      keys: generateWireGuardKeys(),
      address: `10.9.0.${index + 1}`,
    }))
    const machines: Machine[] = []
    for (const plan of plans) {
      const host =
        typeof plan.placement === 'string'
          ? await lab.hostWith(plan.placement, { name: plan.name })
          : plan.placement
      const peers = plans
        .filter((other) => other !== plan)
        .map((other) => peer(plan.name, other.name, usualPeer(other.keys, other.address)))
      const wireguard = await WireGuard.create(host, { addresses: [plan.address], keys: plan.keys, peers })
      machines.push(new Machine(plan.name, host, wireguard))
    }
    return new Fleet(bootstrap, machines)
  }

  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name)
    if (found === undefined) throw new Error(`the fleet has no machine ${name}`)
    return found
  }

  /** Where the bootstrap nodes are. */
  get known(): readonly string[] {
    return this.bootstrap.map(({ multiaddr }) => multiaddr)
  }

  /** Starts a machine's daemon; where the fleet has others than its bootstrap nodes to know, `options` name them. */
  async startMachine(machine: Machine, options: DaemonOptions = {}): Promise<UpNode> {
    machine.node = await UpNode.start(machine.wireguard, { bootstrap: this.known, ...options })
    return machine.node
  }

  /** Starts the daemons of all machines, and waits until others can find them. */
  async start(): Promise<void> {
    await Promise.all(this.machines.map((machine) => this.startMachine(machine)))
    await Promise.all(this.machines.map((machine) => machine.daemon.untilPublished()))
  }
}

function usualPeer(keys: WireGuardKeys, address: string): WireGuardPeer {
  return { publicKey: keys.publicKey, allowedIps: [`${address}/32`] }
}
