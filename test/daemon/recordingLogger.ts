/** A logger whose lines are kept, to be compared. */

import { pino } from 'pino'
import type { Logger } from '../../src/daemon/logger.js'

export interface LoggedLine {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A logger of everything, and what was logged so far; `onLine` hears of each line. */
export function recordingLogger(onLine: (line: LoggedLine) => void = () => undefined): {
  readonly log: Logger
  readonly lines: LoggedLine[]
} {
  const lines: LoggedLine[] = []
  const log = pino(
    { level: 'trace', base: null, timestamp: false },
    {
      write(line: string) {
        const { level, msg, ...fields } = JSON.parse(line)
        const logged = { level: pino.levels.labels[level] ?? '', message: msg, fields }
        lines.push(logged)
        onLine(logged)
      },
    },
  )
  return { log, lines }
}
