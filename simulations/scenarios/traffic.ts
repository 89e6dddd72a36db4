/** What hosts and servers sent: how much, and whether any of them ever stormed. */

import { SECOND } from '../../src/base/time.js'
import { wireguardType } from '../../src/wire/wireguard.js'
import type { Datagram } from '../network/datagram.js'
import type { Observer } from '../observer.js'
import type { Expectation, Measurement } from '../report/findings.js'

/**
 * More than a host does on purpose, of what is not WireGuard's data: a hundred checks a second for all peers together,
 * the answers to theirs, and questions to each reflector. (Data there may be more of: WireGuard lets go what it has kept
 * until there was a session.)
 */
const STORM = 400

interface Sender {
  /** Of all kinds. */
  datagrams: number
  withoutData: number
  /** The second that is being counted, and the datagrams in it that are no data. */
  second: number
  inSecond: number
  most: number
  mostAt: number
}

export class Traffic implements Observer {
  #bytes = 0
  readonly #elapsed: () => number
  readonly #senders = new Map<string, Sender>()

  /** `elapsed`: milliseconds since the world began. */
  constructor(elapsed: () => number) {
    this.#elapsed = elapsed
  }

  sent(host: string, { bytes }: Datagram): void {
    this.#bytes += bytes.length
    const sender = this.#senders.get(host) ?? this.#add(host)
    sender.datagrams += 1
    if (wireguardType(bytes) === 4) return
    sender.withoutData += 1
    const second = Math.floor(this.#elapsed() / SECOND)
    if (second !== sender.second) {
      sender.second = second
      sender.inSecond = 0
    }
    sender.inSecond += 1
    if (sender.inSecond <= sender.most) return
    sender.most = sender.inSecond
    sender.mostAt = second
  }

  /** Datagrams that a host has sent. */
  of(host: string): number {
    return this.#senders.get(host)?.datagrams ?? 0
  }

  /** Those of them that were no data of WireGuard's. */
  withoutDataOf(host: string): number {
    return this.#senders.get(host)?.withoutData ?? 0
  }

  get measurements(): readonly Measurement[] {
    let datagrams = 0
    let most = 0
    for (const sender of this.#senders.values()) {
      datagrams += sender.datagrams
      most = Math.max(most, sender.most)
    }
    return [
      { name: 'datagrams', what: 'datagrams sent by hosts and servers', unit: 'datagrams', value: datagrams },
      { name: 'bytes', what: 'in them', unit: 'bytes', value: this.#bytes },
      {
        name: 'busiest-host',
        what: 'without data, by one of them in its busiest second',
        unit: 'datagrams',
        value: most,
      },
    ]
  }

  /** Only of hosts: servers answer everybody. */
  calm(hosts: readonly string[]): Expectation {
    return {
      name: 'no-storm',
      what: `no host ever sends more than ${STORM} datagrams that are no data in a second`,
      broken: hosts.flatMap((host) => {
        const { most = 0, mostAt = 0 } = this.#senders.get(host) ?? {}
        return most > STORM ? [`${host} sent ${most} at ${mostAt} s`] : []
      }),
    }
  }

  #add(host: string): Sender {
    const sender: Sender = { datagrams: 0, withoutData: 0, second: -1, inSecond: 0, most: 0, mostAt: 0 }
    this.#senders.set(host, sender)
    return sender
  }
}
