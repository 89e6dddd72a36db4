/**
 * What a node remembers: `<stateDir>/<interface>.json` (0600), and the bootstrap node's identity.
 *
 * The file is replaced as a whole (written beside, synced, renamed), so a crash leaves the old or the new one. One that
 * cannot be understood is moved aside to `….corrupt`, one that cannot be read to `….unreadable` before it is replaced.
 * Where it cannot be written the node goes on without, because a full disk must not cost the tunnel, and tries again.
 */

import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isPort } from '../base/address.js'
import { type PublicKey, parsePublicKey } from '../base/publicKey.js'
import { SECOND } from '../base/time.js'
import { causeOf, codeOf, UserError } from '../base/userError.js'
import type { Said } from '../io/datastore.js'
import { makeDirectory } from './makeDirectory.js'

const VERSION = 1
const MAX_FILE_BYTES = 4 * 1024 * 1024
const KEY_LENGTH = 32
/** Until what could not be written is tried again. */
const RETRY_MS = 10 * SECOND

/** What is remembered of a node. */
export interface State {
  /** The UDP and TCP port; undefined until one was chosen. */
  readonly listenPort: number | undefined
  /** The highest sequence number that a record of ours had; 0 before the first. */
  readonly sequence: number
  /**
   * The endpoints that peers had before we gave them loopback ones, as `wg` prints them, and null for a peer that had
   * none. Empty unless the node runs or was killed.
   */
  readonly formerEndpoints: Readonly<Record<PublicKey, string | null>>
}

const NOTHING: State = { listenPort: undefined, sequence: 0, formerEndpoints: {} }

/** The state of one node, in memory and on disk. */
export class StateFile {
  readonly #path: string
  readonly #log: Said
  readonly #retryMs: number
  #state: State
  /** What is there could not be read, and is not to be lost. */
  #isUnread: boolean
  #unsaved = false
  #saving: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failure: string | undefined

  private constructor(path: string, read: State | 'unreadable', log: Said, retryMs: number) {
    this.#path = path
    this.#isUnread = read === 'unreadable'
    this.#state = read === 'unreadable' ? NOTHING : read
    this.#log = log
    this.#retryMs = retryMs
  }

  /** Reads the state of the node of this name. Never throws: what cannot be read is warned of, and begun afresh. */
  static async open(stateDir: string, name: string, log: Said, retryMs = RETRY_MS): Promise<StateFile> {
    const path = join(stateDir, `${name}.json`)
    return new StateFile(path, await readState(path, log), log, retryMs)
  }

  get state(): State {
    return this.#state
  }

  /** Why the file cannot be written; undefined where it can. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Changes the state at once in memory, and soon on disk: what changes meanwhile goes into one writing. */
  update(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
    this.#unsaved = true
    this.#saving ??= this.#save()
  }

  /** Fulfilled when every update so far is on disk, or was warned of. */
  async flush(): Promise<void> {
    if (this.#unsaved) this.#saving ??= this.#save()
    await this.#saving
    // At the end nothing is left to be tried again; where it is not the end, the next update does.
    clearTimeout(this.#retry)
    if (this.#failure !== undefined) this.#tryLater()
  }

  #tryLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#saving ??= this.#save()
    }, this.#retryMs).unref()
  }

  async #save(): Promise<void> {
    do {
      await setImmediate()
      this.#unsaved = false
      try {
        if (this.#isUnread) await rename(this.#path, `${this.#path}.unreadable`)
        this.#isUnread = false
        await replaceFile(this.#path, encodeState(this.#state))
        if (this.#failure !== undefined)
          this.#log.info({ file: this.#path }, 'the state file can be written again')
        this.#failure = undefined
      } catch (error) {
        this.#unsaved = true
        const isSaid = this.#failure !== undefined
        this.#failure = causeOf(error)
        if (!isSaid)
          this.#log.warn(
            { file: this.#path, cause: this.#failure },
            'cannot write the state file; going on without it, nothing new is remembered',
          )
        this.#tryLater()
        break
      }
    } while (this.#unsaved)
    this.#saving = undefined
  }
}

/** Reads a state file's bytes; undefined where they are no state. Fields that are not known are ignored. */
export function decodeState(bytes: Uint8Array): State | undefined {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
  if (!isObject(value)) return undefined
  const { version, listenPort, sequence, formerEndpoints } = value
  if (version !== VERSION) return undefined
  if (listenPort !== undefined && !(typeof listenPort === 'number' && isPort(listenPort))) return undefined
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) return undefined
  if (!isObject(formerEndpoints)) return undefined
  const endpoints: Record<PublicKey, string | null> = {}
  for (const [text, endpoint] of Object.entries(formerEndpoints)) {
    const key = parsePublicKey(text)
    if (key === undefined || !(endpoint === null || isEndpoint(endpoint))) return undefined
    endpoints[key] = endpoint
  }
  return { listenPort, sequence, formerEndpoints: endpoints }
}

/** The bytes that {@link decodeState} reads. */
export function encodeState(state: State): string {
  return `${JSON.stringify({ version: VERSION, ...state }, undefined, 2)}\n`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An endpoint as `wg` prints it, with a zone where it has one (`[fe80::1%eth0]:51820`). */
function isEndpoint(value: unknown): value is string {
  return typeof value === 'string' && /^(\[[0-9a-f:.]+(%[^\s\]]{1,15})?\]|[0-9.]+):\d{1,5}$/.test(value)
}

async function readState(path: string, log: Said): Promise<State | 'unreadable'> {
  let state: State | undefined
  try {
    const { size } = await stat(path)
    state = size <= MAX_FILE_BYTES ? decodeState(await readFile(path)) : undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return NOTHING
    log.warn({ file: path, cause: causeOf(error) }, 'cannot read the state file; starting afresh')
    return 'unreadable'
  }
  if (state !== undefined) return state
  const aside = `${path}.corrupt`
  try {
    await rename(path, aside)
    log.warn({ file: path, movedTo: aside }, 'the state file is damaged; it was moved aside, starting afresh')
  } catch (error) {
    log.warn({ file: path, cause: causeOf(error) }, 'the state file is damaged; starting afresh')
  }
  return NOTHING
}

/** Puts `content` in place of the file in one step that a crash cannot halve. Makes the directory, 0700. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const beside = `${path}.new`
  await makeDirectory(dirname(path))
  try {
    await writeSynced(beside, content)
    await rename(beside, path)
  } catch (error) {
    // Half of it would take what little room there is.
    await rm(beside, { force: true }).catch(() => undefined)
    throw error
  }
  await syncDirectory(dirname(path))
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A new name is only on disk when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * The bootstrap node's identity: an Ed25519 seed of 32 random bytes in `<stateDir>/bootstrap.key` (0600), made at the
 * first start. Others name the node by it, so it is never replaced: a UserError says what is wrong with the file.
 */
export async function loadBootstrapKey(stateDir: string): Promise<Uint8Array> {
  const path = join(stateDir, 'bootstrap.key')
  try {
    return await readKey(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw keyError(path, error)
  }
  const beside = `${path}.${randomBytes(4).toString('hex')}`
  try {
    await makeDirectory(stateDir)
    await writeSynced(beside, randomBytes(KEY_LENGTH))
    // Unlike a rename, a link fails where another start was quicker: then that one's key is taken.
    await link(beside, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
    await syncDirectory(stateDir)
    return await readKey(path)
  } catch (error) {
    throw keyError(path, error)
  } finally {
    await rm(beside, { force: true }).catch(() => undefined)
  }
}

async function readKey(path: string): Promise<Uint8Array> {
  const key = await readFile(path)
  if (key.length !== KEY_LENGTH) throw new Error(`it has ${key.length} bytes, not ${KEY_LENGTH}`)
  return key
}

function keyError(path: string, error: unknown): UserError {
  return new UserError(
    `cannot use the identity ${path}: ${causeOf(error)}; mend or remove it, or give another --state-dir`,
  )
}
