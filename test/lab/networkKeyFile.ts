/** Key files of closed networks. */

import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Laboratory } from './laboratory.js'

/** Writes a new key, in the form of libp2p's key files; gives the file's path. `name` is unique in the laboratory. */
export async function writeNetworkKey(lab: Laboratory, name = 'network'): Promise<string> {
  const file = join(lab.directory, `${name}.key`)
  const text = `/key/swarm/psk/1.0.0/\n/base16/\n${randomBytes(32).toString('hex')}\n`
  await writeFile(file, text, { mode: 0o600 })
  return file
}
