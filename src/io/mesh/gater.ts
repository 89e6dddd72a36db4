/** Which connections libp2p refuses, in and out, before anything is spoken over them. */

import type { ConnectionGater, PeerId } from '@libp2p/interface'
import { addressedIp } from './multiaddrs.js'
import { isNamed } from './names.js'
import { SHARE_OF_AN_ADDRESS } from './node.js'

export interface GaterParts {
  /** Whoever misbehaves in gossip. */
  readonly refuses: (peer: PeerId) => boolean
  /** Whoever could not be reached a moment ago, and is not to be kept connected. */
  readonly isDead: (peer: PeerId) => boolean
  /** How many connections there are to an address, and how many there may be in all. */
  readonly countTo: (ip: string) => number
  readonly maxConnections: () => number
  /** Somebody asks for a reservation at our circuit relay. */
  readonly onReservation: (peer: PeerId) => void
  /** Undefined where every address may be dialled. */
  readonly mayDial: ((ip: string) => boolean) | undefined
}

export function connectionGater(parts: GaterParts) {
  const { refuses, isDead, countTo, maxConnections, onReservation, mayDial } = parts
  return {
    denyDialPeer: (peer) => refuses(peer) || isDead(peer),
    denyInboundConnection: ({ remoteAddr }) => {
      const ip = addressedIp(remoteAddr)
      return ip !== undefined && countTo(ip) > SHARE_OF_AN_ADDRESS * maxConnections()
    },
    denyInboundEncryptedConnection: refuses,
    // Not all dials ask by the peer.
    denyOutboundEncryptedConnection: refuses,
    denyInboundRelayReservation: (peer) => {
      onReservation(peer)
      return false
    },
    denyDialMultiaddr: (address) => {
      // The names that the user gave are resolved before they come here; those of others are not our business.
      if (isNamed(address)) return true
      const ip = addressedIp(address)
      return mayDial !== undefined && ip !== undefined && !mayDial(ip)
    },
  } satisfies ConnectionGater
}
