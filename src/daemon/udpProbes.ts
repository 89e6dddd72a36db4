/** UDP probes: who sends them to us, and with which sockets we send them to others. */

import { familyOf, scopeOf } from '../base/address.js'
import { isDropped } from '../base/drops.js'
import type { UdpProber } from '../engine/inputs.js'
import type { ServerState } from '../io/mesh/state.js'
import type { UdpProbeSockets } from '../io/mesh/udpProbe.js'
import { bindOtherPort } from '../io/otherPort.js'
import type { SharedSockets } from '../io/sharedSockets.js'
import { decodeServices } from '../wire/services.js'

/**
 * The connected servers that reflect, each at the address of our connection to it: there it sees us where we are. Services
 * that do not decode are counted where reflectors are chosen.
 */
export function udpProbersOf(servers: readonly ServerState[]): readonly UdpProber[] {
  return servers.flatMap(({ peerId, services, ip }) => {
    const decoded = decodeServices(services)
    if (isDropped(decoded) || ip === undefined) return []
    const [first] = decoded.reflectors
    return first === undefined ? [] : [{ server: peerId, reflector: { ip, port: first.port } }]
  })
}

/**
 * What is sent to others leaves from the shared socket at the address by which they know us; where none has it, as behind
 * one-to-one NAT, from the first one of the family and scope.
 */
export function udpProbeSockets(shared: SharedSockets): UdpProbeSockets {
  const socketFor = (at: string, to: string) => {
    const family = shared.sockets().filter(({ address }) => familyOf(address.ip) === familyOf(to))
    return (
      family.find(({ address }) => address.ip === at) ??
      family.find(({ address }) => scopeOf(address.ip) === scopeOf(to)) ??
      family[0]
    )
  }
  return {
    send(at, to, datagram) {
      const socket = socketFor(at, to.ip)
      if (socket !== undefined) shared.send(socket.id, to, datagram)
      return socket !== undefined
    },
    openOther(at, to) {
      const socket = socketFor(at, to)
      return socket === undefined ? undefined : bindOtherPort(socket.address.ip, shared.mark)
    },
  }
}
