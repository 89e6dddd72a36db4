import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Ping } from '../../../simulations/hosts/pinger.js'
import { allMeetings, topologyOf, udpMeetings } from '../../../simulations/scenarios/networks.js'
import { Stage } from '../../../simulations/scenarios/stage.js'
import type { ServerSpec } from '../../../simulations/topology.js'
import { MINUTE, SECOND } from '../../../src/base/time.js'

const EVERY_MS = 50
const SERVER: ServerSpec = { region: 'europe', relays: true }

describe('when UDP comes back where a stream took its place', () => {
  const names = udpMeetings().map(({ from, to }) => `${from} to ${to}`)
  for (const name of ['port-restricted to port-restricted', 'symmetric to symmetric']) {
    it(`no ping is lost, and no stream is left: ${name}`, () => {
      const meeting = udpMeetings()[names.indexOf(name)] ?? assert.fail()
      const topology = topologyOf([meeting], [SERVER, SERVER, SERVER])
      const stage = new Stage({ topology, seed: 1, observers: [] })
      const { queue } = stage
      const [a, b] = [stage.machine(0), stage.machine(1)]
      const talk = (ms: number): readonly Ping[] =>
        Array.from({ length: ms / EVERY_MS }, () => {
          const ping = a.ping(b.publicKey)
          queue.run(EVERY_MS)
          return ping
        })
      stage.start()
      queue.run(30 * SECOND)
      talk(10 * SECOND)
      const site = stage.site(a.places[0]?.site?.index ?? assert.fail())
      site.setUdp(false)
      talk(60 * SECOND)
      assert.equal(stage.wayOf(a, b), 'relayed')
      assert.ok((a.daemon?.streams.open ?? 0) > 0)
      site.setUdp(true)
      const pings = talk(2 * MINUTE)
      queue.run(SECOND)
      assert.equal(pings.filter(({ answeredAt }) => answeredAt === undefined).length, 0)
      assert.equal(a.daemon?.streams.open, 0)
    })
  }
})

it('streams to a relay end where nobody talks any more, though UDP stays blocked', () => {
  const blocked = allMeetings().find(({ from, to }) => from === 'no-udp' && to === 'no-udp') ?? assert.fail()
  const stage = new Stage({ topology: topologyOf([blocked], [SERVER]), seed: 1, observers: [] })
  const { queue } = stage
  const hosts = [stage.machine(0), stage.machine(1)] as const
  const openStreams = (): readonly number[] => hosts.map(({ daemon }) => daemon?.streams.open ?? 0)
  stage.start()
  for (let second = 0; second < 30; second++) {
    hosts[0].ping(hosts[1].publicKey)
    queue.run(SECOND)
  }
  assert.deepEqual(openStreams(), [1, 1])
  queue.run(4 * MINUTE)
  assert.deepEqual(openStreams(), [0, 0])
  const ping = hosts[0].ping(hosts[1].publicKey)
  queue.run(15 * SECOND)
  assert.notEqual(ping.answeredAt, undefined)
})
