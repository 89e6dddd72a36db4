import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { runOrder } from '../../../simulations/command/runOrder.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { pass, type Run, type Scenario } from '../../../simulations/scenario.js'
import { UserError } from '../../../src/base/userError.js'
import { first } from '../../engine/wireguardMessages.js'
import { ANA, BEN } from '../report/connectionStory.js'
import { STORY } from './scenarios.js'

const directory = mkdtempSync(join(tmpdir(), 'sim-'))
after(() => rmSync(directory, { recursive: true }))

describe('an order', () => {
  it('is run, and what was found is written as text', async () => {
    const { verdict, written, shown } = await ordered({ broken: [] })
    assert.equal(verdict, 'held')
    assert.match(written, /^some-story: Things happen\n/)
    assert.match(written, /✓ all is well/)
    assert.match(written, /again: npm run sim -- some-story --seed 3 --nodes 4 --hours 1 --active-peers 2\n$/)
    assert.match(shown, /^some-story: simulated 0:00:10 in /)
  })

  it('or as JSON, the same to the byte for the same seed', async () => {
    const { written } = await ordered({ broken: [], json: true })
    assert.equal((await ordered({ broken: [], json: true })).written, written)
    const document = JSON.parse(written)
    assert.deepEqual(document.parameters, { nodes: 4, hours: 1, 'active-peers': 2 })
    assert.equal(document.simulatedMs, 10_000)
    assert.equal(document.held, true)
  })

  it('says where an expectation did not hold', async () => {
    const { verdict, written } = await ordered({ broken: ['it was late'] })
    assert.equal(verdict, 'broken')
    assert.match(written, /✗ all is well: broken once\n {6}it was late\n/)
  })

  it('that is interrupted gives what was measured so far', async () => {
    const { verdict, written } = await ordered({ broken: [], json: true, interruptedAt: 2_000 })
    const { complete, incomplete, simulatedMs, held, measurements } = JSON.parse(written)
    assert.equal(verdict, 'interrupted')
    assert.deepEqual(
      { complete, incomplete, held },
      { complete: false, incomplete: 'interrupted', held: null },
    )
    assert.ok(simulatedMs >= 2_000 && simulatedMs < 10_000)
    assert.equal(measurements.seconds.value, Math.floor(simulatedMs / 1_000))
  })

  it('draws a connection where it was told to', async () => {
    const sequence = join(directory, 'connection.md')
    await ordered({ broken: [], sequence })
    const page = readFileSync(sequence, 'utf8')
    assert.match(page, /^# ana reaches ben\n/)
    assert.match(page, /```mermaid\nsequenceDiagram\n/)
    assert.match(page, /npm run sim -- some-story --seed 3 --nodes 4 --hours 1 --active-peers 2 --sequence/)
  })

  it('to draw where nothing can be written is refused before the run', async () => {
    const sequence = join(directory, 'nowhere', 'connection.md')
    await assert.rejects(ordered({ broken: [], sequence }), (error: unknown) => {
      assert.ok(error instanceof UserError)
      assert.equal(error.message, `cannot write ${sequence}: no such file or directory`)
      return true
    })
  })

  it('that is too large is refused before the run', async () => {
    await assert.rejects(ordered({ broken: [], nodes: 1_000_000_000 }), /^UserError: some-story needs about/)
  })

  it('in which the simulator fails names the command that does it again', async () => {
    await assert.rejects(
      ordered({ broken: [], failsAt: 1_500 }),
      /a wheel came off, 1\.500 s into npm run sim -- some-story --seed 3 --nodes 4/,
    )
  })
})

interface Ordered {
  readonly broken: readonly string[]
  readonly json?: boolean
  readonly sequence?: string
  readonly nodes?: number
  /** Simulated milliseconds. */
  readonly interruptedAt?: number
  readonly failsAt?: number
}

async function ordered({ broken, json = false, sequence, nodes = 4, interruptedAt, failsAt }: Ordered) {
  let written = ''
  let shown = ''
  let now = 0
  const queue = new EventQueue(0, 0)
  const scenario: Scenario = {
    ...STORY,
    begin: ({ observers }): Run => ({
      queue,
      traced: () => [
        { name: 'ana', publicKey: ANA.publicKey, gateway: undefined, unseal: () => undefined },
        { name: 'ben', publicKey: BEN.publicKey, gateway: undefined, unseal: () => undefined },
      ],
      totalMs: 10_000,
      *course() {
        for (const observer of observers)
          observer.handled?.('ana', { type: 'wireguard-sent', peer: BEN.publicKey, datagram: first(1) }, [])
        if (failsAt !== undefined)
          queue.in(failsAt, () => {
            throw new Error('a wheel came off')
          })
        yield* pass(queue, 10_000)
      },
      findings: () => ({
        measurements: [
          { name: 'seconds', what: 'seconds', unit: 's', value: Math.floor(queue.elapsed / 1_000) },
        ],
        tables: [],
        expectations: [{ name: 'well', what: 'all is well', broken }],
      }),
    }),
  }
  const values = { nodes, hours: 1, 'active-peers': 2 }
  const verdict = await runOrder(
    { scenario, seed: 3, values, json, sequence },
    {
      terminal: {
        write(text) {
          shown += text
        },
      },
      write(text) {
        written += text
      },
      clock: () => {
        now += 20
        return now
      },
      isInterrupted: () => interruptedAt !== undefined && queue.elapsed >= interruptedAt,
    },
  )
  return { verdict, written, shown }
}
