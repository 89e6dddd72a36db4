/** Puts a bug into a copy of the compiled sources, and takes the copy away again. */

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Plant } from './plant.js'

/** A copy of the compiled sources with a bug in it. */
export interface Bed {
  /** URL of the copy's module that runs cases. */
  readonly runner: string
  /** Takes the copy away. */
  clear(): void
}

/** What the cases run on. */
const COPIED = ['src', 'simulations']

/** The root of the compiled sources that this file is one of. */
const COMPILED = fileURLToPath(new URL('../../../', import.meta.url))

/** The file's text with the bug in it. Throws where the place is not there, or is not the only one. */
export function planted({ name, file, find, replace }: Plant, text: string): string {
  const places = text.split(find).length - 1
  if (places !== 1) throw new Error(`the plant ${name} fits ${places} places of ${file}, not 1`)
  if (find === replace) throw new Error(`the plant ${name} changes nothing`)
  return text.replace(find, () => replace)
}

/** What a plant is put into, as it is without. */
export function unplanted({ file }: Plant): string {
  return readFileSync(join(COMPILED, 'src', file), 'utf8')
}

/** Below the repository, so that the copy finds the packages. */
export function plant(bug: Plant): Bed {
  const text = planted(bug, unplanted(bug))
  const beds = join(repositoryAbove(COMPILED), 'build', 'plants')
  mkdirSync(beds, { recursive: true })
  const bed = mkdtempSync(join(beds, `${bug.name}-`))
  for (const folder of COPIED) {
    cpSync(join(COMPILED, folder), join(bed, folder), {
      recursive: true,
      filter: (path) => !path.endsWith('.map') && !path.endsWith('.d.ts'),
    })
  }
  writeFileSync(join(bed, 'src', bug.file), text)
  return {
    runner: pathToFileURL(join(bed, 'simulations', 'search', 'runCase.js')).href,
    clear: () => rmSync(bed, { recursive: true, force: true }),
  }
}

function repositoryAbove(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder
  const above = dirname(folder)
  if (above === folder) throw new Error('there is no package.json above the compiled sources')
  return repositoryAbove(above)
}
