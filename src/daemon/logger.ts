/**
 * Logging: one JSON object a line on stderr, for machines; coloured lines where stderr is a terminal, for people.
 * Nothing is redacted here, because no secret is ever handed to a logger.
 */

import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { LogLevel } from './settingReaders.js'

export type { Logger } from 'pino'

const STDERR = 2
/** Of lines that wait while stderr takes none: a file on a full disk. What is more is lost. */
const MAX_WAITING_BYTES = 256 * 1024

/** A logger of one node. `node` is its interface, or `bootstrap`: it stands in every line. */
export async function createLogger(level: LogLevel, node: string): Promise<Logger> {
  const options = { level, base: { node }, timestamp: stdTimeFunctions.isoTime }
  return pino(options, process.stderr.isTTY ? await prettyStream() : lineStream())
}

/** A log that cannot be written must not end the node. */
function lineStream(): DestinationStream {
  const stream = destination({ dest: STDERR, sync: true, maxLength: MAX_WAITING_BYTES })
  return stream.on('error', () => undefined)
}

/** pino-pretty as a stream of this thread: what is logged last before the end is not lost in a worker. */
async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({
    destination: STDERR,
    sync: true,
    colorize: process.stderr.hasColors(),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node',
  })
}
