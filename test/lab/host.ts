/** A machine of the laboratory on which programs under test run. */

import { type Capture, startCapture } from './capture.js'
import type { CommandOptions, CommandOutput } from './command.js'
import type { LabProcess, ProcessOptions } from './labProcess.js'
import type { Namespace } from './namespace.js'
import type { Membership } from './segment.js'

/** What `ping` says. Round trips are in milliseconds, in the order in which the answers came. */
export interface PingResult {
  readonly sent: number
  readonly received: number
  readonly rttsMs: readonly number[]
}

export interface PingOptions {
  /** How many echo requests; default 1. */
  readonly count?: number
  /** Between requests; default 200. */
  readonly intervalMs?: number
  /** How long to wait for the last answer; default 5,000. */
  readonly timeoutMs?: number
}

export class Host {
  readonly namespace: Namespace
  #place: Membership

  constructor(namespace: Namespace, place: Membership) {
    this.namespace = namespace
    this.#place = place
  }

  /** Its IPv4 address, on `eth0`. */
  get address(): string {
    return this.#place.address
  }

  /** Its global IPv6 address, on `eth0`; hosts behind gateways have none, as a rule. */
  get address6(): string | undefined {
    return this.#place.address6
  }

  /**
   * Pulls its cable, which takes its addresses and routes away, and plugs it in on another segment; `plug` does that.
   * Resolves to how long it had no network, in ms.
   */
  async replug(plug: () => Promise<Membership>): Promise<number> {
    await this.unplug()
    const unplugged = performance.now()
    this.#place = await plug()
    return performance.now() - unplugged
  }

  /** Takes a device away, and with it its addresses and routes. */
  async unplug(device = 'eth0'): Promise<void> {
    await this.run('ip', ['link', 'delete', device])
  }

  get name(): string {
    return this.namespace.shortName
  }

  /** Takes its addresses of one family away, and with them the routes. */
  async loseFamily(family: 4 | 6): Promise<void> {
    await this.run('ip', [`-${family}`, 'address', 'flush', 'dev', 'eth0', 'scope', 'global'])
  }

  /** Runs a program on this host to its end. */
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandOutput> {
    return this.namespace.run(command, args, options)
  }

  /** Starts a program on this host; it ends with the laboratory at the latest. */
  spawn(command: string, args: readonly string[], options?: ProcessOptions): LabProcess {
    return this.namespace.spawn(command, args, options)
  }

  /** Sends echo requests. Answers that don't come are a result; an address that can't be sent to is an Error. */
  async ping(
    address: string,
    { count = 1, intervalMs = 200, timeoutMs = 5_000 }: PingOptions = {},
  ): Promise<PingResult> {
    const { stdout } = await this.run(
      'ping',
      ['-n', '-c', String(count), '-i', String(intervalMs / 1_000), '-W', String(timeoutMs / 1_000), address],
      { env: { LC_ALL: 'C' }, exitCodes: [0, 1] },
    )
    const summary = /(\d+) packets transmitted, (\d+) received/.exec(stdout)
    return {
      sent: Number(summary?.[1] ?? 0),
      received: Number(summary?.[2] ?? 0),
      rttsMs: [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1])),
    }
  }

  /** Starts to record what passes one of this host's devices. */
  capture(device = 'eth0'): Promise<Capture> {
    return startCapture(this.namespace, device)
  }
}
