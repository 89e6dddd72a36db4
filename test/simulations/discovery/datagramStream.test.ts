import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Channel, Party } from '../../../simulations/discovery/channel.js'
import {
  IDLE_MS,
  MAX_QUEUED,
  openStream,
  type StreamEnd,
  type StreamHandlers,
} from '../../../simulations/discovery/datagramStream.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import { MAX_FRAMED_LENGTH } from '../../../src/wire/relayFrame.js'

const DELAY_MS = 50

describe('a stream in place of UDP', () => {
  it('carries datagrams in order, though segments are sent again', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 1, maxLength: 20 }), (delays) => {
        const { near, far, queue, channel } = opened()
        for (const [index, delay] of delays.entries()) {
          channel.delayMs = delay
          near.send(frame(index + 1, 10))
        }
        queue.run(2_000)
        assert.deepEqual(
          far.ports,
          delays.map((_, index) => index + 1),
        )
      }),
    )
  })

  it('keeps the newest where the connection stands still, and no more than fits its queue', () => {
    const { near, far, nearSide, queue, channel } = opened()
    channel.isStill = true
    const count = 400
    for (let port = 1; port <= count; port++) near.send(frame(port, 1_000))
    assert.ok(near.queued <= MAX_QUEUED && near.queued > MAX_QUEUED - 2_000)
    assert.ok(nearSide.overflows > 200)
    channel.goOn()
    queue.run(1_000)
    assert.equal(far.ports.length, count - nearSide.overflows)
    assert.equal(far.ports.at(-1), count)
    assert.ok(!far.ports.includes(count >> 1))
    assert.equal(near.queued, 0)
  })

  it('loses what no frame takes, and nothing that is empty is sent', () => {
    const { near, far, nearSide, queue } = opened()
    near.send(frame(1, MAX_FRAMED_LENGTH + 1))
    near.send(frame(2, 0))
    queue.run(1_000)
    assert.deepEqual(far.ports, [])
    assert.equal(nearSide.overflows, 1)
  })

  it('is ended by either side, and once', () => {
    const { near, nearSide, far, queue } = opened()
    near.close()
    near.close()
    near.send(frame(1, 10))
    queue.run(1_000)
    assert.deepEqual([nearSide.closes, far.closes], [1, 1])
    const other = opened()
    other.far.end?.close()
    other.queue.run(1_000)
    assert.deepEqual([other.nearSide.closes, other.far.closes], [1, 1])
  })

  it('ends with its connection, and where the other side has no use for it', () => {
    const { nearSide, far, channel } = opened()
    channel.shut()
    assert.deepEqual([nearSide.closes, far.closes], [1, 1])
    const refused = opened(false)
    refused.queue.run(1_000)
    assert.deepEqual([refused.nearSide.closes, refused.far.ports], [1, []])
  })

  it('ends where nothing came or went for a while, and not before', () => {
    const { near, nearSide, queue } = opened()
    for (let times = 0; times < 4; times++) {
      queue.run(IDLE_MS - 1)
      near.send(frame(1, 10))
    }
    assert.equal(nearSide.closes, 0)
    queue.run(2 * IDLE_MS + 1)
    assert.equal(nearSide.closes, 1)
  })
})

function frame(port: number, length: number) {
  return { port, bytes: new Uint8Array(length), author: 'ana' }
}

class Wire implements Channel {
  readonly isDirect = true
  delayMs = DELAY_MS
  isStill = false
  readonly #queue: EventQueue
  readonly #parties: readonly [Party, Party]
  readonly #waiting: (() => void)[] = []
  readonly #onClosed = new Set<() => void>()
  #isOpen = true

  constructor(queue: EventQueue, parties: readonly [Party, Party]) {
    this.#queue = queue
    this.#parties = parties
  }

  other(party: Party): Party {
    return this.#parties[party === this.#parties[0] ? 1 : 0]
  }

  isOpenAt(): boolean {
    return this.#isOpen
  }

  send(_from: Party, _bytes: number, deliver: () => void): void {
    if (this.isStill) this.#waiting.push(deliver)
    else this.#queue.in(this.delayMs, deliver)
  }

  goOn(): void {
    this.isStill = false
    for (const deliver of this.#waiting.splice(0)) this.#queue.in(this.delayMs, deliver)
  }

  onClosedAt(_party: Party, action: () => void): () => void {
    this.#onClosed.add(action)
    return () => this.#onClosed.delete(action)
  }

  close(): void {
    this.shut()
  }

  shut(): void {
    this.#isOpen = false
    for (const action of [...this.#onClosed]) action()
  }
}

class Side implements StreamHandlers {
  readonly ports: number[] = []
  closes = 0
  overflows = 0
  end: StreamEnd | undefined = undefined
  readonly onFrame: StreamHandlers['onFrame'] = ({ port }) => void this.ports.push(port)
  readonly onClose = (): void => void this.closes++
  readonly onOverflow = (): void => void this.overflows++
}

function opened(isTaken = true) {
  const queue = new EventQueue(1_000, 0)
  const party = (name: string): Party => ({
    name,
    key: name,
    isPowered: true,
    isAnswering: true,
    in: (ms, action) => queue.in(ms, action),
    atNextPing: () => undefined,
    read: (action) => action(),
  })
  const [ana, relay] = [party('ana'), party('relay')]
  const channel = new Wire(queue, [ana, relay])
  const [nearSide, far] = [new Side(), new Side()]
  const near = openStream(channel, ana, nearSide, (end) => {
    far.end = end
    return isTaken ? far : undefined
  })
  queue.run(DELAY_MS)
  return { near, nearSide, far, queue, channel }
}
