import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { realCryptography } from '../../../simulations/crypto/cryptography.js'
import { isDropped } from '../../../src/base/drops.js'
import { seededRandom } from '../../../src/base/random.js'
import { HOUR, MINUTE, SECOND } from '../../../src/base/time.js'
import { wireguardType } from '../../../src/wire/wireguard.js'
import { type End, ONE_WAY_MS, ROUND_TRIP_MS, Wire } from './wire.js'

/** The kernel's jitter is below a third of a second. */
const JITTER_MS = 334

describe('a handshake of the simulated WireGuard', () => {
  it('takes a round trip, and then data may follow', () => {
    const wire = new Wire()
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
    assert.equal(wire.tripMs(wire.ana), ONE_WAY_MS)
    assert.equal(wire.tripMs(wire.ben), ONE_WAY_MS)
  })

  it('stalls when both begin at once: that is what the engine is to prevent', () => {
    const wire = new Wire()
    wire.send(wire.ana)
    wire.send(wire.ben)
    wire.queue.run(5 * SECOND)
    assert.deepEqual([wire.ana.arrivals, wire.ben.arrivals], [[], []])
  })

  it('is tried every 5 s for 90 s, and then given up with all that waited', () => {
    const wire = new Wire()
    wire.carries = () => false
    wire.send(wire.ana)
    wire.queue.run(10 * MINUTE)
    const times = wire.sentOf(1).map(([atMs]) => atMs)
    assert.equal(times.length, 20)
    assert.equal(wire.sent.length, 20)
    const waits = times.slice(1).map((at, index) => at - (times[index] ?? 0))
    assert.ok(waits.every((ms) => ms >= 5_000 && ms < 5_000 + JITTER_MS))
    wire.carries = () => true
    wire.queue.run(SECOND)
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
    assert.equal(wire.ben.arrivals.length, 1)
  })

  it('is answered by a session that the responder does not use before data has confirmed it', () => {
    const wire = new Wire()
    wire.carries = ({ by, bytes }) => by === wire.ben || wireguardType(bytes) === 1
    wire.send(wire.ana)
    wire.queue.run(SECOND)
    wire.send(wire.ben)
    wire.queue.run(SECOND)
    assert.deepEqual(wire.ana.arrivals, [])
    // Within 5 s of its second message it begins no handshake either.
    assert.equal(wire.sentOf(1).length, 1)
  })

  it('is not answered within 20 ms of another of the same peer', () => {
    const [once, twice] = [21, 20].map((apart) => {
      const wire = new Wire()
      const [first, second] = [firstMessage(wire.ana, wire.ben, 0), firstMessage(wire.ana, wire.ben, 1_000)]
      wire.ben.wireguard.receive(first, wire.ana.address)
      wire.queue.run(apart - 1)
      wire.ben.wireguard.receive(second, wire.ana.address)
      return wire.sentOf(2).length
    })
    assert.deepEqual([once, twice], [2, 1])
  })

  it('is not answered where its timestamp is not newer than the last', () => {
    const wire = new Wire()
    const [older, newer] = [firstMessage(wire.ana, wire.ben, 0), firstMessage(wire.ana, wire.ben, 1_000)]
    for (const message of [newer, newer, older]) {
      wire.ben.wireguard.receive(message, wire.ana.address)
      wire.queue.run(SECOND)
    }
    assert.equal(wire.sentOf(2).length, 1)
  })

  it('bears a time that is told no more exactly than to 2^24 ns', () => {
    const wire = new Wire()
    wire.queue.run(1_234.5)
    wire.send(wire.ana)
    const opened = keysOf(2).openInitiation(wire.sent[0]?.bytes ?? new Uint8Array(0))
    assert.ok(!isDropped(opened))
    const nanoseconds = new DataView(opened.timestamp.buffer, opened.timestamp.byteOffset).getUint32(8)
    assert.equal(nanoseconds, 234_000_000 - (234_000_000 % 2 ** 24))
  })

  it('is finished by no second message for another first one, and by none that was changed', () => {
    const wire = new Wire()
    const seconds: Uint8Array[] = []
    wire.carries = ({ bytes }) => {
      if (wireguardType(bytes) === 2) seconds.push(bytes)
      return wireguardType(bytes) !== 2
    }
    wire.send(wire.ana)
    wire.queue.run(6 * SECOND)
    const [first, second] = seconds
    assert.ok(first !== undefined && second !== undefined)
    for (const bytes of [first, changed(second, 50)]) wire.ana.wireguard.receive(bytes, wire.ben.address)
    assert.equal(wire.sentOf(4).length, 0)
    wire.ana.wireguard.receive(second, wire.ben.address)
    assert.equal(wire.sentOf(4).length, 1)
  })

  it('is forgotten 540 s after it was given up', () => {
    const [before, after] = [-1, 1].map((early) => {
      const wire = new Wire()
      const seconds: Uint8Array[] = []
      wire.carries = ({ by, bytes }) => {
        if (by === wire.ben) seconds.push(bytes)
        return by === wire.ana
      }
      wire.send(wire.ana)
      wire.queue.run(MINUTE)
      wire.carries = ({ by, bytes }) => {
        if (by === wire.ben) seconds.push(bytes)
        return by === wire.ana && wireguardType(bytes) === 1
      }
      wire.queue.run(MINUTE)
      const last = wire.sentOf(1).at(-1)?.[0] ?? 0
      wire.queue.run(0)
      // It gave up at some time from 5 s on after its last try.
      wire.runTo(last + 5_000 + (early < 0 ? 0 : JITTER_MS) + 540 * SECOND + early)
      wire.sent.length = 0
      wire.ana.wireguard.receive(seconds.at(-1) ?? new Uint8Array(0), wire.ben.address)
      return wire.sentOf(4).length
    })
    assert.deepEqual([before, after], [1, 0])
  })
})

describe('a session of the simulated WireGuard', () => {
  it('is renewed by its initiator, when that sends at an age of 120 s or more', () => {
    for (const [age, renewals] of [
      [120 * SECOND - 1, 0],
      [120 * SECOND, 1],
    ] as const) {
      const wire = new Wire()
      const madeAt = wire.connect()
      wire.runTo(madeAt + age)
      wire.send(wire.ana)
      assert.deepEqual(
        wire.sentOf(1),
        renewals === 0 ? [] : [[madeAt + age, 'ana']],
        `at an age of ${age} ms`,
      )
      assert.equal(wire.sentOf(4).length, 1)
    }
  })

  it('is not renewed by its responder while that may still send', () => {
    const wire = new Wire()
    const madeAt = wire.connect()
    wire.runTo(madeAt + 179 * SECOND)
    wire.carries = () => false
    wire.send(wire.ben)
    assert.deepEqual([wire.sentOf(4).length, wire.sentOf(1).length], [1, 0])
  })

  it('is renewed by its initiator, once, when that receives at an age of 165 s or more', () => {
    for (const [age, renewals] of [
      [165 * SECOND - 1, 0],
      [165 * SECOND, 1],
    ] as const) {
      const wire = new Wire()
      const madeAt = wire.connect()
      wire.runTo(madeAt + age - ONE_WAY_MS)
      wire.carries = ({ bytes }) => wireguardType(bytes) === 4
      for (let packet = 0; packet < 3; packet++) wire.send(wire.ben)
      wire.queue.run(ONE_WAY_MS)
      assert.equal(wire.ana.arrivals.length, 3)
      assert.equal(wire.sentOf(1).length, renewals, `at an age of ${age} ms`)
    }
  })

  it('carries nothing any more at an age of 180 s', () => {
    const wire = new Wire()
    // The responder's own is younger by half a round trip than the initiator's is old.
    const madeAt = wire.connect()
    wire.runTo(madeAt + 180 * SECOND - 1)
    wire.send(wire.ana)
    assert.equal(wire.sentOf(4).length, 1)
    wire.queue.run(1)
    wire.send(wire.ana)
    assert.equal(wire.sentOf(4).length, 1)
    // What the first one carried came too late for the responder, whose session is older.
    wire.queue.run(ONE_WAY_MS)
    assert.equal(wire.ben.arrivals.length, 1)
  })

  it('is renewed every two minutes while it is used, and loses no packet to it', () => {
    const wire = new Wire()
    wire.connect()
    for (let second = 0; second < HOUR / SECOND; second++) {
      assert.equal(wire.tripMs(wire.ana), ONE_WAY_MS)
      wire.queue.run(SECOND - ONE_WAY_MS)
    }
    // At the first packet after each two minutes.
    assert.equal(wire.sentOf(1).length, Math.floor(HOUR / (121 * SECOND)))
  })

  it('answers data with a keepalive after 10 s, another one where more came meanwhile, and then is silent', () => {
    const wire = new Wire()
    wire.connect()
    const began = wire.queue.elapsed
    wire.send(wire.ana)
    wire.queue.run(3 * SECOND)
    wire.send(wire.ana)
    wire.sent.length = 0
    wire.queue.run(HOUR)
    assert.deepEqual(
      wire.sent.map(({ atMs, by, bytes }) => [atMs - began - ONE_WAY_MS, by.name, bytes.length]),
      [
        [10 * SECOND, 'ben', 32],
        [20 * SECOND, 'ben', 32],
      ],
    )
  })

  it('owes no keepalive for what it answered with data', () => {
    const wire = new Wire()
    wire.connect()
    wire.send(wire.ana)
    wire.queue.run(9 * SECOND)
    wire.send(wire.ben)
    wire.sent.length = 0
    wire.queue.run(HOUR)
    assert.deepEqual(
      wire.sent.map(({ by }) => by.name),
      ['ana'],
    )
  })

  it('is begun anew when data was answered by nothing for 15 s', () => {
    const wire = new Wire()
    wire.connect()
    wire.carries = () => false
    const began = wire.queue.elapsed
    wire.send(wire.ana)
    wire.queue.run(14 * SECOND)
    // What is sent meanwhile puts nothing off.
    wire.send(wire.ana)
    wire.queue.run(2 * SECOND)
    const [first] = wire.sentOf(1)
    const wait = (first?.[0] ?? 0) - began
    assert.ok(wait >= 15 * SECOND && wait < 15 * SECOND + JITTER_MS, `${wait} ms`)
  })

  it('takes neither a replayed nor a changed message', () => {
    const wire = new Wire()
    wire.tripMs(wire.ana)
    wire.tripMs(wire.ana)
    const heard = wire.sent.filter(({ by }) => by === wire.ana).map(({ bytes }) => bytes)
    assert.equal(heard.length, 3)
    wire.sent.length = 0
    for (const bytes of heard) {
      for (const datagram of [bytes, changed(bytes, 20), changed(bytes, bytes.length - 1)])
        wire.ben.wireguard.receive(datagram, { ip: '192.0.2.66', port: 1 })
    }
    assert.deepEqual(wire.sent, [])
    assert.equal(wire.ben.arrivals.length, 2)
    assert.deepEqual(endpointAt(wire.ben, wire.ana), wire.ana.address)
  })

  it('takes messages in any order, each once', () => {
    const wire = new Wire()
    wire.connect()
    wire.carries = () => false
    for (let packet = 0; packet < 20; packet++) wire.send(wire.ana)
    const packets = wire.sent.map(({ bytes }) => bytes)
    const before = wire.ben.arrivals.length
    for (const bytes of [...packets].reverse()) wire.ben.wireguard.receive(bytes, wire.ana.address)
    for (const bytes of packets) wire.ben.wireguard.receive(bytes, wire.ana.address)
    assert.equal(wire.ben.arrivals.length - before, packets.length)
  })
})

describe('a peer of the simulated WireGuard', () => {
  it('is answered where its last authentic message came from', () => {
    const wire = new Wire()
    wire.connect()
    const elsewhere = { ip: '192.0.2.99', port: 7 }
    wire.carries = () => false
    wire.send(wire.ana)
    wire.ben.wireguard.receive(wire.sent[0]?.bytes ?? new Uint8Array(0), elsewhere)
    assert.deepEqual(endpointAt(wire.ben, wire.ana), elsewhere)
    wire.send(wire.ben)
    assert.deepEqual(wire.sent.at(-1)?.to, elsewhere)
  })

  it('without an endpoint gets nothing, until it has spoken', () => {
    const wire = new Wire({ ben: {} })
    wire.send(wire.ben)
    wire.queue.run(MINUTE)
    assert.deepEqual(wire.sent, [])
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
    assert.equal(wire.tripMs(wire.ben), ONE_WAY_MS)
  })

  it('with a PersistentKeepalive is connected at once, and hears or is heard at least so often', () => {
    const wire = new Wire({ ana: { endpoint: { ip: '192.0.2.2', port: 51_820 }, keepaliveMs: 25 * SECOND } })
    wire.queue.run(SECOND)
    assert.equal(wire.sentOf(4).length, 1)
    wire.sent.length = 0
    wire.runTo(ROUND_TRIP_MS + 2 * 25 * SECOND)
    assert.deepEqual(
      wire.sent.map(({ atMs, by, bytes }) => [atMs, by.name, bytes.length]),
      [1, 2].map((times) => [ROUND_TRIP_MS + times * 25 * SECOND, 'ana', 32]),
    )
    // What comes counts as well.
    wire.queue.run(10 * SECOND)
    wire.send(wire.ben)
    wire.queue.run(ONE_WAY_MS)
    wire.sent.length = 0
    wire.queue.run(25 * SECOND - 1)
    assert.deepEqual(
      wire.sent.map(({ by }) => by.name),
      ['ana'],
      'the answer to data, after 10 s',
    )
    wire.queue.run(11 * SECOND)
    assert.equal(wire.sent.length, 2)
  })

  it('that is removed is neither heard nor answered, and comes back as a stranger', () => {
    const wire = new Wire()
    wire.connect()
    wire.send(wire.ana)
    wire.ben.wireguard.removePeer(wire.ana.wireguard.publicKey)
    wire.queue.run(10 * MINUTE)
    assert.equal(wire.ben.arrivals.length, 1)
    assert.ok(wire.sent.every(({ by }) => by === wire.ana))
    wire.ben.wireguard.addPeer(wire.ana.wireguard.publicKey)
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
  })

  it('whose endpoint is cleared has lost its session and nothing else', () => {
    const wire = new Wire()
    wire.connect()
    wire.ben.wireguard.clearEndpoint(wire.ana.wireguard.publicKey)
    assert.equal(endpointAt(wire.ben, wire.ana), undefined)
    assert.equal(wire.tripMs(wire.ana), undefined)
    wire.queue.run(16 * SECOND)
    assert.equal(wire.tripMs(wire.ana), ONE_WAY_MS)
  })

  it('is shown as wg shows it', () => {
    const wire = new Wire()
    const [shown] = wire.ana.wireguard.peers
    assert.equal(shown?.latestHandshake, undefined)
    let changes = 0
    wire.ana.wireguard.onChange = () => {
      changes += 1
    }
    wire.queue.run(1_950)
    wire.tripMs(wire.ana)
    // Complete after 2,050 ms, in whole seconds.
    assert.equal(wire.ana.wireguard.peers[0]?.latestHandshake, 1_767_225_602_000)
    assert.equal(changes, 1)
    assert.equal(wire.ana.wireguard.peers, wire.ana.wireguard.peers)
  })
})

describe('the simulated WireGuard of a host that slept', () => {
  it('has no session left, where its kernel forgets keys before it sleeps', () => {
    const wire = new Wire()
    wire.connect()
    sleep(wire, wire.ana, SECOND)
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
  })

  it('uses its session again, where its kernel keeps keys and the session is not 180 s old', () => {
    for (const [age, trip] of [
      [170 * SECOND, ONE_WAY_MS],
      [180 * SECOND, ROUND_TRIP_MS + ONE_WAY_MS],
    ] as const) {
      const wire = new Wire({}, false)
      const madeAt = wire.connect()
      sleep(wire, wire.ana, madeAt + age - wire.queue.elapsed)
      assert.equal(wire.tripMs(wire.ana), trip, `at an age of ${age} ms`)
    }
  })

  it('waits for what it waited for as long as if it had not slept', () => {
    const wire = new Wire({}, false)
    wire.connect()
    wire.carries = () => false
    const began = wire.queue.elapsed
    wire.send(wire.ana)
    wire.queue.run(5 * SECOND)
    sleep(wire, wire.ana, 30 * SECOND)
    wire.queue.run(20 * SECOND)
    const wait = (wire.sentOf(1)[0]?.[0] ?? 0) - began
    assert.ok(wait >= 45 * SECOND && wait < 45 * SECOND + JITTER_MS, `${wait} ms`)
  })
})

describe('the simulated WireGuard of a host whose clock was set', () => {
  it('forward is answered as before', () => {
    const wire = new Wire()
    wire.connect()
    wire.ana.clock.jump(HOUR)
    wire.queue.run(10 * MINUTE)
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
  })

  it('back is refused by those who heard it before, until they begin, or its clock is where it was', () => {
    const wire = new Wire()
    wire.connect()
    wire.ana.clock.jump(-HOUR)
    wire.queue.run(10 * MINUTE)
    assert.equal(wire.tripMs(wire.ana), undefined)
    wire.queue.run(6 * SECOND)
    assert.equal(wire.tripMs(wire.ben), ROUND_TRIP_MS + ONE_WAY_MS)
    wire.queue.run(HOUR)
    assert.equal(wire.tripMs(wire.ana), ROUND_TRIP_MS + ONE_WAY_MS)
  })
})

function sleep(wire: Wire, end: End, ms: number): void {
  end.wireguard.suspend()
  end.clock.sleep()
  wire.queue.run(ms)
  end.clock.wake()
}

function keysOf(seed: number) {
  return realCryptography.wireguardKeys(seededRandom(seed).bytes(32))
}

/** A first message of Ana's, made so many milliseconds after the beginning. */
function firstMessage(from: End, to: End, ms: number): Uint8Array {
  const timestamp = new Uint8Array(12)
  new DataView(timestamp.buffer).setUint32(8, ms)
  assert.equal(from.name, 'ana')
  return keysOf(1).createInitiation(to.wireguard.publicKey, 1 + ms, timestamp, seededRandom(ms))
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

function endpointAt(end: End, peer: End) {
  return end.wireguard.endpointOf(peer.wireguard.publicKey)
}
