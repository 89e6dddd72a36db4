import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import { Host } from '../../../simulations/hosts/host.js'
import { perfectLink } from '../../../simulations/network/link.js'
import { World } from '../../../simulations/world.js'
import { isDropped } from '../../../src/base/drops.js'
import { SECOND } from '../../../src/base/time.js'
import { decodeStun, encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'

describe('a server', () => {
  it('reflects in both families, for anybody', () => {
    const { server, probe, ask } = serverAndProbe()
    assert.equal(server.place.ips.length, 2)
    assert.deepEqual(
      ask(),
      probe.ips.map((ip) => ({ ip, port: 7 })),
    )
  })

  it('reflects no more while it is down, however that came, and again when it is back', () => {
    for (const goDown of ['crash', 'hang', 'cut'] as const) {
      const { server, ask } = serverAndProbe()
      server[goDown]()
      assert.equal(server.serves, false)
      assert.deepEqual(ask(), [])
      server.restore()
      assert.equal(server.serves, true)
      assert.equal(ask().length, 2)
    }
  })
})

function serverAndProbe() {
  const world = new World(
    { sites: [], hosts: [], servers: [{ region: 'europe', relays: false }], pairs: [] },
    { seed: 1 },
  )
  const [server] = world.servers
  assert.ok(server !== undefined)
  const probe = new Host({ name: 'probe', clock: new HostClock(world.queue), observers: [] })
  probe.attach(world.internet.publicPlace('asia', perfectLink(5)))
  const answers: unknown[] = []
  probe.bind(7, ({ bytes }) => {
    const answer = decodeStun(bytes)
    answers.push(isDropped(answer) ? answer : answer.mappedAddress)
  })
  /** Asks the server at each of its addresses where we are. */
  const ask = (): readonly unknown[] => {
    answers.length = 0
    const transactionId = new Uint8Array(12)
    const request = encodeStun({ messageClass: 'request', method: BINDING, transactionId })
    for (const ip of server.place.ips) probe.sendFromAny(7, { ip, port: SHARED_PORT }, request, undefined)
    world.queue.run(SECOND)
    return answers
  }
  return { world, server, probe, ask }
}
