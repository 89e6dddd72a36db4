/**
 * In which order a record names the addresses of its node. It holds few of them, and the first ones are kept: those at
 * which the node is most likely to be reached.
 *
 * - A node that serves is reachable: its global addresses, then circuits, then private addresses.
 * - Any other node is behind a NAT: its circuits, then global addresses, then private ones.
 *
 * Circuits take turns by relay, each relay's global addresses first: the loss of one relay leaves the other.
 */

import { multiaddr } from '@multiformats/multiaddr'
import { isGlobal } from '../base/address.js'
import { addressedIp, relayIdOf } from '../io/mesh/multiaddrs.js'
import { interleave } from './interleave.js'

/** `multiaddrs` in the order of a record. All must be well-formed; those of equal rank stay in their order. */
export function rankOwnMultiaddrs(multiaddrs: readonly string[], serves: boolean): readonly string[] {
  const addresses = multiaddrs.map((text) => {
    const parsed = multiaddr(text)
    const ip = addressedIp(parsed)
    // A name is looked up by others, so it means the same to them.
    return { text, relay: relayIdOf(parsed), isGlobal: ip === undefined || isGlobal(ip) }
  })
  const globalFirst = [...addresses].sort((a, b) => Number(b.isGlobal) - Number(a.isGlobal))
  const direct = globalFirst.filter(({ relay }) => relay === undefined)
  const relays = new Set(globalFirst.flatMap(({ relay }) => relay ?? []))
  const circuits = interleave([...relays].map((id) => globalFirst.filter(({ relay }) => relay === id)))
  const global = direct.filter(({ isGlobal }) => isGlobal)
  const local = direct.filter(({ isGlobal }) => !isGlobal)
  const ranked = serves ? [...global, ...circuits, ...local] : [...circuits, ...global, ...local]
  return ranked.map(({ text }) => text)
}
