import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Ping } from '../../../simulations/hosts/pinger.js'
import type { Observer } from '../../../simulations/observer.js'
import { ROUND_TRIP_MS, topologyOf, withSpareSites } from '../../../simulations/scenarios/networks.js'
import { Stage } from '../../../simulations/scenarios/stage.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { wireguardType } from '../../../src/wire/wireguard.js'

const EVERY_MS = 5 * SECOND

describe('a day of traffic, with a handshake every two minutes', () => {
  it('needs no look-up and no knock, has no gap, and nothing is taken for a sign', () => {
    let firstMessages = 0
    let lookUps = 0
    const counting: Observer = {
      delivered: (_host, _peer, bytes) => {
        if (wireguardType(bytes) === 1) firstMessages += 1
      },
      handled: (_host, _input, effects) => {
        // Those that keep a record fresh, traffic or not, are not logged.
        for (const effect of effects)
          if (effect.type === 'log' && effect.message === 'looking its record up') lookUps += 1
      },
    }
    const server = { region: 'europe', relays: true } as const
    const stage = new Stage({
      topology: topologyOf([withSpareSites(['port-restricted', 'port-restricted'])], [server, server]),
      seed: 1,
      observers: [counting],
    })
    const { queue, world } = stage
    const [ana, ben] = [stage.machine(0), stage.machine(1)]
    stage.start()
    queue.run(MINUTE)
    ana.ping(ben.publicKey)
    queue.run(30 * SECOND)
    const { knocks } = world.mesh.counts
    lookUps = 0
    const signsBefore = [ana, ben].map((one, at) => signsOf(one, [ben, ana][at] ?? one))
    let slowest = 0
    let lost = 0
    for (const end = queue.elapsed + 24 * HOUR; queue.elapsed < end; ) {
      const ping: Ping = ana.ping(ben.publicKey)
      queue.run(EVERY_MS)
      if (ping.answeredAt === undefined) lost += 1
      else slowest = Math.max(slowest, ping.answeredAt - ping.sentAt)
    }
    assert.ok(firstMessages >= (24 * HOUR) / (125 * SECOND), `${firstMessages} handshakes`)
    assert.deepEqual(
      { knocks: world.mesh.counts.knocks - knocks, lookUps, lost },
      { knocks: 0, lookUps: 0, lost: 0 },
    )
    assert.ok(slowest <= ROUND_TRIP_MS, `${slowest} ms`)
    assert.deepEqual(
      [ana, ben].map((one, at) => signsOf(one, [ben, ana][at] ?? one)),
      signsBefore,
    )
  })
})

function signsOf(
  machine: ReturnType<Stage['machine']>,
  other: ReturnType<Stage['machine']>,
): readonly string[] {
  return machine.daemon?.status(other.publicKey).signs.map(({ sign }) => sign) ?? []
}
