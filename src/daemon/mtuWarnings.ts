/** Where the interface's MTU is too large for a path in use. */

import type { PeerStatus } from '../engine/status.js'

/** One line, with the MTU that suits all paths in use; none where the interface's own does. */
export function mtuWarnings(
  device: string,
  interfaceMtu: number | undefined,
  peers: readonly Pick<PeerStatus, 'mtu'>[],
): readonly string[] {
  const known = peers.flatMap(({ mtu }) => (mtu === undefined ? [] : [mtu]))
  const right = Math.min(...known)
  if (interfaceMtu === undefined || right >= interfaceMtu) return []
  const affected = known.filter((mtu) => mtu < interfaceMtu).length
  const paths = affected === 1 ? 'the path to one peer' : `the paths to ${affected} peers`
  return [
    `the MTU ${interfaceMtu} is too large for ${paths}; set it with: ip link set ${device} mtu ${right}`,
  ]
}
