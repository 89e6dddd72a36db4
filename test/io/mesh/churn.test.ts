import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { newKey, testRecord, until } from './meshes.js'
import { type FleetNode, type FleetOptions, MeshFleet } from './meshFleet.js'

const DEADLINE_MS = 30_000

async function startFleet(t: TestContext, options: FleetOptions): Promise<MeshFleet> {
  const fleet = await MeshFleet.start(options)
  t.after(() => fleet.end())
  return fleet
}

for (const [what, signal] of [
  ['killed', 'SIGKILL'],
  ['standing still, with all their connections open', 'SIGSTOP'],
] as const) {
  test(`with 30 % of the nodes ${what} during look-ups, each look-up finds its record`, async (t) => {
    const fleet = await startFleet(t, { processes: 10, serving: 10, clients: 10, bootstrap: 3 })
    const keys = Array.from({ length: 10 }, newKey)
    for (const [index, key] of keys.entries()) {
      const author = fleet.nodes[index] ?? assert.fail()
      assert((await author.ask('publish', key, testRecord(1), DEADLINE_MS)).acknowledged > 0)
    }
    // One of the three bootstrap nodes is among them.
    const dying = fleet.processes.slice(2, 5)
    const survivors = fleet.nodes.filter(({ process }) => !dying.includes(process))
    let begun = 0
    const readAll = async (reader: FleetNode) => {
      for (const key of keys) {
        begun += 1
        const { sequences } = await reader.ask('lookUp', key, DEADLINE_MS)
        assert.deepEqual(sequences, [1])
      }
    }
    const reading = Promise.all(survivors.map(readAll))
    await until(() => begun > 2 * survivors.length)
    for (const process of dying) process.signal(signal)
    await reading
  })
}

test('with all bootstrap nodes killed, the others go on to publish and to find', async (t) => {
  const fleet = await startFleet(t, { processes: 5, serving: 10, clients: 10, bootstrap: 3 })
  const gone = fleet.processes.slice(0, 3)
  for (const process of gone) process.signal('SIGKILL')
  const survivors = fleet.nodes.filter(({ process }) => !gone.includes(process))
  assert(survivors.every((node) => !fleet.bootstrapNodes.includes(node)))
  for (const author of survivors) {
    const key = newKey()
    assert((await author.ask('publish', key, testRecord(1), DEADLINE_MS)).acknowledged > 0)
    for (const reader of survivors) await reader.ask('untilFound', key, 1, DEADLINE_MS)
  }
})
