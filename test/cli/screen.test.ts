import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitScreen, Screen } from '../../src/cli/screen.js'

test('what is longer than the terminal is cut, and says by how much', () => {
  assert.equal(fitScreen('a\nb\n', 3), 'a\nb\n')
  assert.equal(fitScreen('a\nb\nc\nd\n', 4), 'a\nb\n… 2 more lines\n')
  assert.equal(fitScreen('a\nb\n', 0), 'a\nb\n')
  assert.equal(fitScreen('a\nb\n', 1), '… 2 more lines\n')
})

test('a redrawn screen clears what a shorter text leaves, and gives the terminal back', () => {
  let written = ''
  const screen = new Screen({ write: (text: string) => (written += text) })
  written = ''
  screen.draw('one\ntwo\n')
  assert.equal(written, '\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J')
  written = ''
  screen.close()
  assert.equal(written, '\x1b[?7h\x1b[?25h\x1b[?1049l')
})
