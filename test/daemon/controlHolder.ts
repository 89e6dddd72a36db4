/**
 * A process of its own that takes a control socket, as a daemon does: `node controlHolder.js <path>`. Says `taken`, or
 * why not, on one line; ends when its stdin does.
 */

import { serveControl } from '../../src/daemon/control.js'
import { sampleExplanation, sampleRecord, sampleStatus } from '../cli/sampleStatus.js'

const [path = ''] = process.argv.slice(2)
process.stdin.resume()
try {
  const server = await serveControl(path, {
    status: () => sampleStatus,
    resolve: async (key) => (key === sampleRecord.publicKey ? sampleRecord : undefined),
    why: (key) => (key === sampleRecord.publicKey ? sampleExplanation : undefined),
  })
  process.stdin.once('end', () => server.close())
  process.stdout.write('taken\n')
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`)
  process.stdin.once('end', () => undefined)
}
