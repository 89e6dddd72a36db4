import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SECOND } from '../../../src/base/time.js'
import { World } from '../world.js'

describe('an ICMP error', () => {
  it('has the path in use asked at once, and once a second however many there are', () => {
    const { world, ana, path } = talking()
    const { sent } = ana.counts
    const unreachable = {
      type: 'unreachable',
      socket: path.socket,
      remote: path.remote,
      what: 'port',
    } as const
    for (let count = 0; count < 50; count++) {
      ana.handle(unreachable)
      world.queue.run(10)
    }
    assert.ok(ana.counts.sent - sent <= 5, `${ana.counts.sent - sent} datagrams`)
    assert.ok(ana.counts.sent > sent)
    assert.deepEqual(ana.status(path.peer).signs.at(-1)?.sign, 'unreachable')
    assert.equal(ana.status(path.peer).state, 'direct')
  })

  it('means nothing where it is of another address than the path in use', () => {
    const { ana, path } = talking()
    const { sent } = ana.counts
    for (const remote of [
      { ip: path.remote.ip, port: 1 },
      { ip: '192.0.2.1', port: path.remote.port },
    ])
      ana.handle({ type: 'unreachable', socket: path.socket, remote, what: 'host' })
    assert.equal(ana.counts.sent, sent)
  })
})

describe('a machine that was suspended', () => {
  it('asks the paths that it used, as soon as it runs', () => {
    const { world, ana, path } = talking()
    ana.host.clock.sleep()
    world.queue.run(30 * SECOND)
    ana.host.clock.wake()
    const { sent } = ana.counts
    ana.handle({ type: 'woken' })
    assert.equal(ana.status(path.peer).signs.at(-1)?.sign, 'woke-up')
    assert.ok(ana.counts.sent > sent)
  })
})

function talking() {
  const world = new World({ seed: 1 })
  const ana = world.node('ana', world.publicPlace())
  const ben = world.node('ben', world.publicPlace())
  world.startFleet(ana, ben)
  world.awaitPing(ana.host.ping(ben.publicKey))
  world.queue.run(2 * SECOND)
  const { path } = ana.status(ben.publicKey)
  assert.ok(path !== undefined)
  return { world, ana, path: { ...path, peer: ben.publicKey } }
}
