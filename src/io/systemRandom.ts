/** The system's randomness, fit for keys. */

import { randomBytes } from 'node:crypto'
import type { Random } from '../base/random.js'

export const systemRandom: Random = { bytes: (length) => randomBytes(length) }
