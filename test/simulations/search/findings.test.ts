import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { caseOf } from '../../../simulations/search/arbitraries.js'
import { type Findings, renderJson, renderText } from '../../../simulations/search/findings.js'
import { SearchProgress } from '../../../simulations/search/searchProgress.js'

describe('what a search found', () => {
  it('is nothing, and what it looked at', () => {
    const text = renderText(CLEAN)
    assert.match(text, /^1,200 seeds in 60\.0 s, 20\.0 a second: no violation\n/)
    assert.match(
      text,
      /2\.0 simulated hours, 5 faults, 1,000 pings of which 990 were answered, 4,000 datagrams; 400 contacts in peace, 3 of which took more than 10 s\n/,
    )
    assert.deepEqual(JSON.parse(renderJson(CLEAN)).violations, [])
  })

  it('says what happened, in words, and the one command that shows it again', () => {
    const text = renderText(FOUND)
    assert.match(text, /connected: violated by seeds 4, 9\n/)
    assert.match(text, /seed 4, shrunk in 33 runs: after 1:02\.500, connected: nobody came/)
    assert.match(text, /host1: at site/)
    assert.match(text, /again: npm run sim:search -- --seed 4\n/)
    const [first, second] = JSON.parse(renderJson(FOUND)).violations
    assert.equal(first.again, 'npm run sim:search -- --seed 4')
    assert.deepEqual(first.smallest.case, JSON.parse(JSON.stringify(caseOf(4))))
    assert.equal(second.smallest, undefined)
  })

  it('is marked incomplete where it was interrupted', () => {
    assert.match(renderText({ ...FOUND, smallest: [], complete: false }), /^incomplete: interrupted; /)
    assert.match(renderText({ ...FOUND, smallest: [], complete: false }), /seed 4: after 1:02\.500/)
    assert.equal(JSON.parse(renderJson({ ...CLEAN, complete: false })).complete, false)
  })
})

describe('the progress of a search', () => {
  it('is a line that is drawn anew on a terminal', () => {
    const { progress, written, clock } = shown({ isTTY: true, columns: 200 }, 100, undefined)
    clock.ms = 1_000
    progress.show({ seeds: 20, found: 0 })
    progress.show({ seeds: 21, found: 0 })
    progress.end()
    assert.deepEqual(written, [
      '\r\x1b[Ksearch: 20 of 100 seeds, 20.0 a second, 0 found, 0:04 left',
      '\r\x1b[K',
    ])
  })

  it('is a line now and then elsewhere', () => {
    const { progress, written, clock } = shown({}, undefined, 60_000)
    for (let second = 1; second <= 25; second++) {
      clock.ms = second * 1_000
      progress.show({ seeds: 10 * second, found: 1 })
    }
    progress.end()
    assert.deepEqual(written, [
      'search: 100 seeds, 10.0 a second, 1 found, 0:50 left\n',
      'search: 200 seeds, 10.0 a second, 1 found, 0:40 left\n',
    ])
  })
})

const CLEAN: Findings = {
  seeds: 1_200,
  complete: true,
  found: [],
  smallest: [],
  statistics: {
    simulatedMs: 7_200_000,
    datagrams: 4_000,
    pings: 1_000,
    answeredPings: 990,
    contacts: 400,
    lateContacts: 3,
    struck: { sleeps: 2, roams: 3 },
  },
  cryptography: 'stand-in',
  seconds: 60,
}

const VIOLATION = { invariant: 'connected', what: 'nobody came', atMs: 62_500 }

const FOUND: Findings = {
  ...CLEAN,
  found: [
    { seed: 4, violation: VIOLATION },
    { seed: 9, violation: VIOLATION },
  ],
  smallest: [{ seed: 4, case: caseOf(4), failure: VIOLATION, runs: 33, isSmallest: true }],
}

function shown(
  terminal: { isTTY?: boolean; columns?: number },
  seeds: number | undefined,
  ms: number | undefined,
) {
  const written: string[] = []
  const clock = { ms: 0 }
  const progress = new SearchProgress({
    seeds,
    ms,
    terminal: { ...terminal, write: (text) => written.push(text) },
    clock: () => clock.ms,
  })
  return { progress, written, clock }
}
