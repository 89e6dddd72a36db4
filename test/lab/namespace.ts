/** A network namespace: a machine of the laboratory, as far as its network goes. */

import { existsSync } from 'node:fs'
import { type CommandOptions, type CommandOutput, run } from './command.js'
import type { LabProcess } from './labProcess.js'
import type { Scope, ScopeProcessOptions } from './scope.js'

/** Where br_netfilter is in the kernel, a gateway's rules would apply to frames that are only bridged. */
const BRIDGES_ARE_NOT_FILTERED: Sysctls = existsSync('/proc/sys/net/bridge')
  ? { 'net/bridge/bridge-nf-call-iptables': 0, 'net/bridge/bridge-nf-call-ip6tables': 0 }
  : {}

/** Kernel settings below /proc/sys, by path: `{ 'net/ipv4/ip_forward': 1 }`. */
export type Sysctls = Readonly<Record<string, string | number>>

export class Namespace {
  readonly scope: Scope
  /** As `ip netns` lists it. */
  readonly name: string
  /** What the laboratory calls it. */
  readonly shortName: string
  readonly #enter: readonly string[]

  private constructor(scope: Scope, shortName: string) {
    this.scope = scope
    this.shortName = shortName
    this.name = scope.prefix + shortName
    // Unlike `ip netns exec`, this leaves the mounts alone: what a process mounts, or a socket file it makes, is seen by all.
    this.#enter = [`--net=/run/netns/${this.name}`, '--']
  }

  /** Makes a namespace with its loopback interface up. */
  static async create(scope: Scope, shortName: string): Promise<Namespace> {
    if (!/^[a-z0-9-]+$/.test(shortName)) throw new TypeError(`not a name for a namespace: ${shortName}`)
    const namespace = new Namespace(scope, shortName)
    if (existsSync(`/run/netns/${namespace.name}`)) throw new Error(`there is a ${shortName} already`)
    await ipBatch([`netns add ${namespace.name}`])
    await namespace.configure(
      {
        // Duplicate address detection would hold every IPv6 address back for a second.
        'net/ipv6/conf/default/accept_dad': 0,
        ...BRIDGES_ARE_NOT_FILTERED,
      },
      ['link set lo up'],
    )
    return namespace
  }

  /** Runs a program inside to its end. */
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandOutput> {
    return run('nsenter', [...this.#enter, command, ...args], options)
  }

  /** Starts a program inside; it ends with the laboratory at the latest. Signals go to the program itself. */
  spawn(command: string, args: readonly string[], options?: ScopeProcessOptions): LabProcess {
    return this.scope.spawn('nsenter', [...this.#enter, command, ...args], options)
  }

  /** Sets kernel settings, then carries out the lines of an `ip -batch`, all inside and in order. */
  async configure(sysctls: Sysctls, ipCommands: readonly string[]): Promise<void> {
    const settings = Object.entries(sysctls).map(([path, value]) => `echo ${value} >/proc/sys/${path}\n`)
    await this.run('sh', ['-ec', `${settings.join('')}exec ip -batch -`], { input: batch(ipCommands) })
  }

  /** Loads nftables rules inside. */
  async nft(rules: string): Promise<void> {
    await this.run('nft', ['-f', '-'], { input: rules })
  }
}

/** Carries out the lines of an `ip -batch` in the namespace that this process runs in. */
export async function ipBatch(ipCommands: readonly string[]): Promise<void> {
  await run('ip', ['-batch', '-'], { input: batch(ipCommands) })
}

function batch(ipCommands: readonly string[]): string {
  return ipCommands.map((line) => `${line}\n`).join('')
}
