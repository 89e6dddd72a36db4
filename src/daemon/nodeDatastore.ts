/** The datastore of a node: `<stateDir>/<name>.datastore/`. */

import { join } from 'node:path'
import { SECOND } from '../base/time.js'
import { causeOf } from '../base/userError.js'
import { openDatastore, type Warn } from '../io/datastore.js'
import { PersistentMap } from '../io/persistentMap.js'
import { makeDirectory } from './makeDirectory.js'
import type { Undo } from './undo.js'

/** What the disk is given to take what is left. */
const CLOSING_MS = 3 * SECOND

/** Opens it, and closes it at the end. Never throws: at the worst it is in memory only, which the log says. */
export async function openNodeDatastore(
  stateDir: string,
  name: string,
  undo: Undo,
  log: Warn,
): Promise<PersistentMap> {
  const directory = join(stateDir, `${name}.datastore`)
  let map: PersistentMap
  try {
    await makeDirectory(stateDir)
    map = await openDatastore(directory, log)
  } catch (error) {
    const cause = causeOf(error)
    log.warn({ directory, cause }, 'cannot open the datastore; going on in memory, nothing is remembered')
    map = new PersistentMap()
  }
  undo.push(() => map.close(), CLOSING_MS)
  return map
}
