/** A bug that is put into a copy of the engine, to see whether the search finds it. */

import type { CryptographyName } from '../outcome.js'

export const ENGINES = ['crypto', 'loopback', 'path', 'relay', 'directory', 'roam', 'node'] as const

export interface Plant {
  readonly name: string
  readonly engine: (typeof ENGINES)[number]
  /** What is wrong, in words. */
  readonly what: string
  /** The compiled file, below src/. */
  readonly file: string
  /** Occurs there exactly once. */
  readonly find: string
  readonly replace: string
  /** Real for a bug in what the stand-in stands in for. */
  readonly cryptography?: CryptographyName
  /** The first seed that is tried; the search finds the bug from here within {@link PLANT_SEEDS} seeds. */
  readonly from: number
}

/** So many seeds are run for a plant at most. */
export const PLANT_SEEDS = 40
