import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import { SHARED_PORT } from '../../../simulations/hosts/engineLoop.js'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { type Random, randomBelow } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import { createInitiation } from '../../../src/crypto/initiation.js'
import { tai64n } from '../../../src/crypto/tai64n.js'
import { x25519KeyPair } from '../../../src/crypto/x25519.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { type Access, ROUND_TRIP_MS, World } from '../world.js'

/** Heard on the internet by somebody who listens everywhere and can send from everywhere. */
const FLOOD = 100_000

describe('strangers', () => {
  it('change nothing with 100,000 random, mutated, forged and replayed datagrams', () => {
    const { world, ana, ben, heard } = overheard()
    const before = ana.status(ben.publicKey)
    const forge = forger(world, ana, heard)
    const run = (count: number) => {
      const unanswered: string[] = []
      const delivered = new Map<string, number>()
      for (let sent = 0; sent < count; sent++) {
        const { datagram, remote } = forge()
        const drops = ana.drops
        const effects = ana.node.handle(
          { type: 'datagram-received', socket: 1, remote, datagram },
          world.queue.now,
        )
        if (effects.length === 0 && ana.drops === drops)
          unanswered.push(Buffer.from(datagram).toString('hex'))
        for (const effect of effects) {
          if (effect.type !== 'deliver') continue
          const what = `type ${wireguardType(effect.datagram)}`
          delivered.set(what, (delivered.get(what) ?? 0) + 1)
        }
        if (sent % 100 === 0) world.queue.run(10)
      }
      assert.deepEqual(unanswered.slice(0, 3), [], `${unanswered.length} datagrams had no effect and no drop`)
      return delivered
    }
    // What WireGuard is told it refuses: first messages of a handshake that was before.
    for (const [what, times] of run(FLOOD / 10)) {
      assert.equal(what, 'type 1')
      assert.ok(times <= 3, `${times} times`)
    }
    const heap = heapUsed()
    const delivered = run(FLOOD)
    const grown = heapUsed() - heap

    assert.deepEqual([...delivered], [])
    assert.ok(grown < 4_000_000, `${grown} bytes more`)
    world.queue.run(10 * SECOND)
    assert.deepEqual(ana.status(ben.publicKey).path?.remote, before.path?.remote)
    assert.equal(world.awaitPing(ana.host.ping(ben.publicKey)), ROUND_TRIP_MS)
    assert.equal(world.awaitPing(ben.host.ping(ana.publicKey)), ROUND_TRIP_MS)
  })

  it("that answer our reflectors' and checks' requests from elsewhere are dropped", () => {
    const { world, ana, heard } = overheard()
    const drops = ana.drops
    const answers = heard.filter(({ bytes }) => bytes[0] === 1 && bytes[1] === 1)
    assert.ok(answers.length > 4)
    for (const { bytes } of answers) {
      const effects = ana.node.handle(
        { type: 'datagram-received', socket: 1, remote: { ip: '192.0.2.66', port: 6 }, datagram: bytes },
        world.queue.now,
      )
      assert.deepEqual(effects, [])
    }
    assert.equal(ana.drops - drops, answers.length)
  })

  it("that race a captured first message get WireGuard's answer, and never data", () => {
    for (const loses of [false, true]) {
      const world = new World({ seed: 21 })
      const ana = world.node('ana', world.publicPlace())
      const phone = world.plainHost('phone', world.publicPlace())
      ana.host.wireguard.addPeer(phone.publicKey)
      phone.wireguard.addPeer(ana.publicKey, {
        endpoint: { ip: ana.host.ips[0] ?? '', port: SHARED_PORT },
      })
      world.startFleet(ana)
      const seen = new Set<Uint8Array>()
      const mallory = eavesdropper(world, ({ from, bytes }) => {
        if (from.ip !== phone.ips[0] || wireguardType(bytes) !== 1 || seen.has(bytes)) return true
        seen.add(bytes)
        mallory.sendsTo(ana, bytes)
        // She may even hold the message back for a while.
        if (loses) world.queue.in(30, () => mallory.relays(from, ana, bytes))
        return !loses
      })
      const took = world.awaitPing(phone.ping(ana.publicKey))
      assert.ok(took <= 3 * ROUND_TRIP_MS, `${took} ms`)
      world.queue.run(SECOND)
      assert.equal(ana.status(phone.publicKey).path?.remote.ip, phone.ips[0])
      for (let ping = 0; ping < 5; ping++) world.awaitPing(ana.host.ping(phone.publicKey))
      assert.deepEqual([...new Set(mallory.received.map((bytes) => wireguardType(bytes)))], [2])
    }
  })

  it('that replay the first messages of rekeys never displace a proved path, and never get data', () => {
    const { world, ana, ben } = overheard()
    const mallory = eavesdropper(world, ({ to, bytes }) => {
      if (wireguardType(bytes) === 1 && to.ip === anaIp(ana)) {
        mallory.sendsTo(ana, bytes)
        for (const ms of [10, 49, 51, 100, 200, 5_000]) world.queue.in(ms, () => mallory.sendsTo(ana, bytes))
      }
      return true
    })
    const used = ana.status(ben.publicKey).path?.remote
    for (let second = 0; second < 600; second++) {
      ben.host.ping(ana.publicKey)
      ana.host.ping(ben.publicKey)
      world.queue.run(SECOND)
      assert.deepEqual(ana.status(ben.publicKey).path?.remote, used)
    }
    world.queue.run(SECOND)
    const lost = [...ana.host.pings, ...ben.host.pings].filter(({ answeredAt }) => answeredAt === undefined)
    assert.deepEqual(lost, [])
    assert.ok(mallory.received.every((bytes) => wireguardType(bytes) !== 4))
  })

  it('that replay checks from elsewhere are asked whether they are the peer, for a while, and get nothing else', () => {
    const { world, ana, ben, heard } = overheard()
    const mallory = eavesdropper(world, () => true)
    const checks = heard.filter(({ to, bytes }) => to.ip === anaIp(ana) && bytes[0] === 0)
    assert.ok(checks.length > 2)
    const used = ana.status(ben.publicKey).path?.remote
    for (const { bytes } of checks) mallory.sendsTo(ana, bytes)
    world.queue.run(60 * SECOND)
    assert.deepEqual(ana.status(ben.publicKey).path?.remote, used)
    assert.ok(mallory.received.length <= 2 * checks.length + 10, `${mallory.received.length} datagrams`)
    assert.ok(mallory.received.every((bytes) => wireguardType(bytes) === undefined))
  })
})

/** Ana and Ben talk, and everything that crosses the internet is written down. */
function overheard(access: Access = 'open') {
  const world = new World({ seed: 20 })
  const ana = world.node('ana', world.place(access))
  const ben = world.node('ben', world.place('address-restricted'))
  const heard: Datagram[] = []
  world.internet.watchers.push((datagram) => {
    heard.push(datagram)
    return true
  })
  world.startFleet(ana, ben)
  for (let second = 0; second < 300; second++) {
    // Ben begins, so all first messages are his.
    ben.host.ping(ana.publicKey)
    if (second > 0) ana.host.ping(ben.publicKey)
    world.queue.run(SECOND)
  }
  world.internet.watchers.length = 0
  return { world, ana, ben, heard: [...heard] }
}

function anaIp(ana: Daemon): string {
  return ana.host.ips[0] ?? ''
}

/** Somebody on the internet, near to everybody, who sees what `sees` is told. */
function eavesdropper(world: World, sees: (datagram: Datagram) => boolean) {
  const place = world.publicPlace(1)
  const [ip = ''] = place.ips
  const received: Uint8Array[] = []
  place.attach('mallory', ({ bytes }) => received.push(bytes))
  const mallory = {
    received,
    sendsTo(daemon: Daemon, bytes: Uint8Array) {
      mallory.relays({ ip, port: 6_666 }, daemon, bytes)
    },
    relays(from: Datagram['from'], daemon: Daemon, bytes: Uint8Array) {
      place.send({ from, to: { ip: anaIp(daemon), port: SHARED_PORT }, bytes, author: 'mallory' })
    },
  }
  world.internet.watchers.push((datagram) => datagram.author === 'mallory' || sees(datagram))
  return mallory
}

/** Datagrams from nowhere: each is random, or was heard and is sent again, whole or changed. */
function forger(world: World, ana: Daemon, heard: readonly Datagram[]) {
  const random = world.fork()
  const toAna = heard.filter(({ to }) => to.ip === anaIp(ana))
  const firsts = toAna.filter(({ bytes }) => wireguardType(bytes) === 1)
  assert.ok(firsts.length > 1)
  const stranger = x25519KeyPair(random.bytes(32))
  const first = (senderIndex: number) =>
    createInitiation(
      { initiator: stranger, responder: ana.publicKey, senderIndex, timestamp: tai64n(world.queue.now.unix) },
      random,
    )
  const forged = Array.from({ length: 50 }, (_, index) => first(index))
  return () => {
    const remote = { ip: `192.0.2.${1 + randomBelow(random, 200)}`, port: 1 + randomBelow(random, 65_000) }
    const replayed = (heard: readonly Datagram[]) => pick(random, heard)?.bytes ?? new Uint8Array(0)
    switch (randomBelow(random, 7)) {
      case 0:
        return { remote, datagram: random.bytes(randomBelow(random, 200)) }
      case 1:
        return { remote, datagram: framed(random) }
      case 2:
        return { remote, datagram: pick(random, forged) ?? new Uint8Array(0) }
      case 3:
        return { remote, datagram: replayed(heard) }
      case 4:
        return { remote, datagram: replayed(firsts) }
      default:
        return { remote, datagram: mutated(random, replayed(toAna)) }
    }
  }
}

/** Right in type and length, random in the rest. */
function framed(random: Random): Uint8Array {
  const [type, length] = pick(random, [
    [1, 148],
    [2, 92],
    [3, 64],
    [4, 32 + randomBelow(random, 100)],
  ] as const) ?? [4, 32]
  const datagram = random.bytes(length)
  datagram.set([type, 0, 0, 0])
  return datagram
}

function mutated(random: Random, datagram: Uint8Array): Uint8Array {
  const changed = datagram.slice(
    0,
    randomBelow(random, 10) === 0 ? randomBelow(random, datagram.length) : undefined,
  )
  for (let edits = 1 + randomBelow(random, 3); edits > 0 && changed.length > 0; edits--) {
    const at = randomBelow(random, changed.length)
    changed[at] = (changed[at] ?? 0) ^ (1 << randomBelow(random, 8))
  }
  return changed
}

function pick<Item>(random: Random, items: readonly Item[]): Item | undefined {
  return items[randomBelow(random, items.length)]
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
