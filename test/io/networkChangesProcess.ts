/** A program that watches the network of its namespace, and prints "started" and a line for each change. */

import { NetworkChanges } from '../../src/io/networkChanges.js'

const changes = new NetworkChanges({
  onChange: () => console.log('changed'),
  onTrouble: (message) => console.log(`trouble: ${message}`),
})
console.log('started')

// The end of the input asks for an orderly stop.
process.stdin.resume().once('end', async () => {
  await changes.stop()
  console.log('stopped')
})
