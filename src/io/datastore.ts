/**
 * The datastore of a node: a LevelDB in a directory of its own (0700).
 *
 * What is in it can be lost without harm, so nothing that is wrong with it keeps a node from its work: one that is
 * damaged is moved aside and another one begun; one that cannot be opened for another reason (another process has it,
 * the disk is full, read-only, or does not answer) is done without.
 */

import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SECOND } from '../base/time.js'
import { causeOf, codeOf } from '../base/userError.js'
import { DamagedDatastore, PersistentMap } from './persistentMap.js'

/** Where warnings go; a pino logger is one. */
export interface Warn {
  warn(context: object, message: string): void
}

/** How long opening and reading may take before the node goes on without. */
const OPENING_MS = 5 * SECOND

/** LevelDB's own memory: all is read once, at the start, and then kept by the map. */
const LEVEL_OPTIONS = { compression: false, cacheSize: 1024 * 1024, writeBufferSize: 1024 * 1024 }

/**
 * Opens the datastore in `directory`, whose parent is there, and reads it. Never throws: what is wrong is said in one
 * line, and at the worst the map is in memory only.
 */
export async function openDatastore(
  directory: string,
  log: Warn,
  openingMs = OPENING_MS,
): Promise<PersistentMap> {
  const inMemory = (error: unknown) => {
    const cause = causeOf(error)
    log.warn({ directory, cause }, 'cannot open the datastore; going on in memory, nothing is remembered')
    return new PersistentMap()
  }
  const open = () => inTime(openLevel(directory, log), openingMs)
  try {
    return await open()
  } catch (error) {
    if (!(error instanceof DamagedDatastore)) return inMemory(error)
    try {
      const movedTo = `${directory}.corrupt`
      await rm(movedTo, { recursive: true, force: true })
      await rename(directory, movedTo)
      const cause = error.message
      log.warn(
        { directory, movedTo, cause },
        'the datastore is damaged; it was moved aside, beginning a new one',
      )
      return await open()
    } catch (secondError) {
      return inMemory(secondError)
    }
  }
}

/** Throws a {@link DamagedDatastore}, or what the system said. */
async function openLevel(directory: string, log: Warn): Promise<PersistentMap> {
  await makeClosedDirectory(directory)
  const isNew = !(await hasData(directory))
  // Not at the top: where there is no build of LevelDB for this machine, the import throws.
  const { LevelDatastore } = await import('datastore-level')
  const store = new LevelDatastore(directory, LEVEL_OPTIONS)
  try {
    // Its own `open` would lose the cause.
    await store.db.open()
  } catch (error) {
    throw judged(error)
  }
  const disk = {
    batch: () => store.batch(),
    query: () => store.query({}),
    close: async () => {
      // Out of the log, of which a lost end is not noticed, into tables, of which it is.
      if (canCompact(store.db)) await store.db.compactRange('/', '0').catch(() => undefined)
      await store.close()
    },
  }
  const map = new PersistentMap(disk, (cause) => {
    log.warn(
      { directory, cause },
      'cannot write the datastore; going on in memory, nothing new is remembered',
    )
  })
  try {
    await map.load(isNew)
    return map
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error instanceof DamagedDatastore ? error : judged(error)
  }
}

/** LevelDB as it is in Node; the type is that of all platforms. */
function canCompact(
  database: object,
): database is { readonly compactRange: (from: string, to: string) => Promise<void> } {
  return 'compactRange' in database && typeof database.compactRange === 'function'
}

async function makeClosedDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory() !== true) throw new DamagedDatastore('it is not a directory')
    await chmod(path, 0o700)
  }
}

/** True where a database was written to before: opening it removes what it does not know of. */
async function hasData(directory: string): Promise<boolean> {
  for (const name of await readdir(directory)) {
    if (/\.(ldb|sst)$/.test(name)) return true
    if (/\.log$/.test(name) && (await stat(join(directory, name))).size > 0) return true
  }
  return false
}

/** What the machine does not allow now, and would not allow with another directory either. */
const OF_THE_MACHINE =
  /already held|temporarily unavailable|permission|not permitted|read-only|no space|quota|too many open|cannot allocate|input\/output/i

/** LevelDB names neither errors nor their numbers; besides "Corruption", a file of another kind is damage as well. */
function judged(error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = causeOf(cause)
  const isOfTheMachine = codeOf(cause) === 'LEVEL_LOCKED' || OF_THE_MACHINE.test(text)
  return isOfTheMachine ? new Error(text) : new DamagedDatastore(text)
}

async function inTime(opening: Promise<PersistentMap>, ms: number): Promise<PersistentMap> {
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true
      reject(new Error(`the disk did not answer for ${ms / SECOND} s`))
    }, ms)
  })
  opening.then(
    (map) => (isLate ? map.close() : undefined),
    () => undefined,
  )
  try {
    return await Promise.race([opening, late])
  } finally {
    clearTimeout(timer)
  }
}
