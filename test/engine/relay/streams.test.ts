import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { streamAddress } from '../../../src/base/streamAddress.js'
import { after, asInstant, type Instant } from '../../../src/base/time.js'
import type { Effect } from '../../../src/engine/effects.js'
import type { LocalSocket, RelayOffer } from '../../../src/engine/inputs.js'
import { RelayStreams } from '../../../src/engine/relay/streams.js'

const START = asInstant(1_000)
const at = (ms: number): Instant => after(START, ms)

const offers: readonly RelayOffer[] = Array.from({ length: 12 }, (_, index) => ({
  identity: new Uint8Array(32).fill(index + 1),
  publicKey: new Uint8Array(32).fill(99),
  addresses: [{ ip: `203.0.113.${index + 1}`, port: 51_821 }],
  load: 0,
}))

interface Scene {
  readonly streams: RelayStreams
  readonly effects: Effect[]
  isSilent: boolean
  readonly used: Set<number>
  /** The relays to which streams were opened, by the last byte of their IP. */
  opened(): readonly number[]
}

function scene(): Scene {
  const effects: Effect[] = []
  const used = new Set<number>()
  const made = { effects, used, isSilent: true }
  const streams = new RelayStreams({
    emit: (effect) => effects.push(effect),
    offers: () => offers,
    isSilent: () => made.isSilent,
    isUsed: (socket) => used.has(socket),
  })
  const opened = () =>
    effects.flatMap((effect) => (effect.type === 'open-stream' ? Number(effect.relay.ip.split('.')[3]) : []))
  return Object.assign(made, { streams, opened })
}

function socketTo(index: number, id: number): LocalSocket {
  const offer = offers[index] ?? assert.fail()
  const relay = { identity: offer.identity, ip: offer.addresses[0]?.ip ?? '' }
  return { id, address: streamAddress(-id), device: '', purpose: 'stream', relay }
}

describe('streams in place of UDP', () => {
  test('are opened to two relays where nobody answers over UDP, and to a peer that relays itself', () => {
    const { streams, opened } = scene()
    streams.wanted(offers[6]?.identity, START)
    assert.deepEqual(opened(), [7, 1, 2])
    streams.wanted(offers[6]?.identity, at(1))
    assert.deepEqual(opened(), [7, 1, 2])
  })

  test('are not opened where UDP works, unless a relay did not answer over it', () => {
    const made = scene()
    made.isSilent = false
    made.streams.wanted(undefined, START)
    assert.deepEqual(made.opened(), [])
    made.streams.unanswered(offers[3] ?? assert.fail(), START)
    assert.deepEqual(made.opened(), [4])
  })

  test('are closed when nothing uses them any more', () => {
    const { streams, effects, used } = scene()
    streams.wanted(undefined, START)
    const sockets = [socketTo(0, -1), socketTo(1, -2)]
    streams.socketsChanged(sockets, at(10))
    used.add(-1)
    const looks = streams.nextWake ?? assert.fail()
    streams.wake(looks)
    streams.wake(streams.nextWake ?? assert.fail())
    const closed = effects.flatMap((effect) => (effect.type === 'close-socket' ? effect.id : []))
    assert.deepEqual([...new Set(closed)], [-2])
    streams.socketsChanged([], at(60_000))
    assert.equal(streams.nextWake, undefined)
  })

  test('that cannot be opened are tried again with growing pauses', () => {
    const { streams, opened } = scene()
    let now = START
    const pauses: number[] = []
    let lastAt = START
    for (let second = 0; second < 600; second++) {
      const before = opened().length
      streams.unanswered(offers[0] ?? assert.fail(), now)
      if (opened().length > before) {
        pauses.push(now - lastAt)
        lastAt = now
        streams.failed(offers[0]?.identity ?? assert.fail(), now)
      }
      now = after(now, 1_000)
    }
    assert.deepEqual(
      pauses,
      pauses.toSorted((a, b) => a - b),
    )
    assert(pauses.length > 3 && pauses.length < 12, `${pauses}`)
  })

  test('that relays end at once are tried again with growing pauses', () => {
    const { streams, opened } = scene()
    const relay = offers[0] ?? assert.fail()
    const openedAt: number[] = []
    for (let ms = 0; ms < 600_000; ms += 100) {
      const before = opened().length
      streams.unanswered(relay, at(ms))
      if (opened().length === before) continue
      openedAt.push(ms)
      streams.socketsChanged([socketTo(0, -openedAt.length)], at(ms + 20))
      streams.socketsChanged([], at(ms + 40))
    }
    const pauses = openedAt.slice(1).map((ms, index) => ms - (openedAt[index] ?? 0))
    assert.deepEqual(
      pauses,
      pauses.toSorted((a, b) => a - b),
    )
    assert(pauses.length > 3 && pauses.length < 12, `${pauses}`)
  })

  test('that lasted for a while are opened again at once', () => {
    const { streams, opened } = scene()
    streams.wanted(undefined, START)
    streams.socketsChanged([socketTo(0, -1), socketTo(1, -2)], at(20))
    streams.socketsChanged([], at(60_000))
    streams.wanted(undefined, at(60_000))
    assert.deepEqual(opened(), [1, 2, 1, 2])
  })

  test('of which nothing is heard are taken for lost', () => {
    const { streams, opened } = scene()
    streams.unanswered(offers[0] ?? assert.fail(), START)
    streams.wake(streams.nextWake ?? assert.fail())
    streams.unanswered(offers[0] ?? assert.fail(), at(20_000))
    assert.deepEqual(opened(), [1, 1])
  })

  test('are opened a few at a time, whatever happens, and wait for what is to come', () => {
    const step = fc.record({
      what: fc.constantFrom('wanted', 'unanswered', 'failed', 'open', 'gone', 'wake'),
      relay: fc.nat({ max: offers.length - 1 }),
      ms: fc.nat({ max: 20_000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { streams, effects } = scene()
        let now = START
        let lastId = 0
        let sockets: LocalSocket[] = []
        for (const { what, relay, ms } of steps) {
          now = after(now, ms)
          const offer = offers[relay] ?? assert.fail()
          effects.length = 0
          if (what === 'wanted') streams.wanted(offer.identity, now)
          else if (what === 'unanswered') streams.unanswered(offer, now)
          else if (what === 'failed') streams.failed(offer.identity, now)
          else if (what === 'wake') streams.wake(now)
          else {
            sockets = what === 'gone' ? [] : [...sockets, socketTo(relay, --lastId)]
            streams.socketsChanged(sockets, now)
          }
          const opened = effects.filter(({ type }) => type === 'open-stream').length
          assert(opened <= (what === 'wanted' ? 3 : 1))
          assert(opened === 0 || what === 'wanted' || what === 'unanswered')
          const { nextWake } = streams
          assert(what !== 'wake' || nextWake === undefined || nextWake > now)
        }
      }),
    )
  })
})
