/** What the emulated machine says of its tests arrives whole, and is put in order. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResultCollector } from './resultCollector.js'
import { parseResultLine, type RunnerEvent, resultLines } from './resultLines.js'

test('a test is named with its suites', async () => {
  const results = new ResultCollector()
  const lines = [
    await lineOf('test:pass', 'comes up', 0),
    await lineOf('test:pass', 'after a kill', 2),
    await lineOf('test:fail', 'after an end', 2, { error: new Error('it stayed') }),
    await lineOf('test:fail', 'restored', 1, { type: 'suite', error: new Error('1 subtest failed') }),
    await lineOf('test:pass', 'the daemon', 0, { type: 'suite' }),
    '{"exitCode":1}',
  ]
  for (const line of lines) {
    const result = parseResultLine(line)
    assert.ok(result !== undefined && result.kind !== 'note', line)
    results.take(result)
  }
  assert.deepEqual(
    results.tests.map(({ name }) => name),
    ['comes up', 'the daemon: restored: after a kill', 'the daemon: restored: after an end'],
  )
  assert.match(results.tests[2]?.failure ?? '', /it stayed/)
  assert.equal(results.tests[1]?.failure, undefined)
  assert.equal(results.exitCode, 1)
})

test('a skipped test is told apart from one that passed', async () => {
  const result = parseResultLine(await lineOf('test:pass', 'later', 0, {}, 'not yet'))
  assert.ok(result?.kind === 'test' && result.isSkipped)
})

test('what a test says besides is told apart from what the runner says in the end', async () => {
  assert.deepEqual(parseResultLine(await noteOf('silent for 90 ms', '/a.js')), {
    kind: 'note',
    note: 'silent for 90 ms',
  })
  assert.equal(await noteOf('tests 1', undefined), '')
})

test('what else stands on the serial port is no result', () => {
  for (const line of ['', 'Kernel panic', '{', 'null', '[]', '{"name":"a"}', '{"exitCode":"0"}'])
    assert.equal(parseResultLine(line), undefined, line)
})

/** The line that the reporter writes for one event of Node's runner. */
async function lineOf(
  type: 'test:pass' | 'test:fail',
  name: string,
  nesting: number,
  details: { readonly type?: string; readonly error?: Error } = {},
  skip?: string,
): Promise<string> {
  const data = {
    name,
    nesting,
    details: { duration_ms: 1, ...details },
    ...(skip === undefined ? {} : { skip }),
  }
  return written({ type, data })
}

/** The same for what a test of a file says besides. */
function noteOf(message: string, file: string | undefined): Promise<string> {
  return written({ type: 'test:diagnostic', data: { message, ...(file === undefined ? {} : { file }) } })
}

async function written(event: RunnerEvent): Promise<string> {
  async function* events() {
    yield event
  }
  let text = ''
  for await (const line of resultLines(events())) text += line
  return text.trimEnd()
}
