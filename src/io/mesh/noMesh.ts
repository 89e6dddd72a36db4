/** No mesh at all: what stands in its place for a node that is to have none. Nothing is opened, and nobody is asked. */

import type { Mesh } from './mesh.js'
import type { MeshState } from './state.js'

const STATE: MeshState = {
  serves: false,
  addresses: [],
  servers: [],
  bootstrap: [],
  remembered: 0,
  lan: 0,
  reservations: 0,
  connections: 0,
  gossips: false,
  routingTable: 0,
  storedRecords: 0,
}

/** `identity` and `peerId` are those that the node would have in a mesh. */
export function noMesh(identity: Uint8Array, peerId: string): Mesh {
  return {
    identity,
    peerId,
    start: async () => undefined,
    state: () => STATE,
    publish: async () => 0,
    lookUp: async function* () {},
    knock: refuse,
    passKnock: refuse,
    gossip: async () => 0,
    networkChanged: () => undefined,
    setMapped: () => undefined,
    setServing: async () => undefined,
    openRelayStream: refuse,
    sendThroughStream: () => undefined,
    closeRelayStream: () => undefined,
    probeReachability: async () => ({ reachable: undefined, server: undefined, servers: 0 }),
    askUdpProbe: refuse,
    stop: async () => undefined,
  }
}

async function refuse(): Promise<never> {
  throw new Error('this node has no mesh')
}
