import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesNeeded, ensureFits, presentMemory } from '../../../simulations/command/memory.js'
import { UserError } from '../../../src/base/userError.js'
import { OTHER_STORY, STORY } from './scenarios.js'

const GIBIBYTE = 2 ** 30
const values = (nodes: number) => ({ nodes, hours: 1, 'active-peers': 2 })

describe('a run', () => {
  it('that fits is let through', () => {
    ensureFits(STORY, values(100), { heapLimit: 4 * GIBIBYTE, available: 4 * GIBIBYTE })
    ensureFits(OTHER_STORY, {}, { heapLimit: GIBIBYTE, available: GIBIBYTE })
  })

  it('that is too large is refused in one line, which names what fits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 256, max: 64 * 1024 }), (mebibytes) => {
        const memory = { heapLimit: mebibytes * 2 ** 20, available: mebibytes * 2 ** 20 }
        const message = refusal(1_000_000, memory)
        const [, named] = /--nodes (\d+) fits$/.exec(message) ?? []
        const fitting = Number(named)
        ensureFits(STORY, values(fitting), memory)
        assert.match(refusal(fitting + 1, memory), new RegExp(`--nodes ${fitting} fits$`))
      }),
    )
  })

  it('that only V8 has no room for is told how to get it', () => {
    const message = refusal(100_000, { heapLimit: 2 * GIBIBYTE, available: 64 * GIBIBYTE })
    const [, room] = /NODE_OPTIONS=--max-old-space-size=(\d+)/.exec(message) ?? []
    ensureFits(STORY, values(100_000), {
      heapLimit: Number(room) * 2 ** 20,
      available: 64 * GIBIBYTE,
    })
  })

  it('needs more for more hosts and for more pairs', () => {
    assert.ok(bytesNeeded({ hosts: 11, pairs: 20 }) > bytesNeeded({ hosts: 10, pairs: 20 }))
    assert.ok(bytesNeeded({ hosts: 10, pairs: 21 }) > bytesNeeded({ hosts: 10, pairs: 20 }))
  })
})

describe('this machine', () => {
  it('has some memory', () => {
    const { heapLimit, available } = presentMemory()
    assert.ok(heapLimit > 0 && available > 0)
  })
})

function refusal(nodes: number, memory: Parameters<typeof ensureFits>[2]): string {
  try {
    ensureFits(STORY, values(nodes), memory)
  } catch (error) {
    assert.ok(error instanceof UserError)
    assert.equal(error.exitCode, 2)
    return error.message
  }
  assert.fail(`${nodes} nodes were let through`)
}
