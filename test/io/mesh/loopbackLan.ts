/** mDNS on the loopback device, on a port that is free: a LAN for tests. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { LanInterface } from '../../../src/io/mesh/lanSocket.js'
import type { LanPlace } from '../../../src/io/mesh/options.js'

export const LOOPBACK: LanInterface = {
  device: 'lo',
  ip: '127.0.0.1',
  ips: ['127.0.0.1'],
  prefixes: [{ ip: '127.0.0.0', length: 8 }],
}

export async function loopbackLan(): Promise<LanPlace> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return { port, interfaces: () => [LOOPBACK] }
}
