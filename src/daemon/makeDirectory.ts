/** Making directories. */

import { access, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../base/userError.js'

/**
 * Makes a directory of mode 0700 with the parents that are missing; one that exists is left as it is.
 *
 * `mkdir`'s own `recursive` turns for ever where a file system says ENOENT although the parent is there, as /proc does.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || (await exists(parent))) throw error
    await makeDirectory(parent)
    await makeDirectory(path)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
