/**
 * What the engine costs while peers have traffic: how often it wants to be woken, how long a wake-up takes, and how much of a
 * core all of it is. In virtual time, with a network that is made here: no sockets, no timers, no WireGuard.
 */

import { EventQueue } from '../../simulations/network/eventQueue.js'
import { isDropped } from '../../src/base/drops.js'
import { type Random, randomBelow, seededRandom } from '../../src/base/random.js'
import { after, elapsed, type Instant, SECOND } from '../../src/base/time.js'
import { nodeKeys } from '../../src/crypto/nodeKeys.js'
import type { PairKeys } from '../../src/crypto/pair.js'
import { recordSealing } from '../../src/crypto/sealedRecord.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { Node } from '../../src/engine/node.js'
import { encodeCheck, encodeCheckAnswer } from '../../src/engine/path/checks.js'
import type { Route } from '../../src/engine/path/path.js'
import { decodeStun, encodeStun } from '../../src/wire/stun/message.js'
import { BINDING } from '../../src/wire/stun/registry.js'
import type { Progress } from '../lab/progress.js'
import type { Finding } from './report.js'

/** Who has traffic, and who has none, of the peers of one node. */
const FLEETS = [
  { active: 1, idle: 0 },
  { active: 1, idle: 999 },
  { active: 10, idle: 0 },
  { active: 100, idle: 0 },
  { active: 100, idle: 900 },
  { active: 1_000, idle: 0 },
] as const

/** Questions a second: of all peers together, or of each. Each is answered. */
const LOADS = [
  { load: '1,000 packets/s in all', everyMs: (active: number) => 2 * active },
  { load: '40 packets/s each', everyMs: () => 50 },
] as const

const WARM_UP_MS = 5 * SECOND
const ROUNDS = 5
const ROUND_MS = 2 * SECOND
const PORT = 51_821
const SOCKET = 1
const OWN = { ip: '192.0.2.1', port: PORT }
const REFLECTORS = [1, 2, 3, 4].map((host) => ({ ip: `198.51.100.${host}`, port: PORT }))
const PACKET = 128
const LATENCY_MS = 30
const JITTER_MS = 8
/** What a timer of Node is set to, at least. */
const MIN_TIMEOUT_MS = 1
const START = 1_000_000
const UNIX_START = 1_800_000_000_000

export async function* benchWakeUps(progress: Progress): AsyncGenerator<Finding> {
  for (const { load, everyMs } of LOADS) {
    const rows = await progress.step(`wake-ups, ${load}`, async () =>
      // The first time nothing is compiled yet.
      [FLEETS[3], ...FLEETS]
        .map(({ active, idle }) => ({ active, idle, ...measured(active, idle, everyMs(active)) }))
        .slice(1),
    )
    yield {
      title: `Wake-ups of the engine, ${load}`,
      columns: [
        { key: 'active', heading: 'active peers' },
        { key: 'idle', heading: 'idle peers' },
        { key: 'wakes', heading: 'wake-ups/s' },
        { key: 'wakeMicros', heading: 'µs each', digits: 1 },
        { key: 'inputs', heading: 'long way/s' },
        { key: 'inputMicros', heading: 'µs each', digits: 1 },
        { key: 'packetMicros', heading: 'µs a packet the short way', digits: 2 },
        { key: 'core', heading: '% of a core', digits: 2 },
      ],
      rows,
      notes: [
        `The engine alone; what sockets and timers cost comes on top. The best of ${ROUNDS} rounds of ${ROUND_MS / SECOND} s.`,
      ],
    }
  }
}

function measured(active: number, idle: number, everyMs: number): Times {
  const hub = new Hub(active + idle)
  hub.talk(active, everyMs)
  hub.run(WARM_UP_MS)
  const rounds = Array.from({ length: ROUNDS }, () => {
    hub.forgetTimes()
    hub.run(ROUND_MS)
    return hub.times(ROUND_MS)
  })
  // What else the machine does only adds.
  return rounds.reduce((least, round) => (round.core < least.core ? round : least))
}

interface Times {
  /** Wake-ups a second, and what each takes in microseconds. */
  readonly wakes: number
  readonly wakeMicros: number
  /** Other inputs of the engine: what takes the long way. */
  readonly inputs: number
  readonly inputMicros: number
  /** What a packet takes that goes the short way. */
  readonly packetMicros: number
  /** Percent. */
  readonly core: number
}

interface Remote {
  readonly route: Route
  readonly keys: PairKeys
  readonly publicKey: ReturnType<typeof nodeKeys>['publicKey']
}

/** Time in milliseconds, and how often. */
interface Meter {
  ms: number
  count: number
}

/** A node with peers in other networks, which all have a path. */
class Hub {
  readonly #queue = new EventQueue(START, UNIX_START)
  readonly #random: Random = seededRandom(1)
  readonly #node: Node
  readonly #remotes: readonly Remote[]
  readonly #byAddress = new Map<string, Remote>()
  readonly #data = dataMessage()
  readonly #meters = { woken: meter(), input: meter(), packet: meter() }
  #wakeAt = Number.POSITIVE_INFINITY

  constructor(peers: number) {
    const keys = nodeKeys(this.#random.bytes(32))
    this.#node = new Node(
      {
        keys,
        identity: new Uint8Array(32),
        random: this.#random,
        loopback: { style: 'range', port: 51_822 },
        formerEndpoints: new Map(),
        role: 'client',
        sealing: recordSealing(keys, 'tunnelbore'),
        lastSequence: 0,
        punching: { perSecond: 10_000, sockets: 0 },
      },
      this.#queue.now,
    )
    this.#remotes = Array.from({ length: peers }, (_, index) => {
      const theirs = nodeKeys(this.#random.bytes(32))
      const pair = theirs.pairKeys(keys.publicKey)
      if (pair === undefined) throw new TypeError('a pair needs two nodes')
      const ip = `203.${index >> 8}.113.${index & 255}`
      return {
        route: { socket: SOCKET, remote: { ip, port: PORT } },
        keys: pair,
        publicKey: theirs.publicKey,
      }
    })
    for (const remote of this.#remotes) this.#byAddress.set(remote.route.remote.ip, remote)
    this.#tell({
      type: 'sockets-changed',
      sockets: [{ id: SOCKET, address: OWN, device: 'eth0', purpose: 'shared' }],
    })
    // Those who look records up have enough to do with that.
    this.#tell({
      type: 'mesh-changed',
      connected: false,
      multiaddrs: [],
      reflectors: REFLECTORS,
      relays: [],
      gossips: false,
    })
    this.#tell({
      type: 'interface-read',
      peers: this.#remotes.map(({ publicKey }) => ({
        publicKey,
        endpoint: undefined,
        isLinkLocal: false,
        latestHandshake: undefined,
      })),
    })
    for (const { route, keys: pair } of this.#remotes)
      this.#receive(route, encodeCheck(pair, this.#random.bytes(12), false, this.#queue.now.unix))
    this.run(SECOND)
  }

  /** The first `active` peers are asked something every `everyMs`, and answer. */
  talk(active: number, everyMs: number): void {
    for (const remote of this.#remotes.slice(0, active)) {
      const ask = () => {
        this.#queue.in(everyMs, ask)
        this.#sendData(remote)
        this.#queue.in(this.#latency(), () => this.#receiveData(remote))
      }
      this.#queue.in(randomBelow(this.#random, 1_000) * (everyMs / 1_000), ask)
    }
  }

  run(ms: number): void {
    this.#queue.run(ms)
  }

  forgetTimes(): void {
    for (const each of Object.values(this.#meters)) Object.assign(each, meter())
  }

  times(ms: number): Times {
    const { woken, input, packet } = this.#meters
    return {
      wakes: (woken.count * SECOND) / ms,
      wakeMicros: (woken.ms * 1_000) / woken.count,
      inputs: (input.count * SECOND) / ms,
      inputMicros: (input.ms * 1_000) / input.count,
      packetMicros: (packet.ms * 1_000) / packet.count,
      core: (100 * (woken.ms + input.ms + packet.ms)) / ms,
    }
  }

  #latency(): number {
    return LATENCY_MS + (randomBelow(this.#random, 1_024) * JITTER_MS) / 1_024
  }

  #sendData({ publicKey }: Remote): void {
    const { instant } = this.#queue
    const path = timed(this.#meters.packet, () =>
      this.#node.forwarding.outbound(publicKey, this.#data, instant),
    )
    if (path === undefined) this.#tell({ type: 'wireguard-sent', peer: publicKey, datagram: this.#data })
  }

  #receiveData({ route }: Remote): void {
    const { ip, port } = route.remote
    const { instant } = this.#queue
    const peer = timed(this.#meters.packet, () =>
      this.#node.forwarding.inbound(ip, port, this.#data, instant),
    )
    if (peer === undefined) this.#receive(route, this.#data)
  }

  #receive({ socket, remote }: Route, datagram: Uint8Array): void {
    this.#tell({ type: 'datagram-received', socket, remote, datagram })
  }

  #tell(input: Input): void {
    const { now } = this.#queue
    const kept = input.type === 'woken' ? this.#meters.woken : this.#meters.input
    const effects = timed(kept, () => this.#node.handle(input, now))
    for (const effect of effects) this.#perform(effect)
    this.#arm(this.#node.nextWake)
  }

  /** Peers answer checks, and reflectors say where we are. */
  #perform(effect: Effect): void {
    if (effect.type !== 'send' && effect.type !== 'send-unfragmented') return
    const remote = this.#byAddress.get(effect.remote.ip)
    const check = decodeStun(effect.datagram)
    if (isDropped(check) || check.messageClass !== 'request') return
    const { transactionId } = check
    const answer =
      remote === undefined
        ? encodeStun({ messageClass: 'success', method: BINDING, transactionId, mappedAddress: OWN })
        : encodeCheckAnswer(remote.keys, check, OWN, false)
    const { socket, remote: from } = effect
    this.#queue.in(this.#latency(), () => this.#receive({ socket, remote: from }, answer))
  }

  /** As the shell does it: a timer is only ever moved forward. */
  #arm(next: Instant | undefined): void {
    if (next === undefined || next >= this.#wakeAt) return
    this.#wakeAt = next
    const { instant } = this.#queue
    const wait = Math.max(MIN_TIMEOUT_MS, Math.ceil(elapsed(instant, next)))
    this.#queue.at(after(instant, wait), () => {
      if (this.#wakeAt !== next) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#tell({ type: 'woken' })
    })
  }
}

function meter(): Meter {
  return { ms: 0, count: 0 }
}

function timed<Result>(kept: Meter, once: () => Result): Result {
  const begun = performance.now()
  const result = once()
  kept.ms += performance.now() - begun
  kept.count += 1
  return result
}

function dataMessage(): Uint8Array {
  const data = new Uint8Array(PACKET)
  data[0] = 4
  return data
}
