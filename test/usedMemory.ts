import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What this process has in use, in bytes, after all that can be freed was. */
export function usedMemory(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
