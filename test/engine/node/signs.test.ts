import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { SocketAddress } from '../../../src/base/address.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import type { Route } from '../../../src/engine/path/path.js'
import type { Sign } from '../../../src/engine/roam/signs.js'
import { classify } from '../../../src/wire/classify.js'
import { ROUND_TRIP_MS, World } from '../world.js'

describe('an ICMP error', () => {
  it('has the path in use asked at once, and in 5 s twice again however many there are', () => {
    const { world, ana, path } = talking()
    const asked = checksTo(world, path.remote)
    for (let count = 0; count < 500; count++) {
      ana.handle({ type: 'unreachable', ...path, what: 'port' })
      if (count === 0) assert.equal(asked(), 1)
      world.queue.run(10)
    }
    // Three series of three checks, and those that the path is asked anyhow.
    assert.ok(asked() <= 12, `${asked()} checks`)
    assert.deepEqual(ana.status(path.peer).signs.filter(({ sign }) => sign === 'unreachable').length, 3)
    assert.equal(ana.status(path.peer).state, 'direct')
    assert.equal(ana.node.drops.toJSON()['icmp-not-heeded'], 497)
  })

  it('means nothing where it is of another address or socket than the path in use', () => {
    const { ana, path } = talking()
    const { sent } = ana.counts
    for (const there of [
      { ...path, remote: { ip: path.remote.ip, port: 1 } },
      { ...path, remote: { ip: '192.0.2.1', port: path.remote.port } },
      { ...path, socket: path.socket + 1 },
    ])
      ana.handle({ type: 'unreachable', ...there, what: 'host' })
    assert.equal(ana.counts.sent, sent)
    assert.equal(ana.node.drops.toJSON()['icmp-not-heeded'], 3)
  })

  it('means nothing while there is no traffic', () => {
    const { world, ana, path } = talking()
    world.queue.run(5 * MINUTE)
    const { sent } = ana.counts
    ana.handle({ type: 'unreachable', ...path, what: 'host' })
    assert.equal(ana.counts.sent, sent)
    assert.equal(
      ana.status(path.peer).signs.some(({ sign }) => sign === 'unreachable'),
      false,
    )
  })

  it('that is true comes after a round trip, and has the peer looked for sooner than silence', () => {
    const [told, untold] = (['closed port', 'silence'] as const).map((how) => {
      const { world, ana, ben, path } = talking()
      if (how === 'silence') ben.host.clock.sleep()
      else ben.crash()
      const since = world.queue.elapsed
      void ana.host.ping(path.peer)
      const has = (wanted: Sign) => ana.status(path.peer).signs.some(({ sign }) => sign === wanted)
      world.queue.run(ROUND_TRIP_MS + 1)
      assert.equal(has('unreachable'), how !== 'silence')
      world.queue.runUntil(() => has('checks-unanswered'), 10 * SECOND)
      assert.ok(has('checks-unanswered'))
      return world.queue.elapsed - since
    })
    assert.ok((told ?? 0) < (untold ?? 0), `after ${told} ms in place of ${untold}`)
  })

  it('comes of a host that is gone as well, from the router before it', () => {
    const { world, ana, ben, path } = talking()
    for (const ip of ben.host.ips) ben.host.detach(ip)
    void ana.host.ping(path.peer)
    world.queue.run(SECOND)
    assert.ok(ana.status(path.peer).signs.some(({ sign }) => sign === 'unreachable'))
  })

  it('in any number, about whatever, changes nothing but a few checks', () => {
    const forged = fc.record({
      afterMs: fc.nat({ max: 300 }),
      where: fc.constantFrom('path', 'path', 'socket', 'port', 'ip', 'stream'),
      what: fc.constantFrom('port' as const, 'host' as const),
      number: fc.integer({ min: 1, max: 65_535 }),
    })
    fc.assert(
      fc.property(fc.array(forged, { maxLength: 200 }), (flood) => {
        const { world, ana, path } = talking()
        const sentTo = new Set<string>()
        world.internet.watchers.push(({ author, to }) => {
          if (author === 'ana') sentTo.add(`${to.ip} ${to.port}`)
          return true
        })
        const asked = checksTo(world, path.remote)
        const before = ana.status(path.peer)
        const since = world.queue.elapsed
        for (const { afterMs, where, what, number } of flood) {
          world.queue.run(afterMs)
          ana.handle({ type: 'unreachable', ...forgedRoute(path, where, number), what })
        }
        world.queue.run(SECOND)
        const { state, path: after } = ana.status(path.peer)
        assert.equal(state, before.state)
        assert.deepEqual(after?.remote, before.path?.remote)
        assert.equal(after?.provedAt, before.path?.provedAt)
        const seconds = Math.ceil((world.queue.elapsed - since) / SECOND)
        assert.ok(asked() <= 3 * seconds, `${asked()} checks in ${seconds} s`)
        const allowed = new Set([path.remote, ...world.reflectors].map(({ ip, port }) => `${ip} ${port}`))
        assert.deepEqual(
          [...sentTo].filter((address) => !allowed.has(address)),
          [],
        )
      }),
      { numRuns: 50 },
    )
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

function forgedRoute({ socket, remote }: Route, where: string, number: number): Route {
  switch (where) {
    case 'socket':
      return { socket: number, remote }
    case 'port':
      return { socket, remote: { ip: remote.ip, port: number } }
    case 'ip':
      return { socket, remote: { ip: `192.0.2.${number % 256}`, port: remote.port } }
    case 'stream':
      return { socket: -number, remote: { ip: `100:ffff::${number.toString(16)}`, port: number } }
    default:
      return { socket, remote }
  }
}

/** How many of ana's datagrams that are no WireGuard messages have gone there since. */
function checksTo({ internet }: World, { ip, port }: SocketAddress): () => number {
  let count = 0
  internet.watchers.push(({ author, to, bytes }) => {
    if (author === 'ana' && to.ip === ip && to.port === port && classify(bytes) === 'stun') count += 1
    return true
  })
  return () => count
}

function talking() {
  const world = new World({ seed: 1 })
  const ana = world.node('ana', world.publicPlace())
  const ben = world.node('ben', world.publicPlace())
  world.startFleet(ana, ben)
  world.awaitPing(ana.host.ping(ben.publicKey))
  world.queue.run(2 * SECOND)
  const { path } = ana.status(ben.publicKey)
  assert.ok(path !== undefined)
  const { socket, remote } = path
  return { world, ana, ben, path: { socket, remote, peer: ben.publicKey } }
}
