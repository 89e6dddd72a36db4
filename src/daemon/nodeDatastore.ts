/** The datastore of a node: `<stateDir>/<name>.datastore/`. */

import { join } from 'node:path'
import { SECOND } from '../base/time.js'
import { openDatastore, type Said } from '../io/datastore.js'
import type { PersistentMap } from '../io/persistentMap.js'
import type { NodeConfig } from './config.js'
import { makeDirectory } from './makeDirectory.js'
import type { Undo } from './undo.js'

/** What the disk is given to take what is left. */
const CLOSING_MS = 3 * SECOND

/** Opens it, and closes it at the end. Never throws: at the worst it is in memory only, which the log says. */
export async function openNodeDatastore(
  { stateDir, runDir }: Pick<NodeConfig, 'stateDir' | 'runDir'>,
  name: string,
  undo: Undo,
  log: Said,
): Promise<PersistentMap> {
  // Where it cannot be made, nothing in it can be opened: that says why.
  await makeDirectory(stateDir).catch(() => undefined)
  const map = await openDatastore(join(stateDir, `${name}.datastore`), log, { scratch: runDir })
  undo.push(() => map.close(), CLOSING_MS)
  return map
}
