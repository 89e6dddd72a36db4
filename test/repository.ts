/** Where the sources are, whichever folder the tests were compiled into. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of this file, compiled: the root of all compiled tests. */
export const COMPILED_TESTS = import.meta.dirname

/** The repository's top: the nearest folder above with a package.json. */
export const REPOSITORY = topAbove(COMPILED_TESTS)

function topAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const parent = dirname(folder)
  if (parent === folder) throw new Error(`no package.json above ${COMPILED_TESTS}`)
  return topAbove(parent)
}
