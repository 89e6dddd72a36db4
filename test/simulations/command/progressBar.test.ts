import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProgressBar } from '../../../simulations/command/progressBar.js'

const HOUR = 3_600_000

describe('the progress on a terminal', () => {
  it('is one line that shows simulated time, share, speed and time left', () => {
    const { terminal, bar, pass } = shown({ isTTY: true, columns: 120 })
    pass(1_000)
    bar.show(HOUR)
    assert.deepEqual(terminal.written, [
      '\r\x1b[Kroaming █████░░░░░░░░░░░░░░░  25 %  1:00:00 of 4:00:00  3,600 times real time  0:03 left',
    ])
  })

  it('is redrawn ten times a second at most', () => {
    const { terminal, bar, pass } = shown({ isTTY: true, columns: 120 })
    for (let step = 0; step < 100; step++) {
      pass(10)
      bar.show(step)
    }
    assert.equal(terminal.written.length, 10)
  })

  it('is no wider than the terminal', () => {
    const { terminal, bar, pass } = shown({ isTTY: true, columns: 30 })
    pass(1_000)
    bar.show(HOUR)
    assert.equal(terminal.written[0]?.replace('\r\x1b[K', '').length, 29)
  })

  it('gives way to one line at the end', () => {
    const { terminal, bar, pass } = shown({ isTTY: true, columns: 120 })
    pass(2_500)
    bar.end(4 * HOUR, true)
    assert.deepEqual(terminal.written, [
      '\r\x1b[Kroaming: simulated 4:00:00 in 2.5 s, 5,760 times real time\n',
    ])
  })
})

describe('the progress elsewhere', () => {
  it('is a plain line now and then', () => {
    const { terminal, bar, pass } = shown({})
    for (let step = 1; step <= 250; step++) {
      pass(100)
      bar.show(step * 10_000)
    }
    assert.deepEqual(terminal.written, [
      'roaming:   6 %  0:16:40 of 4:00:00  100 times real time  2:14 left\n',
      'roaming:  13 %  0:33:20 of 4:00:00  100 times real time  2:04 left\n',
    ])
  })

  it('says when a run was interrupted', () => {
    const { terminal, bar, pass } = shown({})
    pass(1_000)
    bar.end(500, false)
    assert.deepEqual(terminal.written, ['roaming: interrupted after 0:00:00 in 1.0 s, 0.5 times real time\n'])
  })
})

function shown(kind: { readonly isTTY?: boolean; readonly columns?: number }) {
  const written: string[] = []
  const terminal = { ...kind, written, write: (text: string) => written.push(text) }
  let now = 5_000
  const bar = new ProgressBar('roaming', 4 * HOUR, terminal, () => now)
  const pass = (ms: number): void => {
    now += ms
  }
  return { terminal, bar, pass }
}
