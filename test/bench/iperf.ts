/** Throughput, measured by iperf3. */

import type { Host } from '../lab/host.js'

const SECONDS = 2

/**
 * What an iperf3 server at `address` received, in bits a second; the first second, in which TCP finds its pace, is left
 * out.
 */
export async function iperf(from: Host, address: string, args: readonly string[]): Promise<number> {
  const { stdout } = await from.run('iperf3', [
    ...['-c', address, '-J', '-t', String(SECONDS), '-O', '1'],
    ...args,
  ])
  const { end, error } = JSON.parse(stdout) as {
    readonly end: { readonly sum_received?: { readonly bits_per_second: number } }
    readonly error?: string
  }
  if (end.sum_received === undefined) throw new Error(`iperf3 to ${address}: ${error ?? 'nothing received'}`)
  return end.sum_received.bits_per_second
}
