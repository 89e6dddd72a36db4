import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Observer } from '../../simulations/observer.js'
import { Trace } from '../../simulations/trace.js'
import { nodeKeys } from '../../src/crypto/nodeKeys.js'
import { encodeStun } from '../../src/wire/stun/message.js'
import { encodeTransport } from '../../src/wire/wireguard.js'

type Watching = Required<Observer>
type Event = (observer: Watching) => void

const BEN = nodeKeys(new Uint8Array(32).fill(2)).publicKey
const CAT = nodeKeys(new Uint8Array(32).fill(3)).publicKey
const HERE = { ip: '192.168.1.2', port: 51_821 }
const THERE = { ip: '2001:db8::7', port: 4_000 }
const DATA = encodeTransport({ receiverIndex: 1, counter: 2n, encryptedPacket: new Uint8Array(20) })
const PLAIN = encodeStun({ messageClass: 'request', method: 1, transactionId: new Uint8Array(12) })

/** Every kind of event, and beside each such as differ from it in one thing only. */
const EVENTS: readonly (readonly Event[])[] = [
  [
    datagram('sent', 'ana', HERE, THERE, DATA),
    datagram('arrived', 'ana', HERE, THERE, DATA),
    datagram('sent', 'ben', HERE, THERE, DATA),
    datagram('sent', 'ana', THERE, HERE, DATA),
    datagram('sent', 'ana', HERE, { ...THERE, port: 4_001 }, DATA),
    datagram('sent', 'ana', HERE, THERE, DATA, 'eve'),
    datagram('sent', 'ana', HERE, THERE, DATA.subarray(1)),
    datagram('sent', 'ana', HERE, THERE, Uint8Array.of(5, ...DATA.subarray(1))),
    datagram('sent', 'ana', HERE, THERE, PLAIN),
    datagram('sent', 'ana', HERE, THERE, Uint8Array.of(1, ...PLAIN.subarray(1))),
  ],
  [
    (to) => to.handled('ana', { type: 'woken' }, []),
    (to) => to.handled('ben', { type: 'woken' }, []),
    (to) => to.handled('ana', { type: 'look-up-ended', peer: BEN }, []),
    (to) => to.handled('ana', { type: 'look-up-ended', peer: CAT }, []),
    (to) => to.handled('ana', { type: 'woken' }, [{ type: 'look-up', peer: BEN, keys: [] }]),
    (to) => to.handled('ana', { type: 'woken' }, [{ type: 'deliver', peer: BEN, datagram: DATA }]),
    (to) => to.handled('ana', { type: 'woken' }, [{ type: 'deliver', peer: BEN, datagram: PLAIN }]),
  ],
  [
    (to) => to.forwarded('ana', 'out', BEN, THERE, DATA),
    (to) => to.forwarded('ana', 'in', BEN, THERE, DATA),
    (to) => to.forwarded('ana', 'out', CAT, THERE, DATA),
    (to) => to.forwarded('ana', 'out', BEN, HERE, DATA),
    (to) => to.forwarded('ana', 'out', BEN, THERE, DATA.subarray(1)),
  ],
  [
    (to) => to.delivered('ana', BEN, DATA, 'ben'),
    (to) => to.delivered('ana', CAT, DATA, 'ben'),
    (to) => to.delivered('ana', BEN, DATA, 'eve'),
  ],
  [
    (to) => to.entered('ana', BEN, new Uint8Array(8)),
    (to) => to.entered('ana', CAT, new Uint8Array(8)),
    (to) => to.entered('ana', BEN, new Uint8Array(9)),
    (to) => to.emerged('ana', BEN, new Uint8Array(8)),
    (to) => to.emerged('ana', CAT, new Uint8Array(8)),
    (to) => to.emerged('ana', BEN, new Uint8Array(9)),
  ],
  [(to) => to.happened('ana starts'), (to) => to.happened('ana stops'), (to) => to.happened('ana\nstarts')],
]

describe('a trace', () => {
  it('has this very digest, on every machine', () => {
    const [digest, lines] = digestOf(EVENTS.flat())
    assert.equal(lines[0], '0.1 sent ana 192.168.1.2:51821 [2001:db8::7]:4000 ana 36 wireguard 4')
    assert.equal(digest, '960d01104ea82952aff06092b6e7c11720d11e19fc30259f09c241fd16665a7a')
  })

  it('differs in every thing that an event says', () => {
    const digests = EVENTS.flat().map((event) => digestOf([event])[0])
    assert.equal(new Set(digests).size, digests.length)
  })

  it('differs by when, by how often and by the order', () => {
    const [sent, handled] = [EVENTS[0]?.[0], EVENTS[1]?.[0]]
    assert.ok(sent !== undefined && handled !== undefined)
    const digests = [
      digestOf([]),
      digestOf([sent]),
      digestOf([sent], 0.1 + 0.2),
      digestOf([sent], 0.3),
      digestOf([sent, sent]),
      digestOf([sent, handled]),
      digestOf([handled, sent]),
    ].map(([digest]) => digest)
    assert.equal(new Set(digests).size, digests.length)
  })

  it('does not depend on what bytes are, only on how many and of which message', () => {
    const bytes = (fill: number, Kind: typeof Uint8Array | typeof Buffer): readonly Event[] => {
      const [packet, record] = [Kind.from(DATA).fill(fill, 8), Kind.from(new Uint8Array(40).fill(fill))]
      return [
        datagram('sent', 'ana', HERE, THERE, packet),
        (to) => to.forwarded('ana', 'out', BEN, THERE, packet),
        (to) => to.delivered('ana', BEN, packet, 'ben'),
        (to) => to.emerged('ana', BEN, packet.subarray(16)),
        (to) =>
          to.handled('ana', { type: 'record-found', peer: BEN, sealedRecord: record }, [
            { type: 'send', socket: 1, remote: THERE, datagram: packet },
            { type: 'answer-knock', id: 1, answer: record },
            { type: 'knock', peer: BEN, identity: record, multiaddrs: [], knock: record },
          ]),
      ]
    }
    const [before] = digestOf(bytes(0, Uint8Array))
    fc.assert(
      fc.property(fc.nat({ max: 255 }), fc.constantFrom(Uint8Array, Buffer), (fill, Kind) => {
        assert.equal(digestOf(bytes(fill, Kind))[0], before)
      }),
    )
  })

  it('can be read at any time, and goes on', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS.flat())), fc.nat({ max: 10 }), (events, every) => {
        const trace = new Trace(() => 1)
        events.forEach((event, index) => {
          if (index % (every + 1) === 0) assert.match(trace.digest, /^[0-9a-f]{64}$/)
          event(trace)
        })
        assert.equal(trace.digest, digestOf(events, 1)[0])
        assert.equal(trace.digest, trace.digest)
      }),
    )
  })

  it('has no end that more events would not change', () => {
    const trace = new Trace(() => 1)
    const seen = new Set<string>()
    for (let event = 0; event < 5_000; event++) {
      trace.happened('the same again and again')
      if (event % 500 === 0) seen.add(trace.digest)
    }
    assert.equal(seen.size, 10)
  })
})

function datagram(
  kind: 'sent' | 'arrived',
  host: string,
  from: typeof HERE,
  to: typeof HERE,
  bytes: Uint8Array,
  author = host,
): Event {
  return (observer) => observer[kind](host, { from, to, bytes, author })
}

function digestOf(events: readonly Event[], now = 0.1): readonly [digest: string, lines: readonly string[]] {
  const lines: string[] = []
  const trace = new Trace(
    () => now,
    (line) => lines.push(line),
  )
  for (const event of events) event(trace)
  return [trace.digest, lines]
}
