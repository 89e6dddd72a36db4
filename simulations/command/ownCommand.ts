/** What the commands beside the scenarios share: `plan` and `report` take options only. */

import { type Command, CommanderError, InvalidArgumentError } from 'commander'
import { UserError } from '../../src/base/userError.js'

/**
 * Parses what stands after the name of a command. False where help was asked for and has been written by `write`; a
 * UserError of one line for what is wrong.
 */
export function parseOwn(
  command: Command,
  name: string,
  argv: readonly string[],
  write: (text: string) => void,
): boolean {
  command
    .name(`npm run sim -- ${name}`)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => undefined })
  try {
    command.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return false
    throw new UserError(`${name}: ${error.message.replace(/^error: /, '').replace(/\s*\n[\s\S]*$/, '')}`, 2)
  }
  return true
}

/** Reads a whole number. */
export function wholeFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}
