import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SECOND } from '../../../src/base/time.js'
import type { Path } from '../../../src/engine/path/path.js'
import type { Beside } from '../../../src/engine/path/proved.js'
import { chooseBeside } from '../../../src/engine/roam/beside.js'
import { remote } from '../path/machines.js'
import { at, START } from '../virtualTime.js'

const USED = path(1, 1)

describe('the path beside the one in use', () => {
  it('has little in common with it', () => {
    const besides = [beside(path(1, 2)), beside(path(2, 1)), beside(path(2, 2))]
    assert.deepEqual(chosen(besides), path(2, 2))
    assert.deepEqual(chosen([beside(USED), beside(path(1, 2))]), path(1, 2))
  })

  it('was heard from within 25 s rather than that', () => {
    const stale = { path: path(2, 2), answeredAt: at(0) }
    assert.deepEqual(chosen([stale, beside(path(1, 2))]), path(1, 2))
    assert.deepEqual(chosen([stale]), path(2, 2))
  })

  it('stays, unless another one has answered and it has not', () => {
    const besides = [beside(path(1, 2)), beside(path(2, 2))]
    assert.deepEqual(chosen(besides, [], path(1, 2)), path(1, 2))
    assert.deepEqual(chosen(besides, [path(2, 2)], path(1, 2)), path(2, 2))
    assert.deepEqual(chosen(besides, [path(2, 2), path(1, 2)], path(1, 2)), path(1, 2))
    assert.deepEqual(chosen(besides, [path(3, 3)], path(1, 2)), path(1, 2))
  })

  it('does not depend on the order in which they are known; and there is one where there are any', () => {
    const anyBeside = fc.record({
      path: fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }))
        .map(([s, r]) => path(s, r)),
      answeredAt: fc.nat({ max: 60 * SECOND }).map(at),
    })
    const anyBesides = fc.uniqueArray(anyBeside, {
      selector: ({ path: { socket, remote: to } }) => `${socket} ${to.ip}`,
    })
    fc.assert(
      fc.property(anyBesides, (besides) => {
        const one = chosen(besides)
        assert.equal(one === undefined, besides.length === 0)
        assert.deepEqual(chosen([...besides].reverse()), one)
      }),
    )
  })
})

function chosen(
  besides: readonly Beside[],
  answered: readonly Path[] = [],
  present?: Path,
): Path | undefined {
  return chooseBeside(USED, besides, answered, present, at(60 * SECOND))?.path
}

function path(socket: number, host: number): Path {
  return { socket, remote: remote(host), type: 'host', proof: 'check', provedAt: START, rttMs: 10 }
}

function beside(known: Path): Beside {
  return { path: known, answeredAt: at(59 * SECOND) }
}
