import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Daemon } from '../../../simulations/hosts/daemon.js'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { familyOf } from '../../../src/base/address.js'
import { SECOND } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { World } from '../world.js'

/** What is wanted of a ping every so often: it loses nothing, and is never silent for longer than this. */
const EVERY_MS = 50
const LONGEST_SILENCE_MS = 200

const ROUND_TRIPS_MS = [10, 100]
const SEEDS = [1, 2, 3, 4, 5]

/** Of the two directions of a path, seen from the one who pings. */
const DEAD = {
  'one direction': ['there'],
  'the other direction': ['back'],
  'both directions': ['there', 'back'],
} as const

for (const roundTripMs of ROUND_TRIPS_MS) {
  for (const [name, dead] of Object.entries(DEAD)) {
    describe(`a path with a round trip of ${roundTripMs} ms that dies in ${name}`, () => {
      it('loses no ping and is silent for no longer than 200 ms, where there is another', () => {
        for (const seed of SEEDS) {
          const pair = new Pair(seed, roundTripMs)
          const used = pair.ana.status(pair.ben.publicKey).path
          const back = pair.ben.status(pair.ana.publicKey).path
          pair.kill(({ from, to }) => {
            const isThere = from.ip === used?.local.ip && to.ip === used.remote.ip
            const isBack = from.ip === back?.local.ip && to.ip === back.remote.ip
            return (isThere && isIn('there', dead)) || (isBack && isIn('back', dead))
          })
          pair.ping(5 * SECOND)
          pair.assertSmooth(`seed ${seed}`)
        }
      })
    })
  }

  describe(`an uplink with a round trip of ${roundTripMs} ms that dies`, () => {
    it('loses no ping and is silent for no longer than 200 ms, where there is another', () => {
      for (const seed of SEEDS) {
        for (const whose of ['ana', 'ben'] as const) {
          const pair = new Pair(seed, roundTripMs)
          const used = pair.ana.status(pair.ben.publicKey).path
          const ip = whose === 'ana' ? used?.local.ip : used?.remote.ip
          pair.kill(({ from, to }) => from.ip === ip || to.ip === ip)
          pair.ping(5 * SECOND)
          pair.assertSmooth(`seed ${seed}, of ${whose}`)
        }
      }
    })
  })

  describe(`an address family with a round trip of ${roundTripMs} ms that dies`, () => {
    it('loses no ping and is silent for no longer than 200 ms, where there is another', () => {
      for (const seed of SEEDS) {
        const world = new World({ seed })
        const place = () => world.publicPlace(roundTripMs / 4, {}, true)
        const [ana, ben] = [world.node('ana', place()), world.node('ben', place())]
        world.startFleet(ana, ben)
        const pair = new Pair(seed, roundTripMs, { world, ana, ben })
        pair.settle(seed)
        const dead = familyOf(ana.status(ben.publicKey).path?.remote.ip ?? '')
        pair.kill(({ to }) => familyOf(to.ip) === dead)
        pair.ping(5 * SECOND)
        pair.assertSmooth(`seed ${seed}, IPv${dead}`)
      }
    })
  })

  describe(`a one-way stream over a path with a round trip of ${roundTripMs} ms that dies`, () => {
    it('is silent for no longer than 200 ms: its receiver notices', () => {
      for (const seed of SEEDS) {
        const pair = new Pair(seed, roundTripMs)
        const arrivals: number[] = []
        const { ana, ben, world } = pair
        world.queue.run(SECOND)
        ben.host.pinger.received = () => arrivals.push(world.queue.elapsed)
        const first = ana.host.pings.length
        const send = (ms: number) => pair.every(20, ms, () => ana.host.ping(ben.publicKey))
        send(5 * SECOND)
        const used = ana.status(ben.publicKey).path
        pair.kill(({ from, to }) => from.ip === used?.local.ip && to.ip === used.remote.ip)
        const began = arrivals.length
        send(3 * SECOND)
        world.queue.run(SECOND)
        const gaps = arrivals.slice(began).map((at, index) => at - (arrivals[began + index - 1] ?? at))
        assert.ok(Math.max(...gaps) <= LONGEST_SILENCE_MS, `seed ${seed}: ${Math.max(...gaps)} ms`)
        assert.equal(arrivals.length, ana.host.pings.length - first, `seed ${seed}`)
      }
    })
  })
}

describe('a better path', () => {
  it('is taken without a message lost, and none comes too late for WireGuard', () => {
    for (const seed of SEEDS) {
      const world = new World({ seed })
      const [far, near] = [world.publicPlace(100), world.publicPlace(2)]
      const ana = world.node('ana', far)
      const ben = world.node('ben', world.publicPlace(2))
      ben.journal = []
      world.startFleet(ana, ben)
      world.awaitPing(ben.host.ping(ana.publicKey))
      const pair = new Pair(seed, 10, { world, ana, ben })
      pair.every(5, SECOND, () => ana.host.ping(ben.publicKey))
      ana.host.attach(near)
      ana.changeSockets()
      assert.equal(ana.status(ben.publicKey).path?.local.ip, far.ips[0])
      // Whoever is knocked checks anew.
      const { knock } = firstKnock(ben)
      ana.handle({ type: 'knock-received', id: 1_000, from: ben.identity, knock })
      pair.every(5, 3 * SECOND, () => ana.host.ping(ben.publicKey))
      assert.equal(ana.status(ben.publicKey).path?.local.ip, near.ips[0])
      assert.equal(ben.status(ana.publicKey).path?.remote.ip, near.ips[0])
      world.queue.run(SECOND)
      assert.equal(pair.lost, 0)
    }
  })
})

describe('a peer that is gone', () => {
  it('gets everything twice for no longer than two seconds', () => {
    for (const roundTripMs of ROUND_TRIPS_MS) {
      const pair = new Pair(1, roundTripMs)
      pair.kill(() => true)
      const before = pair.messages
      pair.ping(3 * SECOND)
      const early = pair.messages - before
      pair.ping(7 * SECOND)
      // What was sent again is a second's at most, over each of three other paths.
      assert.ok(early <= (2 * 3 * SECOND) / EVERY_MS + 3 * 20, `${early} messages in 3 s`)
      const late = pair.messages - before - early
      assert.ok(late <= (7 * SECOND) / EVERY_MS, `${late} messages in the 7 s after`)
    }
  })
})

describe('a line that jitters', () => {
  it('raises an alarm now and then at most', () => {
    for (const seed of SEEDS) {
      for (const [jitterMs, most] of [
        [10, 0.05],
        [30, 0.2],
      ] as const) {
        const pair = new Pair(seed, 20, undefined, { jitterMs })
        const began = pair.messages
        pair.ping(60 * SECOND)
        const share = (pair.messages - began) / ((60 * SECOND) / EVERY_MS) - 1
        assert.ok(share <= most, `seed ${seed}, ${jitterMs} ms: ${share} more messages than pings`)
        pair.assertSmooth(`seed ${seed}, ${jitterMs} ms`)
      }
    }
  })
})

/** Two hosts with two uplinks each, who ping. */
class Pair {
  readonly world: World
  readonly ana: Daemon
  readonly ben: Daemon
  /** The first that counts. */
  readonly firstPing: number
  /** WireGuard's data messages that left ana. */
  messages = 0
  #killedAt = 0

  constructor(
    seed: number,
    roundTripMs: number,
    made?: { readonly world: World; readonly ana: Daemon; readonly ben: Daemon },
    link: { readonly jitterMs?: number } = {},
  ) {
    this.world = made?.world ?? new World({ seed })
    const place = () => this.world.publicPlace(roundTripMs / 4, link)
    this.ana = made?.ana ?? this.world.node('ana', place(), place())
    this.ben = made?.ben ?? this.world.node('ben', place(), place())
    if (made === undefined) this.world.startFleet(this.ana, this.ben)
    this.world.awaitPing(this.ana.host.ping(this.ben.publicKey))
    this.firstPing = this.ana.host.pings.length
    this.world.internet.watchers.push(({ from, bytes }) => {
      if (wireguardType(bytes) === 4 && this.ana.host.ips.includes(from.ip)) this.messages += 1
      return true
    })
    if (made === undefined) this.settle(seed)
  }

  /** Pings for a while, and ends at any time between two pings. */
  settle(seed: number): void {
    this.ping(5 * SECOND)
    this.world.queue.run((seed * 11) % EVERY_MS)
  }

  every(everyMs: number, ms: number, act: () => void): void {
    for (let passed = 0; passed < ms; passed += everyMs) {
      act()
      this.world.queue.run(everyMs)
    }
  }

  ping(ms: number): void {
    this.every(EVERY_MS, ms, () => this.ana.host.ping(this.ben.publicKey))
  }

  /** From now on these datagrams are lost. */
  kill(isLost: (datagram: Datagram) => boolean): void {
    this.#killedAt = this.world.queue.elapsed
    this.world.internet.watchers.push((datagram) => !isLost(datagram))
  }

  get lost(): number {
    return this.ana.host.pings.slice(this.firstPing).filter(({ answeredAt }) => answeredAt === undefined)
      .length
  }

  /** The longest time between two answers since something died. */
  get silenceMs(): number {
    const answers = this.ana.host.pings.flatMap(({ answeredAt }) => answeredAt ?? []).sort((a, b) => a - b)
    return Math.max(
      ...answers.map((at, index) => (at < this.#killedAt ? 0 : at - (answers[index - 1] ?? at))),
    )
  }

  assertSmooth(what: string): void {
    this.world.queue.run(SECOND)
    assert.equal(this.lost, 0, what)
    const { silenceMs } = this
    assert.ok(silenceMs <= LONGEST_SILENCE_MS, `${what}: silent for ${silenceMs} ms`)
  }
}

/** The first knock that a daemon made. */
function firstKnock({ journal = [] }: Daemon) {
  for (const { outcome } of journal) {
    const effects: readonly Effect[] = Array.isArray(outcome) ? outcome : []
    for (const effect of effects) if (effect.type === 'knock') return effect
  }
  throw new Error('it knocked on nobody')
}

function isIn<Item>(item: Item, items: readonly Item[]): boolean {
  return items.includes(item)
}
