/**
 * Recording what passes a device, with tcpdump.
 *
 * A bridge's device shows every frame between its ports once. A packet that the sender left to be segmented later (TCP,
 * and UDP sent with UDP_SEGMENT, as WireGuard does under load) is recorded as the sender handed it over: in one piece.
 */

import { mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../until.js'
import type { LabProcess } from './labProcess.js'
import type { Namespace } from './namespace.js'
import { type CapturedPacket, readPcap } from './pcap.js'

/** A recording that has begun. */
export class Capture {
  /** The pcap file, for other tools. */
  readonly file: string
  /** What passes the loopback device the kernel shows twice, as sent and as received; tcpdump counts both, and writes one. */
  readonly #timesReceived: number
  readonly #tcpdump: LabProcess

  constructor(file: string, device: string, tcpdump: LabProcess) {
    this.file = file
    this.#timesReceived = device === 'lo' ? 2 : 1
    this.#tcpdump = tcpdump
  }

  /** The packets that passed before this call (and some after it, perhaps). Throws if the kernel lost any. */
  async packets(): Promise<CapturedPacket[]> {
    // tcpdump tells on SIGUSR1 how many the kernel gave it and how many it has written: wait for the second to reach the first.
    const { received } = await this.#counts()
    await until('tcpdump to write what it received', async () => {
      const counts = await this.#counts()
      if (counts.dropped > 0) throw new Error(`tcpdump lost ${counts.dropped} packets`)
      return counts.captured * this.#timesReceived >= received
    })
    return readPcap(await readFile(this.file))
  }

  /** Ends the recording and gives its packets. */
  async stop(): Promise<CapturedPacket[]> {
    const packets = await this.packets()
    await this.#tcpdump.stop()
    return packets
  }

  async #counts(): Promise<{ captured: number; received: number; dropped: number }> {
    this.#tcpdump.stderr = ''
    this.#tcpdump.signal('SIGUSR1')
    const [, captured, received, dropped] = await this.#tcpdump.waitForOutput(
      /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/,
    )
    return { captured: Number(captured), received: Number(received), dropped: Number(dropped) }
  }
}

/** Starts to record what passes a device; what passes after this resolves is recorded. */
export async function startCapture(namespace: Namespace, device: string): Promise<Capture> {
  const file = join(mkdtempSync(join(namespace.scope.directory, 'capture-')), `${namespace.shortName}.pcap`)
  // -Z root: it would give up its rights before it opens the file.
  const tcpdump = namespace.spawn(
    'tcpdump',
    ['-i', device, ...['-w', file, '-U', '--immediate-mode', '--buffer-size=16384', '-n', '-Z', 'root']],
    { stopLast: true },
  )
  await tcpdump.waitForOutput(/listening on/)
  return new Capture(file, device, tcpdump)
}
