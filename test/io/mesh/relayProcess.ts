/** A node that serves at `argv[2]`, in a process of its own, to be killed. Prints its address. */

import { randomBytes } from 'node:crypto'
import { fromString } from 'uint8arrays'
import { makeMesh } from '../../../src/io/mesh/mesh.js'
import { judgeTestRecord } from './meshes.js'

const mesh = await makeMesh({
  network: 'test',
  identitySeed: randomBytes(32),
  listen: [{ ip: process.argv[2] ?? '127.0.0.1', port: 0 }],
  bootstrap: [],
  serves: true,
  judge: judgeTestRecord,
  services: () => fromString('services'),
  onKnock: async () => undefined,
  onDrop: () => {},
  onChange: () => {},
  log: { debug: () => {}, info: () => {}, warn: () => {} },
})
await mesh.start()
process.stdout.write(`${mesh.state().addresses[0]}\n`)
