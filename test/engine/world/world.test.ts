import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { type Host, WIREGUARD_PORT } from './host.js'
import type { NatKind } from './natBox.js'
import { ROUND_TRIP_MS, World } from './world.js'

describe('simulated WireGuard', () => {
  it('needs two round trips for the first ping, one for the next', () => {
    const { world, ana, ben } = twoPlainHosts()
    assert.equal(world.awaitPing(ana.ping(ben.publicKey)), 2 * ROUND_TRIP_MS)
    assert.equal(world.awaitPing(ana.ping(ben.publicKey)), ROUND_TRIP_MS)
  })

  it('stalls when both begin at once: that is what the engine is to prevent', () => {
    const { world, ana, ben } = twoPlainHosts()
    ana.ping(ben.publicKey)
    ben.ping(ana.publicKey)
    world.queue.run(5 * SECOND)
    assert.deepEqual(
      [...ana.pings, ...ben.pings].map(({ answeredAt }) => answeredAt),
      [undefined, undefined],
    )
  })

  it('repeats a first message every 5 s for 90 s, when nobody answers', () => {
    const { world, ana, ben } = twoPlainHosts()
    const sent: number[] = []
    world.internet.watchers.push(() => {
      sent.push(world.queue.elapsed)
      return false
    })
    ana.ping(ben.publicKey)
    world.queue.run(10 * MINUTE)
    assert.equal(sent.length, 20)
    const waits = sent.slice(1).map((at, index) => at - (sent[index] ?? 0))
    assert.ok(waits.every((ms) => ms >= 5_000 && ms < 5_334))
  })

  it('has a handshake every two minutes while it is used, and loses no packet to it', () => {
    const { world, ana, ben } = twoPlainHosts()
    let firsts = 0
    world.internet.watchers.push(({ bytes }) => {
      if (wireguardType(bytes) === 1) firsts += 1
      return true
    })
    world.awaitPing(ana.ping(ben.publicKey))
    for (let second = 1; second < HOUR / SECOND; second++) {
      assert.equal(world.awaitPing(ana.ping(ben.publicKey)), ROUND_TRIP_MS)
      world.queue.run(SECOND - ROUND_TRIP_MS)
    }
    assert.ok(firsts >= 28 && firsts <= 30, `${firsts} handshakes`)
  })

  it('answers data with a keepalive after 10 s, and then is silent', () => {
    const { world, ana, ben } = twoPlainHosts()
    world.awaitPing(ana.ping(ben.publicKey))
    const sent: number[] = []
    world.internet.watchers.push(() => {
      sent.push(world.queue.elapsed)
      return true
    })
    const began = world.queue.elapsed
    world.queue.run(HOUR)
    assert.deepEqual(
      sent.map((at) => at - began),
      [10 * SECOND],
    )
  })

  it('takes neither a replayed nor a changed message', () => {
    const { world, ana, ben } = twoPlainHosts()
    const heard: Uint8Array[] = []
    world.internet.watchers.push(({ to, bytes }) => {
      if (to.ip === ben.ips[0]) heard.push(bytes)
      return true
    })
    world.awaitPing(ana.ping(ben.publicKey))
    const endpoint = ben.wireguard.peers[0]?.endpoint
    for (const bytes of heard) {
      const changed = bytes.slice()
      changed[bytes.length - 40] = (changed[bytes.length - 40] ?? 0) ^ 1
      for (const datagram of [bytes, changed]) ben.wireguard.receive(datagram, { ip: '192.0.2.1', port: 1 })
    }
    assert.deepEqual(ben.wireguard.peers[0]?.endpoint, endpoint)
  })
})

describe('simulated gateways', () => {
  const cases: readonly { kind: NatKind; lets: { asked: boolean; samePlace: boolean; anybody: boolean } }[] =
    [
      { kind: 'full-cone', lets: { asked: true, samePlace: true, anybody: true } },
      { kind: 'address-restricted', lets: { asked: true, samePlace: true, anybody: false } },
      { kind: 'port-restricted', lets: { asked: true, samePlace: false, anybody: false } },
      { kind: 'symmetric', lets: { asked: true, samePlace: false, anybody: false } },
    ]
  for (const { kind, lets } of cases) {
    it(`let in whom a ${kind} one lets in, and nobody before something was sent`, () => {
      const { world, inside, outside, elsewhere, arrived } = gateway(kind)
      const mapped = () => arrived.outside.at(-1) ?? { ip: '203.0.113.1', port: 1_000 }
      outside.send({ ip: outside.ips[0] ?? '', port: 7 }, mapped(), Uint8Array.of(0))
      world.queue.run(SECOND)
      assert.equal(arrived.inside.length, 0)
      inside.send(
        { ip: inside.ips[0] ?? '', port: 1_000 },
        { ip: outside.ips[0] ?? '', port: 7 },
        Uint8Array.of(0),
      )
      world.queue.run(SECOND)
      for (const [host, port, passes] of [
        [outside, 7, lets.asked],
        [outside, 8, lets.samePlace],
        [elsewhere, 7, lets.anybody],
      ] as const) {
        const before: number = arrived.inside.length
        host.send({ ip: host.ips[0] ?? '', port }, mapped(), Uint8Array.of(0))
        world.queue.run(SECOND)
        assert.equal(arrived.inside.length - before, Number(passes), `${host.name} port ${port}`)
      }
    })

    it(`${kind === 'symmetric' ? 'map each destination anew' : 'map all destinations alike'} if ${kind}`, () => {
      const { world, inside, outside, elsewhere, arrived } = gateway(kind)
      for (const host of [outside, elsewhere])
        inside.send(
          { ip: inside.ips[0] ?? '', port: 1_000 },
          { ip: host.ips[0] ?? '', port: 7 },
          Uint8Array.of(0),
        )
      world.queue.run(SECOND)
      const [one, other] = arrived.outside
      assert.equal(one?.port === other?.port, kind !== 'symmetric')
    })
  }

  it('forget a mapping that was not used for its lifetime', () => {
    const { world, inside, outside, arrived } = gateway('full-cone')
    inside.send(
      { ip: inside.ips[0] ?? '', port: 1_000 },
      { ip: outside.ips[0] ?? '', port: 7 },
      Uint8Array.of(0),
    )
    world.queue.run(121 * SECOND)
    const mapped = arrived.outside[0]
    assert.ok(mapped !== undefined)
    outside.send({ ip: outside.ips[0] ?? '', port: 7 }, mapped, Uint8Array.of(0))
    world.queue.run(SECOND)
    assert.equal(arrived.inside.length, 0)
  })
})

function twoPlainHosts() {
  const world = new World({ seed: 1 })
  const [ana, ben] = ['ana', 'ben'].map((name) => world.plainHost(name, world.publicPlace()))
  assert.ok(ana !== undefined && ben !== undefined)
  const endpoint = (host: Host) => ({ ip: host.ips[0] ?? '', port: WIREGUARD_PORT })
  ana.wireguard.addPeer(ben.publicKey, endpoint(ben))
  ben.wireguard.addPeer(ana.publicKey, endpoint(ana))
  return { world, ana, ben }
}

function gateway(kind: NatKind) {
  const world = new World({ seed: 2 })
  const inside = world.plainHost('inside', world.placeIn(world.house(kind), 2))
  const [outside, elsewhere] = ['outside', 'elsewhere'].map((name) =>
    world.plainHost(name, world.publicPlace()),
  )
  assert.ok(outside !== undefined && elsewhere !== undefined)
  const arrived = { inside: [] as unknown[], outside: [] as { ip: string; port: number }[] }
  inside.bind(1_000, (_ip, from) => arrived.inside.push(from))
  for (const host of [outside, elsewhere]) host.bind(7, (_ip, from) => arrived.outside.push(from))
  return { world, inside, outside, elsewhere, arrived }
}
