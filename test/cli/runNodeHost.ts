/**
 * A process that runs a node which does nothing but say what happens to it: `node runNodeHost.js <what>`.
 * What: `runs`, `hangs` (stop never ends), `fails` (ends by itself), `throws` (an exception nobody catches),
 * `rejects` (a rejection nobody waits for).
 */

import { runNode } from '../../src/cli/runNode.js'
import { createLogger } from '../../src/daemon/logger.js'
import { ServiceManager } from '../../src/io/serviceManager.js'

const [what] = process.argv.slice(2)
const say = (text: string): void => void process.stdout.write(`${text}\n`)
// A node that runs keeps the process alive.
const alive = setInterval(() => undefined, 1_000)

try {
  await runNode(
    async () => {
      say('started')
      if (what === 'throws') {
        setImmediate(() => {
          throw new Error('thrown')
        })
      }
      if (what === 'rejects') {
        void Promise.reject(new Error('rejected'))
        process.once('unhandledRejection', () => setImmediate(() => say('rejected, and goes on')))
      }
      return {
        stop: async () => {
          say('stopping')
          if (what === 'hangs') await new Promise(() => undefined)
          clearInterval(alive)
        },
        failed: what === 'fails' ? Promise.resolve(new Error('failed')) : new Promise(() => undefined),
      }
    },
    await createLogger('info', 'wg0'),
    ServiceManager.of(process.env, process.pid),
  )
  say('done')
} catch (error) {
  say(`rejected: ${error instanceof Error ? error.message : error}`)
}
