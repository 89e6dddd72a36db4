/** The arguments of `npm run sim`: a scenario, its parameters, and what is to come of the run. */

import { Command, CommanderError } from 'commander'
import { UserError } from '../../src/base/userError.js'
import type { Parameter, Scenario } from '../scenario.js'

/** What the user wants. */
export interface Order {
  readonly scenario: Scenario
  readonly seed: number
  /** A value for each parameter of the scenario. */
  readonly values: Readonly<Record<string, number>>
  readonly json: boolean
  /** Where to draw a connection. */
  readonly sequence: string | undefined
}

const SEED: Parameter = {
  what: 'what everything random is made from',
  unit: 'number',
  default: 1,
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
}

const USAGE = 'npm run sim -- <scenario> [--seed <number>] [--json] [--sequence <file.md>] [its parameters]'

/**
 * Reads the arguments. Undefined where help was asked for and has been written by `write`; a UserError of one line for
 * what is wrong.
 */
export function readArguments(
  argv: readonly string[],
  scenarios: readonly Scenario[],
  write: (text: string) => void,
): Order | undefined {
  let order: Order | undefined
  const program = new Command('npm run sim --')
    .usage('<scenario> [options]')
    .description('Plays a scenario on the simulated internet, in virtual time')
    .helpCommand(false)
    .addHelpText('after', `\n${describe(scenarios)}`)
    .configureHelp({ visibleCommands: () => [] })
  quiet(program, write)
  for (const scenario of scenarios) {
    const command = quiet(program.command(scenario.name), write).summary(scenario.summary)
    command.usage('[options]').description(`${scenario.summary}.`)
    const parameters = { seed: SEED, ...scenario.parameters }
    for (const [name, parameter] of Object.entries(parameters))
      command.option(
        `--${name} <${parameter.unit}>`,
        `${parameter.what}: ${rangeOf(parameter)}`,
        (text) => readNumber(name, parameter, text),
        parameter.default,
      )
    command.option('--json', 'for programs', false)
    command.option('--sequence <file.md>', 'draws one connection, as a mermaid sequence diagram')
    command.action(() => {
      const flags: Readonly<Record<string, unknown>> = command.opts()
      const values = Object.fromEntries(
        Object.entries(parameters).map(([name, parameter]) => [
          name,
          numberOr(flags[camelCase(name)], parameter),
        ]),
      )
      const { seed = SEED.default, ...own } = values
      const { sequence, json } = flags
      order = {
        scenario,
        seed,
        values: own,
        json: json === true,
        sequence: typeof sequence === 'string' ? sequence : undefined,
      }
    })
  }
  try {
    program.parse(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return undefined
    throw new UserError(complaint(error, argv, scenarios), 2)
  }
  return order
}

/** The command that gives the same run again. */
export function replayCommand({ scenario, seed, values }: Omit<Order, 'json' | 'sequence'>): string {
  const own = Object.entries(values).map(([name, value]) => ` --${name} ${value}`)
  return `npm run sim -- ${scenario.name} --seed ${seed}${own.join('')}`
}

function quiet(command: Command, write: (text: string) => void): Command {
  return command.exitOverride().configureOutput({ writeOut: write, writeErr: () => undefined })
}

/** Each scenario with its parameters. */
function describe(scenarios: readonly Scenario[]): string {
  const blocks = scenarios.map((scenario) => {
    const rows = Object.entries(scenario.parameters).map(
      ([name, parameter]) =>
        `    ${`--${name} <${parameter.unit}>`.padEnd(28)} ${parameter.what}: ${rangeOf(parameter)} (default: ${parameter.default})`,
    )
    return [`  ${scenario.name}`, `    ${scenario.summary}`, ...rows].join('\n')
  })
  return [
    'Beside the scenarios:',
    `    ${'plan --nodes <number>'.padEnd(28)} what a fleet should expect, and what it needs (plan --help)`,
    `    ${'report --html <file.html>'.padEnd(28)} plays the fleets and draws what came of it (report --help)`,
    '',
    'Every scenario takes:',
    `    ${`--seed <${SEED.unit}>`.padEnd(28)} ${SEED.what}: ${rangeOf(SEED)} (default: ${SEED.default})`,
    `    ${'--json'.padEnd(28)} for programs`,
    `    ${'--sequence <file.md>'.padEnd(28)} draws one connection, as a mermaid sequence diagram`,
    '',
    'Scenarios:',
    ...blocks,
    '',
    'The exit code is 0 where all that is expected held, 1 where something did not, 2 for wrong use, 130 after Ctrl-C.',
  ].join('\n')
}

function rangeOf({ min, max, fractional }: Parameter): string {
  return `${fractional === true ? 'a number' : 'a whole number'} from ${min} to ${max}`
}

function readNumber(name: string, parameter: Parameter, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  const isRight =
    value >= parameter.min &&
    value <= parameter.max &&
    (parameter.fractional === true || Number.isSafeInteger(value))
  if (isRight) return value
  throw new UserError(`--${name} is ${JSON.stringify(text)} and must be ${rangeOf(parameter)}`, 2)
}

function numberOr(value: unknown, parameter: Parameter): number {
  return typeof value === 'number' ? value : parameter.default
}

/** commander's message on one line, with what is allowed. */
function complaint(error: CommanderError, argv: readonly string[], scenarios: readonly Scenario[]): string {
  const names = scenarios.map(({ name }) => name).join(', ')
  if (error.code === 'commander.help') return `a scenario is missing: one of ${names}`
  const named = scenarios.find(({ name }) => name === argv[0])
  if (named === undefined)
    return argv[0]?.startsWith('-') === true
      ? `the scenario comes first: ${USAGE}`
      : `there is no scenario ${JSON.stringify(argv[0])}: one of ${names}`
  const said = error.message.replace(/^error: /, '').replace(/\.?\s*(?:\n[\s\S]*)?$/, '')
  const options = ['seed', ...Object.keys(named.parameters), 'json', 'sequence'].map((name) => `--${name}`)
  return `${said}; ${named.name} takes ${options.join(', ')}`
}

/** As commander names the values of options. */
function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_dash, letter: string) => letter.toUpperCase())
}
