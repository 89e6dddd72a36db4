/**
 * A program that may not mark its sockets and connects to known nodes nevertheless: `node unmarkedProcess.js
 * <multiaddr>…`. Prints a line of JSON for each line of its log once it is connected to all, and ends.
 */

import '../../../src/io/nodeCompatibility.js'

import { randomBytes } from 'node:crypto'
import { makeMesh } from '../../../src/io/mesh/mesh.js'
import { judgeTestRecord, until } from './meshes.js'

const bootstrap = process.argv.slice(2)
const lines: object[] = []
const note = (level: string) => (fields: object, message: string) => lines.push({ level, ...fields, message })
const mesh = await makeMesh({
  network: 'test',
  identitySeed: randomBytes(32),
  listen: [],
  bootstrap,
  serves: false,
  socketMark: 7,
  judge: judgeTestRecord,
  services: () => new Uint8Array(),
  onKnock: async () => undefined,
  onDrop: () => undefined,
  onChange: () => undefined,
  log: { debug: note('debug'), info: note('info'), warn: note('warn') },
})
await mesh.start()
await until(() => mesh.state().bootstrap.every(({ connected }) => connected))
for (const line of lines) console.log(JSON.stringify(line))
await mesh.stop()
process.exit()
