import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readArguments, replayCommand } from '../../../simulations/command/arguments.js'
import { UserError } from '../../../src/base/userError.js'
import { OTHER_STORY, STORY } from './scenarios.js'

describe('the arguments', () => {
  it('name a scenario and give its parameters', () => {
    const order = read('some-story', '--seed', '9', '--nodes', '50', '--hours', '2.5', '--active-peers', '3')
    assert.deepEqual(order, {
      scenario: STORY,
      seed: 9,
      values: { nodes: 50, hours: 2.5, 'active-peers': 3 },
      json: false,
      sequence: undefined,
    })
  })

  it('have defaults', () => {
    assert.deepEqual(read('some-story', '--json', '--sequence', 'a.md'), {
      scenario: STORY,
      seed: 1,
      values: { nodes: 10, hours: 1, 'active-peers': 2 },
      json: true,
      sequence: 'a.md',
    })
    assert.deepEqual(read('other-story')?.values, {})
  })

  it('can be written down again', () => {
    const order = read('some-story', '--seed', '9', '--hours', '0.5')
    assert.ok(order !== undefined)
    const command = replayCommand(order)
    assert.equal(command, 'npm run sim -- some-story --seed 9 --nodes 10 --hours 0.5 --active-peers 2')
    assert.deepEqual(read(...command.split(' ').slice(4)), order)
  })

  const mistakes: readonly (readonly [argv: readonly string[], message: string])[] = [
    [[], 'a scenario is missing: one of some-story, other-story'],
    [['no-story'], 'there is no scenario "no-story": one of some-story, other-story'],
    [['some-story', '--nodes', '1'], '--nodes is "1" and must be a whole number from 2 to 1000000'],
    [['some-story', '--nodes', '2.5'], '--nodes is "2.5" and must be a whole number from 2 to 1000000'],
    [['some-story', '--nodes', '-3'], '--nodes is "-3" and must be a whole number from 2 to 1000000'],
    [['some-story', '--nodes', '1e3'], '--nodes is "1e3" and must be a whole number from 2 to 1000000'],
    [['some-story', '--hours', '25'], '--hours is "25" and must be a number from 0.1 to 24'],
    [['some-story', '--hours', 'two'], '--hours is "two" and must be a number from 0.1 to 24'],
    [['some-story', '--seed', ''], '--seed is "" and must be a whole number from 0 to 9007199254740991'],
    [
      ['some-story', '--colour', 'red'],
      "unknown option '--colour'; some-story takes --seed, --nodes, --hours, --active-peers, --json, --sequence",
    ],
    [
      ['other-story', '--nodes', '5'],
      "unknown option '--nodes'; other-story takes --seed, --json, --sequence",
    ],
    [
      ['some-story', '--nodes'],
      "option '--nodes <hosts>' argument missing; some-story takes --seed, --nodes, --hours, --active-peers, --json, --sequence",
    ],
    [
      ['some-story', 'twice'],
      "too many arguments for 'some-story'. Expected 0 arguments but got 1; some-story takes --seed, --nodes, --hours, --active-peers, --json, --sequence",
    ],
    [
      ['--seed', '4', 'some-story'],
      'the scenario comes first: npm run sim -- <scenario> [--seed <number>] [--json] [--sequence <file.md>] [its parameters]',
    ],
  ]
  for (const [argv, message] of mistakes)
    it(`are refused in one line: ${argv.join(' ') || 'none at all'}`, () => {
      assert.throws(
        () => read(...argv),
        (error: unknown) => {
          assert.ok(error instanceof UserError)
          assert.equal(error.message, message)
          assert.equal(error.exitCode, 2)
          return true
        },
      )
    })
})

describe('the help', () => {
  it('lists the scenarios with their parameters, defaults and ranges', () => {
    let help = ''
    const order = readArguments(['--help'], [STORY, OTHER_STORY], (text) => {
      help += text
    })
    assert.equal(order, undefined)
    assert.match(help, /^ {2}some-story\n {4}Things happen\n/m)
    assert.match(
      help,
      /^ {4}--nodes <hosts> +how many hosts: a whole number from 2 to 1000000 \(default: 10\)$/m,
    )
    assert.match(help, /^ {4}--hours <hours> +for how long: a number from 0\.1 to 24 \(default: 1\)$/m)
    assert.match(help, /^ {2}other-story$/m)
    assert.match(help, /--sequence <file\.md>/)
  })

  it('is there for each scenario as well', () => {
    let help = ''
    readArguments(['some-story', '--help'], [STORY], (text) => {
      help += text
    })
    assert.match(help, /--nodes <hosts> +how many hosts: a whole number from 2 to 1000000\s+\(default: 10\)/)
  })
})

function read(...argv: readonly string[]) {
  return readArguments(argv, [STORY, OTHER_STORY], () => undefined)
}
