import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readOrder, replayCommand } from '../../../simulations/search/order.js'
import { UserError } from '../../../src/base/userError.js'

const IGNORED = (): void => undefined

describe('the arguments of the search', () => {
  it('name what is searched', () => {
    assert.deepEqual(quarry('--minutes', '2.5'), { type: 'minutes', minutes: 2.5 })
    assert.deepEqual(quarry('--seeds', '5-9'), { type: 'seeds', from: 5, to: 9 })
    assert.deepEqual(quarry('--seed', '17'), { type: 'seeds', from: 17, to: 17 })
    assert.deepEqual(quarry('--case', 'some.json'), { type: 'case', file: 'some.json' })
  })

  it('have defaults', () => {
    const order = readOrder(['--seed', '1'], IGNORED)
    assert.equal(order?.cryptography, 'stand-in')
    assert.equal(order?.json, false)
    assert.ok((order?.workers ?? 0) >= 1)
  })

  it('are given back as the command that runs a seed again', () => {
    for (const cryptography of ['stand-in', 'real'] as const) {
      const command = replayCommand(12, cryptography)
      const order = readOrder(command.split(' ').slice(4), IGNORED)
      assert.deepEqual(order?.quarry, { type: 'seeds', from: 12, to: 12 })
      assert.equal(order?.cryptography, cryptography)
    }
  })

  it('that are wrong are told in one line, with what is allowed', () => {
    const wrong: readonly (readonly [RegExp, ...string[]])[] = [
      [/--minutes N, --seeds FROM-TO, --seed N or --case FILE$/],
      [/only one of/, '--seed', '1', '--minutes', '1'],
      [/whole number from 0 to 2147483647$/, '--seed', '-1'],
      [/whole number from 0 to 2147483647$/, '--seed', '2147483648'],
      [/FROM-TO/, '--seeds', '7'],
      [/FROM-TO/, '--seeds', '7-3'],
      [/above 0, up to 10080$/, '--minutes', '0'],
      [/above 0, up to 10080$/, '--minutes', 'soon'],
      [/from 1 to 256$/, '--seed', '1', '--workers', '0'],
      [/must be stand-in or real$/, '--seed', '1', '--cryptography', 'none'],
      [/unknown option '--speed'; it takes --minutes/, '--speed', '1'],
      [/too many arguments/, '--seed', '1', 'more'],
      [/argument missing/, '--seed'],
    ]
    for (const [message, ...argv] of wrong) {
      assert.throws(
        () => readOrder(argv, IGNORED),
        (error) =>
          error instanceof UserError &&
          error.exitCode === 2 &&
          message.test(error.message) &&
          !error.message.includes('\n'),
        argv.join(' '),
      )
    }
  })

  it('give help', () => {
    let said = ''
    assert.equal(
      readOrder(['--help'], (text) => {
        said += text
      }),
      undefined,
    )
    for (const option of [
      '--minutes',
      '--seeds',
      '--seed',
      '--case',
      '--write',
      '--workers',
      '--cryptography',
    ])
      assert.ok(said.includes(option))
  })
})

function quarry(...argv: readonly string[]) {
  return readOrder(argv, IGNORED)?.quarry
}
