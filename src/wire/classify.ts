/**
 * Tells the protocols apart that share one UDP socket.
 *
 * A STUN success response may begin with the byte 0x01, as WireGuard's first message does. Still no datagram is both:
 * WireGuard's bytes 2 and 3 are zero, so the STUN message would have no attributes and 20 bytes, while the shortest
 * of WireGuard's has 32.
 */

import { isStun } from './stun/message.js'
import { wireguardType } from './wireguard.js'

/** Which protocol a datagram is of, by its frame; undefined where it is of neither. */
export function classify(datagram: Uint8Array): 'wireguard' | 'stun' | undefined {
  if (wireguardType(datagram) !== undefined) return 'wireguard'
  return isStun(datagram) ? 'stun' : undefined
}
