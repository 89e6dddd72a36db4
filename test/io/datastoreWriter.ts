/**
 * A process that writes to a datastore until it is killed: `<directory>`. Prints a number for each value that is written;
 * first of all 0.
 */

import { openDatastore } from '../../src/io/datastore.js'

const [directory = ''] = process.argv.slice(2)
const say = (_: object, message: string) => console.error(message)
const map = await openDatastore(directory, { warn: say, info: say })
for (let n = 0; ; n++) {
  map.set('/last', Uint8Array.of(n & 255, n >> 8))
  map.set(`/some/${n % 500}`, new Uint8Array(1_500).fill(n & 255))
  await map.flush()
  // Where the reader is slow, lines would wait here in memory, and be lost with the process.
  await new Promise((resolve) => process.stdout.write(`${n}\n`, resolve))
}
