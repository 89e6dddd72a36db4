/** Our own daemons on hosts of the laboratory, as real processes: the built command line. */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PublicKey } from '../../src/base/publicKey.js'
import { askStatus, NotRunningError } from '../../src/daemon/controlClient.js'
import { BOOTSTRAP_NAME } from '../../src/daemon/nodeName.js'
import { controlSocketPath } from '../../src/daemon/runDirectory.js'
import type { PeerStatus, Status } from '../../src/daemon/status.js'
import { until } from '../until.js'
import type { CommandOptions, CommandOutput } from './command.js'
import type { Host } from './host.js'
import type { LabProcess } from './labProcess.js'
import type { SmallDisk } from './smallDisk.js'
import type { WireGuard } from './wireguard.js'

/** The built command line beside the built tests. */
const CLI = join(import.meta.dirname, '../../src/cli.js')

/** Starting takes about a second; a machine that is busy with other tests takes longer. */
const START_DEADLINE_MS = 90_000

/** In a mount namespace of its own, which shares everything but this file. */
const WITH_RESOLV_CONF = 'mount --bind "$1" /etc/resolv.conf; shift; exec node "$@"'

/** Of a daemon that runs, and has to wait for the machine. One question lasts 2 s at most. */
const ANSWER_DEADLINE_MS = 60_000

export interface DaemonOptions {
  /** Multiaddrs of known nodes. */
  readonly bootstrap?: readonly string[]
  /** Whether it speaks mDNS. Not by default: the laboratory's internet is one link, which no real one is. */
  readonly lan?: boolean
  /** Whether it asks its gateway for ports. Not by default, for the gateways of most tests open none. */
  readonly portMapping?: boolean
  /** Further arguments. */
  readonly args?: readonly string[]
  /** A file that it has for /etc/resolv.conf; the machine's where absent. */
  readonly resolvConf?: string
  /** A disk of its own for what it remembers; {@link SmallDisk}. */
  readonly disk?: SmallDisk
}

/** What `node` is told to run a daemon as the classes below do; for tests of how it fails. `name` is the daemon's. */
export function daemonArguments(
  host: Host,
  name: string,
  command: readonly string[],
  { bootstrap = [], lan = false, portMapping = false, args = [] }: DaemonOptions = {},
): readonly string[] {
  const directory = daemonDirectory(host, name)
  return [
    CLI,
    ...command,
    ...bootstrap.flatMap((multiaddr) => ['--bootstrap', multiaddr]),
    ...['--state-dir', join(directory, 'state'), '--run-dir', join(directory, 'run')],
    ...(lan ? [] : ['--no-lan']),
    ...(portMapping ? [] : ['--no-port-mapping']),
    ...['--log-level', 'debug', ...args],
  ]
}

function daemonDirectory(host: Host, name: string): string {
  return join(host.namespace.scope.directory, name)
}

/** A daemon with a state and a run directory of its own, because hosts share the file system. */
class Daemon {
  readonly host: Host
  readonly process: LabProcess
  readonly #directory: string
  readonly #name: string

  /** `name` is the interface's, or `bootstrap`. */
  protected constructor(host: Host, name: string, process: LabProcess, directory: string) {
    this.host = host
    this.process = process
    this.#directory = directory
    this.#name = name
  }

  protected static async launch(
    host: Host,
    name: string,
    command: readonly string[],
    options: DaemonOptions,
  ): Promise<{ process: LabProcess; directory: string }> {
    const directory = daemonDirectory(host, name)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const args = daemonArguments(host, name, command, options)
    await options.disk?.mount(join(directory, 'state'))
    const process =
      options.resolvConf === undefined
        ? host.spawn(...(options.disk?.enter('node', args) ?? (['node', args] as const)))
        : host.spawn('unshare', ['--mount', 'sh', '-ec', WITH_RESOLV_CONF, 'sh', options.resolvConf, ...args])
    return { process, directory }
  }

  /** Where its control socket is while it runs. */
  get runDirectory(): string {
    return join(this.#directory, 'run')
  }

  /** What it remembers, also when it does not run. */
  get stateDirectory(): string {
    return join(this.#directory, 'state')
  }

  /** Runs the command line against this daemon. */
  cli(command: string, args: readonly string[] = [], options?: CommandOptions): Promise<CommandOutput> {
    return this.host.run('node', [CLI, command, ...args, '--run-dir', this.runDirectory], options)
  }

  /** Starts the command line against this daemon, where it does not end by itself. */
  spawnCli(command: string, args: readonly string[] = []): LabProcess {
    return this.host.spawn('node', [CLI, command, ...args, '--run-dir', this.runDirectory])
  }

  /** What `status --json` prints, without a process for it; on a busy machine it may be asked for again. */
  async status(): Promise<Status> {
    const deadline = performance.now() + ANSWER_DEADLINE_MS
    for (;;) {
      try {
        return await askStatus(controlSocketPath(this.runDirectory, this.#name))
      } catch (error) {
        if (error instanceof NotRunningError || performance.now() > deadline) throw error
      }
    }
  }

  /** Ends it as a service manager does. */
  async stop(): Promise<void> {
    await this.process.stop()
  }
}

/** `tunnelbore bootstrap` on a host in the open. */
export class BootstrapNode extends Daemon {
  /** Where others reach it, over IPv4. */
  readonly multiaddr: string

  private constructor(host: Host, process: LabProcess, directory: string, multiaddr: string) {
    super(host, BOOTSTRAP_NAME, process, directory)
    this.multiaddr = multiaddr
  }

  /** Where others reach it over IPv6. */
  get multiaddr6(): string {
    return this.multiaddr.replace(/^\/ip4\/[^/]+/, `/ip6/${this.host.address6}`)
  }

  static async start(host: Host, options: DaemonOptions = {}): Promise<BootstrapNode> {
    const { process, directory } = await Daemon.launch(host, host.name, ['bootstrap'], options)
    const announced = await process.waitForOutput(
      /"multiaddr":"(\/ip4\/203\.0\.113\.[^"]+)"/,
      START_DEADLINE_MS,
    )
    return new BootstrapNode(host, process, directory, announced[1] ?? '')
  }
}

/** `tunnelbore up` beside a WireGuard interface. */
export class UpNode extends Daemon {
  readonly wireguard: WireGuard

  private constructor(wireguard: WireGuard, process: LabProcess, directory: string) {
    super(wireguard.host, wireguard.name, process, directory)
    this.wireguard = wireguard
  }

  /** Starts it, and waits until it is up. */
  static async start(wireguard: WireGuard, options: DaemonOptions = {}): Promise<UpNode> {
    const command = ['up', wireguard.name]
    const { process, directory } = await Daemon.launch(wireguard.host, wireguard.name, command, options)
    await process.waitForOutput(/"msg":"tunnelbore is up"/, START_DEADLINE_MS)
    return new UpNode(wireguard, process, directory)
  }

  /** Waits until its record is stored by others, with everything that it has to say: its relays too; and, where it has UDP, with its address. */
  async untilPublished(hasUdp = true): Promise<void> {
    await this.process.waitForOutput(/"acknowledgements":[1-9]/, START_DEADLINE_MS)
    await until(
      `${this.host.name} to have published`,
      async () => {
        const { addresses, reachable, nat, bootstrap } = await this.status()
        const relays = new Set(addresses.filter((address) => address.includes('/p2p-circuit')).map(relayOf))
        const connected = bootstrap.filter((node) => node.connected).length
        // One that serves has no relays.
        return (
          (nat.mapping !== 'unknown' || !hasUdp) &&
          (reachable === true || relays.size >= Math.min(2, connected))
        )
      },
      START_DEADLINE_MS,
    )
  }

  /** Waits until a peer is as wanted, and gives what it says of it. */
  async untilPeer(
    publicKey: PublicKey,
    what: string,
    isSo: (peer: PeerStatus) => boolean,
    deadlineMs?: number,
  ): Promise<PeerStatus> {
    let peer: PeerStatus | undefined
    const look = async (): Promise<PeerStatus | undefined> => {
      peer = await this.peer(publicKey)
      return isSo(peer) ? peer : undefined
    }
    try {
      return await until(`${this.host.name} to have a peer that is ${what}`, look, deadlineMs)
    } catch (cause) {
      throw new Error(`${this.host.name} has no peer that is ${what}: ${JSON.stringify(peer)}`, { cause })
    }
  }

  /** Waits until packets go straight to a peer, and gives what it says of it. */
  untilDirect(publicKey: PublicKey): Promise<PeerStatus> {
    return this.untilPeer(publicKey, 'direct', ({ state, path }) => state === 'direct' && path !== null)
  }

  /** What it says of a peer. */
  async peer(publicKey: PublicKey): Promise<PeerStatus> {
    const peer = (await this.status()).peers.find((known) => known.publicKey === publicKey)
    if (peer === undefined) throw new Error(`${this.host.name} has no peer ${publicKey}`)
    return peer
  }
}

function relayOf(circuit: string): string {
  return circuit.slice(0, circuit.indexOf('/p2p-circuit')).replace(/^.*\/p2p\//, '')
}
