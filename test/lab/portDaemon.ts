/**
 * The part of a gateway that opens ports for hosts in its LAN: `miniupnpd`, which speaks UPnP, NAT-PMP and PCP. What it
 * opens are rules in chains of the gateway's table. NAT-PMP and PCP share a port and can't be had apart; so where one is
 * not to be spoken, its messages, told by their version, are dropped before they arrive.
 */

import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MappingProtocol } from '../../src/engine/path/mappedPort.js'
import type { LabProcess } from './labProcess.js'
import type { Namespace } from './namespace.js'

export interface PortDaemonOptions {
  readonly wan: string
  readonly lan: string
  readonly protocols: readonly MappingProtocol[]
}

/** Rules that have a gateway's table ready for the daemon, and keep out what is not to be spoken. */
export function portRules(protocols: readonly MappingProtocol[]): string {
  const versions = { 'nat-pmp': 0, pcp: 2 } as const
  const unspoken = (['nat-pmp', 'pcp'] as const).filter((protocol) => !protocols.includes(protocol))
  return `
table inet gateway {
  chain miniupnpd {
  }
  chain prerouting_miniupnpd {
  }
  chain postrouting_miniupnpd {
  }
  chain opened {
    type nat hook prerouting priority dstnat - 1
    iifname wan jump prerouting_miniupnpd
  }
  chain unspoken {
    type filter hook input priority filter - 1
${unspoken.map((protocol) => `    iifname lan udp dport 5351 @th,64,8 ${versions[protocol]} drop\n`).join('')}  }
}
insert rule inet gateway input iifname lan udp dport { 1900, 5350, 5351 } accept
`
}

export class PortDaemon {
  readonly #namespace: Namespace
  readonly #process: LabProcess

  private constructor(namespace: Namespace, process: LabProcess) {
    this.#namespace = namespace
    this.#process = process
  }

  static async start(namespace: Namespace, { wan, lan, protocols }: PortDaemonOptions): Promise<PortDaemon> {
    const file = join(namespace.scope.directory, `${namespace.shortName}-miniupnpd.conf`)
    const speaks = (...names: readonly MappingProtocol[]) =>
      names.some((name) => protocols.includes(name)) ? 'yes' : 'no'
    const lines = [
      `ext_ifname=${wan}`,
      `listening_ip=${lan}`,
      `enable_upnp=${speaks('upnp')}`,
      `enable_natpmp=${speaks('nat-pmp', 'pcp')}`,
      'secure_mode=yes',
      `uuid=${randomUUID()}`,
      'upnp_table_name=gateway',
      'upnp_nat_table_name=gateway',
      'upnp_forward_chain=miniupnpd',
      'upnp_nat_chain=prerouting_miniupnpd',
      'upnp_nat_postrouting_chain=postrouting_miniupnpd',
      'allow 1024-65535 192.168.0.0/16 1024-65535',
      'deny 0-65535 0.0.0.0/0 0-65535',
    ]
    await writeFile(file, `${lines.join('\n')}\n`)
    const process = namespace.spawn('miniupnpd', ['-d', '-f', file, '-P', `${file}.pid`])
    await process.waitForOutput(/listening on|HTTP listening|Listening for NAT-PMP/i)
    return new PortDaemon(namespace, process)
  }

  /** The outer ports that are open: `udp 51821`. */
  async open(): Promise<readonly string[]> {
    const { stdout } = await this.#namespace.run('nft', [
      'list',
      'chain',
      'inet',
      'gateway',
      'prerouting_miniupnpd',
    ])
    // The rules test the protocol's number in the packet's header, which nft lists as it is.
    return [...stdout.matchAll(/ 0x(6|11) th dport (\d+)/g)].map(
      ([, protocol, port]) => `${protocol === '6' ? 'tcp' : 'udp'} ${port}`,
    )
  }

  async stop(): Promise<void> {
    await this.#process.stop()
  }
}
