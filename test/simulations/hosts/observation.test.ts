import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Machine } from '../../../simulations/hosts/machine.js'
import type { Observer } from '../../../simulations/observer.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { Fleet } from './fleet.js'

describe('what happens on hosts', () => {
  it('is observed in the order in which it happens', () => {
    const seen: string[] = []
    const { fleet, ana, ben } = life([notesIn(seen)], 1)
    seen.length = 0
    const ping = ana.ping(ben.publicKey)
    fleet.queue.runUntil(() => ping.answeredAt !== undefined, SECOND)
    const data = seen.filter((what) => !/woken|interface-read|stun|datagram-received/.test(what))
    assert.deepEqual(data, [
      // A question: the engine looks whether it is answered. The answer takes the short way.
      'ana is told wireguard-sent',
      'ana sends 4',
      'ben gets 4',
      'ben forwards in',
      'ben delivers of ana',
      'ben: out of the tunnel',
      'ben forwards out',
      'ben sends 4',
      'ana gets 4',
      'ana forwards in',
      'ana delivers of ben',
      'ana: out of the tunnel',
    ])
    seen.length = 0
    ana.crash()
    ana.start()
    ana.moveTo([])
    assert.deepEqual(
      seen.filter((what) => what.startsWith('! ')),
      ['! ana loses tunnelbore to SIGKILL', '! ana starts tunnelbore', '! ana is nowhere'],
    )
  })

  it('is the same whether it is observed or not', () => {
    for (const seed of [1, 2]) {
      const seen: string[] = []
      assert.deepEqual(journals(life([notesIn(seen)], seed)), journals(life([], seed)))
      assert.ok(seen.length > 500)
    }
  })

  it('is the same again for the same seed, to the byte', () => {
    const [first, second]: [string[], string[]] = [[], []]
    life([bytesIn(first)], 3)
    life([bytesIn(second)], 3)
    assert.ok(first.length > 500)
    assert.deepEqual(first, second)
  })
})

describe('the interface', () => {
  it('is read as if it were read every second, though most reads are left out', () => {
    for (const seed of [1, 2, 3]) {
      const [some, all] = [life([], seed, false), life([], seed, true)]
      assert.deepEqual(journals(some), journals(all))
      const reads = [some, all].map(({ journal }) => readsIn(journal))
      assert.ok((reads[1] ?? 0) > 1.5 * (reads[0] ?? 0), `${reads.join(' of ')} reads`)
    }
  })
})

type Journal = NonNullable<NonNullable<Machine['daemon']>['journal']>

/** Some minutes of two machines and a peer without Tunnelbore, with some of all that can happen. */
function life(observers: readonly Observer[], seed: number, readsAlways = false) {
  const fleet = new Fleet(seed, observers)
  const [ana, ben] = ['ana', 'ben'].map((name) =>
    fleet.machine(name, [fleet.site('port-restricted').place()], { readsAlways }),
  )
  assert.ok(ana !== undefined && ben !== undefined)
  const phone = fleet.machine('phone', [fleet.site('open').place()])
  ana.start()
  ben.start()
  const journal: Journal = []
  const keep = (): void => {
    for (const machine of [ana, ben]) if (machine.daemon !== undefined) machine.daemon.journal = journal
  }
  keep()
  const talk = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      ana.ping(ben.publicKey)
      if (second % 7 === 0) ben.ping(ana.publicKey)
      fleet.queue.run(SECOND)
    }
  }
  fleet.queue.run(2_345.678)
  talk(30)
  phone.wireguard.setEndpoint(ana.publicKey, { ip: ana.host.ips[0] ?? '', port: 51_820 })
  fleet.queue.run(3 * MINUTE)
  talk(150)
  ana.crash()
  fleet.queue.run(10 * SECOND)
  ana.start()
  keep()
  talk(10)
  ben.sleep()
  fleet.queue.run(MINUTE)
  ben.wake()
  talk(20)
  ana.removePeer(ben.publicKey)
  fleet.queue.run(5 * SECOND)
  ana.addPeer(ben.publicKey, { endpoint: { ip: '192.0.2.77', port: 51_820 } })
  talk(20)
  fleet.queue.run(10 * MINUTE)
  talk(30)
  return { fleet, ana, ben, journal }
}

/** All that engines were told and said, without reads of which nothing came. */
function journals({ journal }: { readonly journal: Journal }): readonly string[] {
  return journal.flatMap((entry) => {
    const { call, outcome } = entry
    const isRead = call.type === 'handle' && call.input.type === 'interface-read'
    return isRead && Array.isArray(outcome) && outcome.length === 0 ? [] : [JSON.stringify(entry)]
  })
}

function readsIn(journal: Journal): number {
  return journal.filter(({ call }) => call.type === 'handle' && call.input.type === 'interface-read').length
}

function notesIn(seen: string[]): Observer {
  return {
    sent: (host, { bytes }) => seen.push(`${host} sends ${wireguardType(bytes) ?? 'stun'}`),
    arrived: (host, { bytes }) => seen.push(`${host} gets ${wireguardType(bytes) ?? 'stun'}`),
    handled: (host, { type }) => seen.push(`${host} is told ${type}`),
    forwarded: (host, direction) => seen.push(`${host} forwards ${direction}`),
    delivered: (host, _peer, _bytes, author) => seen.push(`${host} delivers of ${author}`),
    emerged: (host) => seen.push(`${host}: out of the tunnel`),
    happened: (what) => seen.push(`! ${what}`),
  }
}

function bytesIn(seen: string[]): Observer {
  return {
    sent: (host, { from, to, bytes }) => seen.push(JSON.stringify([host, from, to, [...bytes]])),
  }
}
