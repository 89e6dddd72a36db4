/** A program that watches the network of its namespace, and prints "started" and a line for each change. */

import { NetworkChanges } from '../../src/io/networkChanges.js'

const handlers = {
  onChange: () => console.log('changed'),
  onTrouble: (message: string) => console.log(`trouble: ${message}`),
}
// Only what the tool itself reports.
const changes = new NetworkChanges(handlers, [])
console.log('started')

// The end of the input asks for an orderly stop.
process.stdin.resume().once('end', async () => {
  await changes.stop()
  console.log('stopped')
})
