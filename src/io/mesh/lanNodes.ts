/**
 * The nodes of our network on the LANs that this machine is in, found by mDNS ({@link ./lanMessages}).
 *
 * On each device the others are asked, at first often and then once a minute; whoever is asked answers, and all hear the
 * answer. A device tells its own addresses only. Of what is heard only addresses on that very link are kept: nobody on
 * a LAN can have us dial into another network.
 *
 * Whoever is on the LAN can say anything, so what is read, and who is remembered, is bounded. A full table lets the node
 * go that is not connected and was heard of first; those that are connected stay.
 */

import { randomBytes } from 'node:crypto'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DropReason } from '../../base/drops.js'
import { TokenBucket } from '../../base/rateLimit.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { codeOf } from '../../base/userError.js'
import { now } from '../systemClock.js'
import type { FoundNode } from './foundNodes.js'
import { encodeLanAnswer, encodeLanQuery, lanLabel, readLanMessage } from './lanMessages.js'
import { isOnLink, type LanInterface, LanSocket } from './lanSocket.js'
import { addressedIp, relayIdOf, withoutPeerId } from './multiaddrs.js'
import type { MeshLog } from './options.js'

/** How many nodes of the LAN are known at most. */
export const MAX_LAN_NODES = 32
/** A node that was not heard of in this time has gone, in ms. */
const FORGOTTEN_AFTER_MS = 3 * MINUTE
/** RFC 6762 section 5.2: the first queries a second apart, each further pause at least twice as long. */
const QUERY_PAUSES_MS = { first: SECOND, longest: MINUTE } as const
/** RFC 6762 section 6: an answer is not multicast again before a second is over, and waits 20 to 120 ms for others. */
const ANSWER_PAUSE_MS = SECOND
const ANSWER_DELAY_MS = { least: 20, range: 100 } as const
/** How often the devices are looked at, besides when the network is known to have changed. */
const LOOK_MS = 10 * SECOND
/** Messages under our network's name that are read on one device, in a second and at once. */
const READ = { perSecond: 30, burst: 120 } as const
/** Nodes that become known, in a second and at once. */
const LEARNED = { perSecond: 2, burst: MAX_LAN_NODES } as const

export interface LanOptions {
  readonly network: string
  readonly networkKey: Uint8Array | undefined
  /** Our own peer id. */
  readonly self: string
  /** The UDP port of mDNS. */
  readonly port: number
  /** The devices to use, now. */
  readonly interfaces: () => readonly LanInterface[]
  /** Where we listen, now. */
  readonly ownAddresses: () => readonly Multiaddr[]
  readonly isConnected: (id: string) => boolean
  /** A node was found, or has moved. */
  readonly onFound: (id: string) => void
  readonly onDrop: (reason: DropReason) => void
  readonly log: MeshLog
}

interface Heard extends FoundNode {
  readonly heardAt: number
}

interface Link {
  readonly socket: LanSocket
  readonly reading: TokenBucket
  answerAt: number
  answering: NodeJS.Timeout | undefined
}

export class LanNodes {
  readonly #options: LanOptions
  readonly #label: string
  readonly #instance = randomBytes(8).toString('hex')
  readonly #nodes = new Map<string, Heard>()
  readonly #links = new Map<string, Link>()
  readonly #learning = new TokenBucket(LEARNED.perSecond, LEARNED.burst, now().instant)
  /** What of the trouble was said: a machine without multicast has the same at each look. */
  readonly #said = new Set<string>()
  #queries = 0
  #queryTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined

  constructor(options: LanOptions) {
    this.#options = options
    this.#label = lanLabel(options.network, options.networkKey)
  }

  start(): void {
    this.#look()
    this.#lookTimer = setInterval(() => this.#look(), LOOK_MS)
  }

  stop(): void {
    clearInterval(this.#lookTimer)
    clearTimeout(this.#queryTimer)
    for (const link of this.#links.values()) close(link)
    this.#links.clear()
  }

  /** A device may have been replaced by another one under the same address, so all sockets are made anew. */
  networkChanged(): void {
    if (this.#lookTimer === undefined) return
    for (const link of this.#links.values()) close(link)
    this.#links.clear()
    this.#look()
  }

  /** Those that were heard of lately. */
  get nodes(): readonly FoundNode[] {
    const oldest = performance.now() - FORGOTTEN_AFTER_MS
    for (const [id, { heardAt }] of this.#nodes) if (heardAt < oldest) this.#nodes.delete(id)
    return [...this.#nodes.values()]
  }

  /** Opens a socket on each new device and closes those of devices that are gone. */
  #look(): void {
    const interfaces = new Map(this.#options.interfaces().map((on) => [JSON.stringify(on), on]))
    for (const [key, link] of this.#links) {
      if (interfaces.has(key)) continue
      close(link)
      this.#links.delete(key)
    }
    for (const [key, on] of interfaces) if (!this.#links.has(key)) this.#open(key, on)
  }

  #open(key: string, on: LanInterface): void {
    const socket = new LanSocket(on, this.#options.port, {
      onMessage: (bytes) => this.#read(link, bytes),
      onReady: () => {
        this.#queries = 0
        this.#query()
      },
      onTrouble: (error) => {
        if (this.#links.get(key) === link) this.#links.delete(key)
        this.#tellOfTrouble(on.device, error)
      },
    })
    const reading = new TokenBucket(READ.perSecond, READ.burst, now().instant)
    const link: Link = { socket, reading, answerAt: Number.NEGATIVE_INFINITY, answering: undefined }
    this.#links.set(key, link)
  }

  #tellOfTrouble(device: string, error: Error): void {
    const said = `${device} ${codeOf(error) ?? error.message}`
    if (this.#said.has(said)) return
    this.#said.add(said)
    this.#options.log.info({ device, cause: error.message }, 'nodes on this LAN are not looked for')
  }

  #query(): void {
    clearTimeout(this.#queryTimer)
    const query = encodeLanQuery(this.#label)
    for (const { socket } of this.#links.values()) socket.send(query)
    const pause = Math.min(QUERY_PAUSES_MS.longest, QUERY_PAUSES_MS.first * 2 ** this.#queries)
    this.#queries += 1
    this.#queryTimer = setTimeout(() => this.#query(), pause)
  }

  #read(link: Link, bytes: Uint8Array): void {
    // Most of what mDNS carries is for others; a name stands in full where it stands first.
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(this.#label)) return
    const { self, onDrop } = this.#options
    if (!link.reading.take(now().instant)) {
      onDrop('lan-rate-limited')
      return
    }
    const message = readLanMessage(bytes, this.#label)
    if (message === 'foreign') return
    if (message === 'query') {
      this.#answerSoon(link)
      return
    }
    if (message !== 'malformed' && message.id === self) return
    const told = message === 'malformed' ? [] : message.addresses
    const addresses = told.filter((address) => isOnLink(link.socket.on, ipIn(address)))
    if (message === 'malformed' || addresses.length === 0) {
      onDrop('lan-malformed')
      return
    }
    this.#learn(message.id, addresses)
  }

  #learn(id: string, addresses: readonly string[]): void {
    const former = this.#nodes.get(id)
    if (former === undefined) {
      if (!this.#learning.take(now().instant) || !this.#makeRoom()) {
        this.#options.onDrop('lan-rate-limited')
        return
      }
      this.#options.log.debug({ id, addresses }, 'found a node on the LAN')
    }
    this.#nodes.set(id, { id, addresses, heardAt: performance.now() })
    if (former === undefined || former.addresses.join() !== addresses.join()) this.#options.onFound(id)
  }

  #makeRoom(): boolean {
    if (this.nodes.length < MAX_LAN_NODES) return true
    const evicted = [...this.#nodes.keys()].find((id) => !this.#options.isConnected(id))
    return evicted !== undefined && this.#nodes.delete(evicted)
  }

  #answerSoon(link: Link): void {
    if (link.answering !== undefined || performance.now() < link.answerAt) return
    const delay = ANSWER_DELAY_MS.least + ANSWER_DELAY_MS.range * Math.random()
    link.answering = setTimeout(() => {
      link.answering = undefined
      link.answerAt = performance.now() + ANSWER_PAUSE_MS
      const addresses = this.#options
        .ownAddresses()
        .filter((address) => relayIdOf(address) === undefined)
        .filter((address) => link.socket.on.ips.includes(addressedIp(address) ?? ''))
        .map(withoutPeerId)
      if (addresses.length === 0) return
      link.socket.send(encodeLanAnswer(this.#label, this.#instance, { id: this.#options.self, addresses }))
    }, delay)
  }
}

function close({ socket, answering }: Link): void {
  clearTimeout(answering)
  socket.close()
}

/** The IP address in `/ip4/1.2.3.4/tcp/5`. */
function ipIn(address: string): string {
  return address.split('/')[2] ?? ''
}
