/**
 * The run directory: where control sockets are, each named after its node (`wg0.sock`). It is the user's own (0700):
 * who can reach a socket can ask the node for its peers.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { causeOf, codeOf, UserError } from '../base/userError.js'
import { makeDirectory } from './makeDirectory.js'
import { isNodeName } from './nodeName.js'

export const DEFAULT_RUN_DIR = '/run/tunnelbore'

const SOCKET_SUFFIX = '.sock'
/** `sun_path` has 108 bytes, one of them the final zero (unix(7)); a longer path would be cut short. */
const MAX_SOCKET_PATH_LENGTH = 107
/** A holder of the lock connects to one socket at most, and that is bounded. */
const LOCK_TIMEOUT_MS = 10_000

/** Where the node of this name has its control socket. `name` is an interface's, or `bootstrap`. */
export function controlSocketPath(runDir: string, name: string): string {
  const path = join(runDir, name + SOCKET_SUFFIX)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_LENGTH) {
    throw new UserError(
      `the control socket's path would be longer than ${MAX_SOCKET_PATH_LENGTH} bytes; give --run-dir a shorter one`,
      2,
    )
  }
  return path
}

/** The names of the nodes that have, or had when they were killed, a control socket here; sorted. */
export async function listNodes(runDir: string): Promise<readonly string[]> {
  let files: readonly string[]
  try {
    files = await readdir(runDir)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw new UserError(`cannot look into ${runDir}: ${causeOf(error)}; run as the user that runs tunnelbore`)
  }
  return files
    .filter((file) => file.endsWith(SOCKET_SUFFIX))
    .map((file) => file.slice(0, -SOCKET_SUFFIX.length))
    .filter(isNodeName)
    .sort()
}

/**
 * Makes the run directory, 0700. One that exists is taken only if it is ours and closed to others; its mode is not
 * changed, because `--run-dir /run` must not lock everybody else out.
 */
export async function prepareRunDirectory(runDir: string): Promise<void> {
  try {
    await makeDirectory(runDir)
  } catch (error) {
    throw new UserError(
      `cannot make ${runDir}: ${causeOf(error)}; run as root, or give --run-dir a directory of yours`,
    )
  }
  const { uid, mode } = await stat(runDir)
  if (uid !== process.getuid?.()) {
    throw new UserError(`${runDir} belongs to another user; give --run-dir a directory of yours`)
  }
  if ((mode & 0o077) !== 0) {
    const permissions = (mode & 0o777).toString(8)
    throw new UserError(
      `${runDir} is open to other users (mode ${permissions}); give --run-dir one of its own, or chmod 700 it`,
    )
  }
}

/**
 * Runs `action` while no other process runs one under the same directory.
 *
 * It is an advisory lock on the directory itself (flock(2)), so no lock file is left behind, and the kernel lets go of
 * it when its holder is killed. Node cannot call flock; flock(1) locks our own open file, which it inherits as its
 * file 3, and the lock stays when it ends.
 */
export async function withLock<Value>(runDir: string, action: () => Promise<Value>): Promise<Value> {
  const directory = await open(runDir, 'r')
  try {
    await lock(directory.fd, runDir)
    return await action()
  } finally {
    await directory.close()
  }
}

async function lock(fd: number, runDir: string): Promise<void> {
  const child = spawn('flock', ['-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
    timeout: LOCK_TIMEOUT_MS,
  })
  let code: unknown
  try {
    ;[code] = await once(child, 'exit')
  } catch (error) {
    throw new UserError(`cannot run flock: ${causeOf(error)}; install util-linux`)
  }
  if (code !== 0) throw new UserError(`cannot lock ${runDir}; another tunnelbore hangs while it starts`)
}
