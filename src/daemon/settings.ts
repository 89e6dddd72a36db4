/**
 * Sources of settings, the command line and a TOML file, and how a value is taken from the first that has it. Whatever is
 * wrong is a {@link ConfigError} that names the option, or the key and its file.
 */

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'smol-toml'
import { causeOf, UserError } from '../base/userError.js'

/** Wrong use: an option, a key or a file that cannot be taken as it is. */
export class ConfigError extends UserError {
  override readonly name = 'ConfigError'

  constructor(message: string) {
    super(message, 2)
  }
}

/** One source of settings: values by key, none of them checked yet. */
export interface Settings {
  /** Undefined: the command line. */
  readonly file: string | undefined
  /** Where relative paths start; absolute. */
  readonly directory: string
  readonly values: Readonly<Record<string, unknown>>
}

/** Reads and parses `--config`'s file. Throws a {@link ConfigError} that names the file, and the line where it can. */
export async function readConfigFile(path: string): Promise<Settings> {
  const file = resolve(path)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`cannot read ${file}: ${causeOf(error)}; give --config a readable TOML file`)
  }
  return { file, directory: dirname(file), values: parseToml(text, file) }
}

/** The values of a TOML text. Throws a {@link ConfigError} that names `file` and the line. */
export function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text)
  } catch (error) {
    // The message's first line says what is wrong; the others draw the place.
    const [said = ''] = error instanceof Error ? error.message.split('\n') : []
    const line =
      error instanceof Error && 'line' in error && typeof error.line === 'number'
        ? `, line ${error.line}`
        : ''
    throw new ConfigError(`${file}${line}: ${said.replace('Invalid TOML document: ', 'not valid TOML: ')}`)
  }
}

/** Reads a value, or throws a {@link ConfigError} that begins with the name in `at`. */
export type Reader<Value> = (value: unknown, at: Place) => Value

/** Where a value stands. */
export interface Place {
  /** `--stun`, or `stun in /etc/tunnelbore.toml`. */
  readonly name: string
  readonly directory: string
}

/** The value of a key in the first source that has it; undefined where none has. */
export function setting<Value>(
  sources: readonly Settings[],
  key: string,
  read: Reader<Value>,
): Value | undefined {
  const source = sources.find(({ values }) => Object.hasOwn(values, key) && values[key] !== undefined)
  if (source === undefined) return undefined
  const name = source.file === undefined ? `--${key}` : `${key} in ${source.file}`
  return read(source.values[key], { name, directory: source.directory })
}

export function refuseUnknownKeys(sources: readonly Settings[], known: readonly string[]): void {
  for (const { file, values } of sources) {
    const unknown = Object.keys(values).find((key) => !known.includes(key))
    if (unknown === undefined) continue
    const place = file === undefined ? 'on the command line' : `in ${file}`
    throw new ConfigError(`unknown key ${shown(unknown)} ${place}; known here are ${known.join(', ')}`)
  }
}

/** A list, each entry of which is read alike. */
export function listOf<Value>(read: Reader<Value>, what = 'strings'): Reader<readonly Value[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw wrong(at, `must be a list of ${what}`, value)
    return value.map((entry) => read(entry, at))
  }
}

/** A whole number of something. */
export function numberOf(what: string, least: number, most: number): Reader<number> {
  return (value, at) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
    throw wrong(at, `must be a number of ${what} from ${least} to ${most}`, value)
  }
}

/** What to throw where `value` breaks a rule. */
export function wrong(at: Place, rule: string, value: unknown): ConfigError {
  return new ConfigError(`${at.name}: ${rule}, not ${shown(value)}`)
}

/** A value for the end of a sentence: on one line, and not long. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value)
    return quoted.length <= 120 ? quoted : `${quoted.slice(0, 120)}…"`
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'a list'
  return value instanceof Date ? 'a date' : 'a table'
}
