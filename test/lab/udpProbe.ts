/** A plain UDP socket on a host of the laboratory, for finding out what a NAT does. Texts are bytes in latin1. */

import { fileURLToPath } from 'node:url'
import type { SocketAddress } from '../../src/base/address.js'
import { until } from '../until.js'
import type { Host } from './host.js'
import type { LabProcess } from './labProcess.js'

const PROGRAM = fileURLToPath(new URL('./programs/udpProbe.js', import.meta.url))

export interface ProbeDatagram {
  readonly from: SocketAddress
  readonly text: string
}

/** What the program is told: send a datagram. */
export interface ProbeCommand {
  readonly to: SocketAddress
  readonly text: string
}

/** What the program tells. `sent` and `failed` answer a command. */
export type ProbeReport =
  | { readonly type: 'bound'; readonly port: number }
  | { readonly type: 'sent' }
  | { readonly type: 'failed'; readonly why: string }
  | ({ readonly type: 'received' } & ProbeDatagram)

export class UdpProbe {
  readonly #process: LabProcess
  readonly #received: ProbeDatagram[] = []
  readonly #answers: ProbeReport[] = []
  #port = 0

  private constructor(host: Host, family: 4 | 6) {
    this.#process = host.spawn(process.execPath, [PROGRAM, String(family)], { messages: true })
    this.#process.onMessage((message) => {
      const report = message as ProbeReport
      if (report.type === 'received') this.#received.push({ from: report.from, text: report.text })
      else if (report.type === 'bound') this.#port = report.port
      else this.#answers.push(report)
    })
  }

  /** Opens a socket on every address of the host and a port that the system picks. */
  static async open(host: Host, family: 4 | 6 = 4): Promise<UdpProbe> {
    const probe = new UdpProbe(host, family)
    await until('a probe to open its socket', () => {
      if (probe.#process.end !== undefined) throw new Error(`a probe ended: ${probe.#process.stderr}`)
      return probe.#port > 0
    })
    return probe
  }

  /** The local port. */
  get port(): number {
    return this.#port
  }

  /** Sends a datagram, one at a time; resolves when the system has taken it. */
  async send(to: SocketAddress, text: string): Promise<void> {
    this.#process.send({ to, text })
    const answer = await until('a probe to send', () => this.#answers.shift())
    if (answer.type === 'failed') throw new Error(`a probe could not send: ${answer.why}`)
  }

  /** The next datagram that came in, in the order of arrival. */
  receive(): Promise<ProbeDatagram> {
    return until('a datagram', () => this.#received.shift())
  }

  async close(): Promise<void> {
    await this.#process.stop()
  }
}
