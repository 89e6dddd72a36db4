/** A member relay in the middle of a small internet: the real engine of a node that serves, over ports of a place. */

import { SHARED_PORT } from '../../simulations/hosts/engineLoop.js'
import { MEMBERSHIP } from '../../simulations/hosts/membership.js'
import type { Datagram } from '../../simulations/network/datagram.js'
import type { Place } from '../../simulations/network/place.js'
import type { SocketAddress } from '../../src/base/address.js'
import { seededRandom } from '../../src/base/random.js'
import { elapsed, type Instant } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input, RelayOffer, RelaySessionId } from '../../src/engine/inputs.js'
import { Node } from '../../src/engine/node.js'
import { relayQuotas } from '../../src/engine/relay/quotas.js'
import { type TestNode, testNode } from './nodes.js'
import type { World } from './world.js'

const FIRST_PORT = 40_000

/** What a relay does that does not do what it should. */
export interface RelayFaults {
  /** True for a datagram that it does not pass on. */
  losesPassing?: boolean
  /** It is dead: nothing gets in or out. */
  isDead?: boolean
  /** It grants nothing. */
  isFull?: boolean
}

export class RelayNode {
  readonly faults: RelayFaults = {}
  readonly node: Node
  readonly address: SocketAddress
  /** Requests for sessions, and binds, that came in. */
  readonly counts = { grants: 0, binds: 0, passed: 0 }
  readonly #world: World
  readonly #place: Place
  readonly #identity: Uint8Array
  readonly #keys: TestNode
  readonly #ports = new Map<number, RelaySessionId>()
  readonly #portOf = new Map<RelaySessionId, number>()
  #lastPort = FIRST_PORT

  constructor(world: World, number: number, delayMs = 0) {
    this.#world = world
    this.#place = world.publicPlace(delayMs)
    this.#keys = testNode(number)
    this.#identity = new Uint8Array(32).fill(number)
    const ip = this.#place.ips[0] ?? ''
    this.address = { ip, port: SHARED_PORT }
    this.node = new Node(
      {
        keys: this.#keys.keys,
        identity: this.#identity,
        random: seededRandom(number),
        loopback: { style: 'range', port: 51_822 },
        formerEndpoints: new Map(),
        role: 'serves',
        sealing: this.#keys.sealing,
        lastSequence: 0,
        membership: MEMBERSHIP,
        relay: relayQuotas(),
      },
      world.queue.now,
    )
    this.#place.attach(`relay ${number}`, (datagram) => this.#received(datagram))
    this.#tell({
      type: 'sockets-changed',
      sockets: [{ id: 1, address: this.address, device: 'eth0', purpose: 'shared' }],
    })
  }

  /** How the mesh offers it. */
  offer(load = 0): RelayOffer {
    const { publicKey } = this.#keys.keys.relay
    return { identity: this.#identity, publicKey, addresses: [this.address], load }
  }

  get sessions(): number {
    return this.#ports.size
  }

  #received({ from, to, bytes }: Datagram): void {
    if (this.faults.isDead === true) return
    if (to.port === SHARED_PORT) {
      if (bytes[0] === 0x0a || (bytes[0] === 0x01 && bytes[1] !== 0x01 && bytes.length > 200))
        this.counts.grants += 1
      if (this.faults.isFull === true && bytes.length > 200) return
      this.#tell({ type: 'datagram-received', socket: 1, remote: from, datagram: bytes })
      return
    }
    const session = this.#ports.get(to.port)
    if (session === undefined) return
    const end = this.node.relayTable.passed(session, from.ip, from.port, bytes, this.#world.queue.now.instant)
    if (end === 'for-node') {
      this.counts.binds += 1
      this.#tell({ type: 'relay-datagram', session, local: to.ip, remote: from, datagram: bytes })
    } else if (end !== undefined && this.faults.losesPassing !== true) {
      this.counts.passed += 1
      this.#send({ ip: end.local, port: to.port }, end.remote, bytes)
    }
  }

  #tell(input: Input): void {
    for (const effect of this.node.handle(input, this.#world.queue.now)) this.#perform(effect)
    this.#sleep(this.node.nextWake)
  }

  #sleep(until: Instant | undefined): void {
    if (until === undefined) return
    this.#world.queue.in(Math.max(0, elapsed(this.#world.queue.now.instant, until)), () => {
      if (this.node.nextWake === until) this.#tell({ type: 'woken' })
    })
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'send':
        this.#send(this.address, effect.remote, effect.datagram)
        break
      case 'open-relay': {
        const port = this.#lastPort++
        this.#ports.set(port, effect.session)
        this.#portOf.set(effect.session, port)
        const addresses = effect.ips.map((ip) => ({ ip, port }))
        this.#tell({ type: 'relay-opened', session: effect.session, addresses })
        break
      }
      case 'close-relay':
        this.#ports.delete(this.#portOf.get(effect.session) ?? 0)
        this.#portOf.delete(effect.session)
        break
      case 'send-relay': {
        const port = this.#portOf.get(effect.session)
        if (port !== undefined) this.#send({ ip: effect.local, port }, effect.remote, effect.datagram)
      }
    }
  }

  #send(from: SocketAddress, to: SocketAddress, bytes: Uint8Array): void {
    this.#place.send({ from, to, bytes, author: 'relay' })
  }
}
