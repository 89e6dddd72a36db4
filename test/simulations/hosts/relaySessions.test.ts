import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { Host } from '../../../simulations/hosts/host.js'
import { type RelayBehaviour, RelaySessions } from '../../../simulations/hosts/relaySessions.js'
import type { Datagram } from '../../../simulations/network/datagram.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { Internet } from '../../../simulations/network/internet.js'
import { perfectLink } from '../../../simulations/network/link.js'
import type { SocketAddress } from '../../../src/base/address.js'
import { seededRandom } from '../../../src/base/random.js'
import { SECOND } from '../../../src/base/time.js'
import type { Input } from '../../../src/engine/inputs.js'
import { byteLimit, RelayTable } from '../../../src/engine/relay/table.js'
import { encodeStun } from '../../../src/wire/stun/message.js'
import { BINDING } from '../../../src/wire/stun/registry.js'

const SESSION = 1
const NAME = new Uint8Array(16).fill(1)

describe('the sessions of a relay', () => {
  it('have a port each, on the addresses that were asked for and that the host has', () => {
    const { relay, told, sessions } = relayed()
    const [ip4 = '', ip6 = ''] = relay.ips
    sessions.perform({ type: 'open-relay', session: 2, ips: [ip6, '192.0.2.77'] })
    sessions.perform({ type: 'open-relay', session: 3, ips: ['192.0.2.77'] })
    const [first, second, third] = told
    assert.ok(first?.type === 'relay-opened' && second?.type === 'relay-opened')
    assert.deepEqual(
      first.addresses.map(({ ip }) => ip),
      [ip4, ip6],
    )
    assert.deepEqual(
      second.addresses.map(({ ip }) => ip),
      [ip6],
    )
    assert.notEqual(first.addresses[0]?.port, second.addresses[0]?.port)
    assert.equal(third?.type, 'relay-failed')
    assert.equal(sessions.size, 2)
  })

  it('pass on between those who are bound, also from one family to the other, under the author', () => {
    const { ana, ben, port, sends } = relayed()
    const [received] = sends(ana, ben)
    assert.equal(received?.author, 'ana')
    assert.deepEqual(received?.bytes, DATA)
    assert.equal(received?.from.port, port)
    assert.equal(received?.from.ip.includes(':'), true)
    assert.equal(sends(ben, ana)[0]?.author, 'ben')
  })

  it('pass on nothing of others, and give the engine what the table leaves to it', () => {
    const { relay, ana, eve, told, port, sends, queue } = relayed()
    assert.deepEqual(sends(eve, ana), [])
    const request = encodeStun({
      messageClass: 'request',
      method: BINDING,
      transactionId: new Uint8Array(12),
      username: NAME,
    })
    eve.host.sendFromAny(7, { ip: relay.ips[0] ?? '', port }, request, undefined)
    queue.run(SECOND)
    const last = told.at(-1)
    assert.ok(last?.type === 'relay-datagram')
    assert.equal(last.session, SESSION)
    assert.equal(last.local, relay.ips[0])
    assert.deepEqual(last.remote, eve.at4)
  })

  it('that are closed, or closed all together, hear nothing more', () => {
    for (const end of [
      (sessions: RelaySessions) => sessions.perform({ type: 'close-relay', session: SESSION }),
      (sessions: RelaySessions) => sessions.close(),
    ]) {
      const { ana, ben, sends, sessions } = relayed()
      end(sessions)
      assert.equal(sessions.size, 0)
      assert.deepEqual(sends(ana, ben), [])
    }
  })

  it('send what the engine wants sent', () => {
    const { relay, ben, sessions, queue } = relayed()
    const [local = ''] = relay.ips
    sessions.perform({ type: 'send-relay', session: SESSION, local, remote: ben.at4, datagram: DATA })
    queue.run(SECOND)
    assert.deepEqual(
      ben.heard.map(({ bytes, author }) => ({ bytes, author })),
      [{ bytes: DATA, author: 'relay' }],
    )
  })

  it('of a relay that misbehaves are lost, late, altered, or come twice', () => {
    const outcomes: readonly (readonly [RelayBehaviour, number, number])[] = [
      [{ type: 'drops' }, 0, 0],
      [{ type: 'delays', byMs: 1_500 }, 0, 1],
      [{ type: 'alters' }, 1, 1],
      [{ type: 'replays', afterMs: 1_500 }, 1, 2],
    ]
    for (const [behaviour, soon, later] of outcomes) {
      const { ana, ben, sends, sessions, queue } = relayed()
      sessions.behaviour = behaviour
      assert.equal(sends(ana, ben).length, soon, behaviour.type)
      queue.run(2 * SECOND)
      assert.equal(ben.heard.length, later, behaviour.type)
      if (behaviour.type === 'alters') assert.notDeepEqual(ben.heard[0]?.bytes, DATA)
      sessions.behaviour = undefined
      assert.deepEqual(sends(ana, ben)[0]?.bytes, DATA)
    }
  })
})

const DATA = Uint8Array.of(4, 0, 0, 0, 1, 2, 3, 4)

/** A relay with a session between Ana, who is bound by IPv4, and Ben, who is by IPv6; and Eve. */
function relayed() {
  const queue = new EventQueue(SECOND, 0)
  const internet = new Internet(queue, seededRandom(1), [])
  const make = (name: string) => {
    const host = new Host({ name, clock: new HostClock(queue), observers: [] })
    host.attach(internet.publicPlace('europe', perfectLink(5)))
    const heard: Datagram[] = []
    if (name !== 'relay') host.bind(7, (datagram) => heard.push(datagram))
    const [ip4 = '', ip6 = ''] = host.ips
    return { host, heard, at4: { ip: ip4, port: 7 }, at6: { ip: ip6, port: 7 } }
  }
  const [{ host: relay }, ana, ben, eve] = [make('relay'), make('ana'), make('ben'), make('eve')]
  const told: Input[] = []
  const now = relay.clock.instant
  const relayTable = new RelayTable(byteLimit(1_000_000, now), () => undefined)
  const [local4 = '', local6 = ''] = relay.ips
  relayTable.add({
    id: SESSION,
    sides: [
      { name: NAME, end: { local: local4, remote: ana.at4, credit: Number.POSITIVE_INFINITY } },
      {
        name: new Uint8Array(16).fill(2),
        end: { local: local6, remote: ben.at6, credit: Number.POSITIVE_INFINITY },
      },
    ],
    limit: byteLimit(1_000_000, now),
    sourceLimit: byteLimit(1_000_000, now),
    usedAt: now,
    bytes: 0,
  })
  const sessions = new RelaySessions(relay, {
    relayTable,
    handle: (input) => told.push(input),
    sendThroughStream: () => assert.fail('there is no stream'),
  })
  sessions.perform({ type: 'open-relay', session: SESSION, ips: relay.ips })
  const [opened] = told
  const port = opened?.type === 'relay-opened' ? (opened.addresses[0]?.port ?? 0) : 0
  const viaOf = new Map<unknown, SocketAddress>([
    [ana, { ip: local4, port }],
    [ben, { ip: local6, port }],
    [eve, { ip: local4, port }],
  ])
  /** Sends to the relay, lets a second pass, and gives what the other heard of it. */
  const sends = (from: typeof ana, to: typeof ana): readonly Datagram[] => {
    const before = to.heard.length
    from.host.sendFromAny(7, viaOf.get(from) ?? assert.fail(), DATA, undefined)
    queue.run(SECOND)
    return to.heard.slice(before)
  }
  return { relay, ana, ben, eve, told, sessions, port, sends, queue }
}
