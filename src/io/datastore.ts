/**
 * The datastore of a node: a LevelDB in a directory of its own (0700).
 *
 * What is in it can be lost without harm, so nothing that is wrong with it keeps a node from its work: one that is
 * damaged is moved aside and another one begun; one that cannot be opened for another reason (another process has it,
 * the disk is full, read-only, or does not answer) is done without, and tried again and again. LevelDB opens nothing that
 * it cannot write: where the disk takes nothing, a copy elsewhere is read.
 */

import { chmod, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { SECOND } from '../base/time.js'
import { causeOf, codeOf } from '../base/userError.js'
import {
  DamagedDatastore,
  type Entries,
  type OpenedDisk,
  PersistentMap,
  readEntries,
} from './persistentMap.js'

/** Where is said what is wrong, and that it is well again; a pino logger is one. */
export interface Said {
  warn(context: object, message: string): void
  info(context: object, message: string): void
}

/** How long opening and reading may take before the node goes on without. */
const OPENING_MS = 5 * SECOND

/** What LevelDB has on disk stays below this by far. */
const MAX_COPY_BYTES = 128 * 1024 * 1024

export interface DatastoreOptions {
  readonly openingMs?: number
  /** Between attempts to write again. */
  readonly retryMs?: number
  /** Where a copy may be made, to be read, of one whose disk takes nothing; such a copy is removed at once. */
  readonly scratch?: string
}

/** LevelDB's own memory: all is read once, at the start, and then kept by the map. */
const LEVEL_OPTIONS = { compression: false, cacheSize: 1024 * 1024, writeBufferSize: 1024 * 1024 }

/**
 * Opens the datastore in `directory`, whose parent is there or cannot be made, and reads it. Never throws: what is wrong
 * is said in one line, and at the worst the map is in memory only, until the disk can be had.
 */
export async function openDatastore(
  directory: string,
  log: Said,
  { openingMs = OPENING_MS, retryMs, scratch }: DatastoreOptions = {},
): Promise<PersistentMap> {
  const reopen = opener(directory, log, openingMs)
  const watch = {
    onDisk: (cause: string | undefined) => {
      if (cause === undefined) log.info({ directory }, 'the datastore can be written again')
      else
        log.warn(
          { directory, cause },
          'cannot write the datastore; going on in memory, nothing new is remembered',
        )
    },
    reopen,
    ...(retryMs === undefined ? {} : { retryMs }),
  }
  try {
    const { disk, entries } = await reopen()
    const map = new PersistentMap(disk, watch)
    map.adopt(entries)
    return map
  } catch (error) {
    const cause = causeOf(error)
    const map = new PersistentMap(undefined, watch)
    const copied = scratch === undefined ? undefined : await readCopy(directory, scratch)
    if (copied !== undefined) map.adopt(copied)
    const what = copied === undefined ? 'nothing is remembered' : 'nothing new is remembered'
    log.warn({ directory, cause }, `cannot open the datastore; going on in memory, ${what}`)
    map.awaitDisk(cause)
    return map
  }
}

/** Opens and reads the datastore each time it is called; one that is damaged it moves aside, and begins a new one. */
function opener(directory: string, log: Said, openingMs: number): () => Promise<OpenedDisk> {
  let underWay: Promise<unknown> | undefined
  const open = async (): Promise<OpenedDisk> => {
    // A disk that hangs would be given one more thread to hold each time.
    if (underWay !== undefined) throw new Error('the disk does not answer')
    const opening = openLevel(directory)
    underWay = opening.then(
      () => undefined,
      () => undefined,
    )
    void underWay.then(() => {
      underWay = undefined
    })
    return await inTime(opening, openingMs)
  }
  return async () => {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof DamagedDatastore)) throw error
      const movedTo = `${directory}.corrupt`
      await rm(movedTo, { recursive: true, force: true })
      await rename(directory, movedTo)
      const cause = error.message
      log.warn(
        { directory, movedTo, cause },
        'the datastore is damaged; it was moved aside, beginning a new one',
      )
      return await open()
    }
  }
}

/** Throws a {@link DamagedDatastore}, or what the system said. */
async function openLevel(directory: string): Promise<OpenedDisk> {
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
    abandon: () => store.close(),
  }
  try {
    return { disk, entries: await readEntries(disk, isNew) }
  } catch (error) {
    await store.close().catch(() => undefined)
    throw error instanceof DamagedDatastore ? error : judged(error)
  }
}

/** Reads a datastore that cannot be opened where it is; undefined where that cannot be done either. */
async function readCopy(directory: string, scratch: string): Promise<Entries | undefined> {
  const copy = join(scratch, `${basename(directory)}.copy`)
  try {
    if (!(await hasData(directory))) return undefined
    // One of a process that was killed.
    await rm(copy, { recursive: true, force: true })
    await mkdir(copy, { mode: 0o700 })
    let size = 0
    for (const name of await readdir(directory)) {
      if (!/\.(ldb|sst|log)$|^CURRENT$|^MANIFEST-/.test(name)) continue
      size += (await stat(join(directory, name))).size
      if (size > MAX_COPY_BYTES) return undefined
      await copyFile(join(directory, name), join(copy, name))
    }
    const { disk, entries } = await openLevel(copy)
    await disk.abandon()
    return entries
  } catch {
    // Damaged, locked, or not ours to read: why it was not opened is known already.
    return undefined
  } finally {
    await rm(copy, { recursive: true, force: true }).catch(() => undefined)
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

async function inTime(opening: Promise<OpenedDisk>, ms: number): Promise<OpenedDisk> {
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true
      reject(new Error(`the disk did not answer for ${ms / SECOND} s`))
    }, ms)
  })
  opening.then(
    ({ disk }) => (isLate ? disk.abandon() : undefined),
    () => undefined,
  )
  try {
    return await Promise.race([opening, late])
  } finally {
    clearTimeout(timer)
  }
}
