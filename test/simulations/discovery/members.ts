/** A mesh with servers, and members that write down what they are told, at distances that a test chooses. */

import type { Member } from '../../../simulations/discovery/member.js'
import { Mesh, type MeshOptions } from '../../../simulations/discovery/mesh.js'
import { type RecordName, recordName } from '../../../simulations/discovery/recordNames.js'
import type { Server, ServerOptions } from '../../../simulations/discovery/server.js'
import { HostClock } from '../../../simulations/hosts/clock.js'
import { NETWORK } from '../../../simulations/hosts/machine.js'
import { EventQueue } from '../../../simulations/network/eventQueue.js'
import type { DropReason } from '../../../src/base/drops.js'
import type { PublicKey } from '../../../src/base/publicKey.js'
import { type Random, seededRandom } from '../../../src/base/random.js'
import { after, HOUR, SECOND, type UnixTime } from '../../../src/base/time.js'
import { type NodeKeys, nodeKeys } from '../../../src/crypto/nodeKeys.js'
import { recordSealing } from '../../../src/crypto/sealedRecord.js'
import { signRecord } from '../../../src/crypto/signedRecord.js'
import type { Input } from '../../../src/engine/inputs.js'
import { periodOf } from '../../../src/wire/period.js'

/** From every member to every server and back, unless a test says otherwise. */
export const ROUND_TRIP_MS = 100
const UNIX_START = 1_767_225_600_000

type Told<Type extends Input['type']> = Extract<Input, { readonly type: Type }>

export interface Heard {
  readonly atMs: number
  readonly input: Input
}

export class TestMember implements Member {
  readonly name: string
  readonly identity: Uint8Array
  readonly clock: HostClock
  readonly heard: Heard[] = []
  readonly drops: DropReason[] = []
  /** One-way delays to addresses other than the usual; undefined in it for no way. */
  readonly delays = new Map<string, number | undefined>()
  readonly peers = new Set<PublicKey>()
  ips: readonly string[]
  delayMs = ROUND_TRIP_MS / 2
  /** False where it has no way to anywhere. */
  isPlugged = true
  /** What becomes of a knock; `wait` for nothing at all. */
  onKnock: 'answer' | 'close' | 'wait' = 'answer'
  neighbours: readonly TestMember[] = []
  readonly #mesh: Mesh
  readonly #random: Random
  readonly #queue: EventQueue
  readonly #privateKey: Uint8Array
  #keys: NodeKeys | undefined = undefined

  constructor(name: string, ips: readonly string[], mesh: Mesh, queue: EventQueue, random: Random) {
    this.name = name
    this.ips = ips
    this.#mesh = mesh
    this.#queue = queue
    this.#random = random
    this.#privateKey = random.bytes(32)
    this.identity = random.bytes(32)
    this.clock = new HostClock(queue)
  }

  /** Made when it is needed first: many members never use theirs. */
  get keys(): NodeKeys {
    this.#keys ??= nodeKeys(this.#privateKey)
    return this.#keys
  }

  get publicKey(): PublicKey {
    return this.keys.publicKey
  }

  streamDelay(to: string): number | undefined {
    if (!this.isPlugged) return undefined
    return this.delays.has(to) ? this.delays.get(to) : this.delayMs
  }

  isPeer(author: PublicKey): boolean {
    return this.peers.has(author)
  }

  isNeighbour(other: Member): boolean {
    return this.neighbours.some((neighbour) => neighbour === other)
  }

  drop(reason: DropReason): void {
    this.drops.push(reason)
  }

  handle(input: Input): void {
    this.heard.push({ atMs: this.#queue.elapsed, input })
    if (input.type !== 'knock-received' || this.onKnock === 'wait') return
    this.#mesh.answerKnock(input.id, this.onKnock === 'answer' ? Uint8Array.of(1, ...input.knock) : undefined)
  }

  /** What it was told of one type, in order. */
  told<Type extends Input['type']>(type: Type): readonly Told<Type>[] {
    return this.heard.flatMap(({ input }) => (input.type === type ? [input as Told<Type>] : []))
  }

  /** When it was told this, in ms since the world began. */
  times(type: Input['type']): readonly number[] {
    return this.heard.flatMap(({ atMs, input }) => (input.type === type ? [atMs] : []))
  }

  get surroundings(): Told<'mesh-changed'> | undefined {
    return this.told('mesh-changed').at(-1)
  }

  get isOnline(): boolean {
    return this.surroundings?.connected === true
  }

  /** At how many relays it can be reached. */
  get circuits(): readonly string[] {
    return this.surroundings?.multiaddrs.filter((multiaddr) => multiaddr.includes('p2p-circuit')) ?? []
  }

  /** Under which its record of today lies. */
  get key(): Uint8Array {
    const key = recordSealing(this.keys, NETWORK).blindedKey(this.publicKey, periodOf(this.clock.unix))
    if (key === undefined) throw new Error(`${this.name} has no blinded key`)
    return key
  }

  /** The same as the mesh writes it. */
  get recordName(): RecordName {
    return recordName(this.key)
  }

  /** A record of its own, sealed for today. */
  record(sequence: number, issuedAt: UnixTime = this.clock.unix): Uint8Array {
    const signedRecord = signRecord(
      {
        publicKey: this.publicKey,
        sequence: issuedAt + sequence,
        issuedAt,
        expiresAt: after(issuedAt, 4 * HOUR),
        candidates: [],
        identity: this.identity,
        multiaddrs: this.surroundings?.multiaddrs ?? [],
        nat: { mapping: 'unknown', filtering: 'unknown' },
      },
      this.keys,
      this.#random,
    )
    const sealing = recordSealing(this.keys, NETWORK)
    return sealing.seal(signedRecord, periodOf(issuedAt), issuedAt + sequence, this.#random)
  }

  lookUp(peer: TestMember): void {
    this.#mesh.lookUp(this, peer.publicKey, [peer.key])
  }

  /** Publishes, and gossips where that is done. */
  publish(sealedRecord: Uint8Array): void {
    const { key } = this
    const period = periodOf(this.clock.unix)
    this.#mesh.publish(this, { type: 'publish', period, key, sealedRecord, sequence: 0, gossip: true })
  }

  /** A sealed one is passed on where it can be. */
  knock(
    peer: TestMember,
    multiaddrs: readonly string[] = peer.circuits,
    knock = Uint8Array.of(7),
    sealedKnock?: Uint8Array,
  ): void {
    const { publicKey, identity } = peer
    const sealed = sealedKnock === undefined ? {} : { sealedKnock }
    this.#mesh.knock(this, { type: 'knock', peer: publicKey, identity, multiaddrs, knock, ...sealed })
  }
}

export class TestWorld {
  readonly queue = new EventQueue(1_000, UNIX_START)
  readonly random: Random
  readonly mesh: Mesh
  readonly members: TestMember[] = []
  #lastServer = 0
  #lastHouse = 0

  constructor(options: Partial<MeshOptions> & { readonly servers?: number; readonly seed?: number } = {}) {
    const { servers = 2, seed = 1, ...rest } = options
    this.random = seededRandom(seed)
    this.mesh = new Mesh({ queue: this.queue, random: seededRandom(seed + 1), ...rest })
    for (let count = 0; count < servers; count++) this.server()
  }

  get servers(): readonly Server[] {
    return this.mesh.servers
  }

  server(options: Partial<ServerOptions> = {}): Server {
    this.#lastServer += 1
    const name = `server ${this.#lastServer}`
    return this.mesh.addServer({ name, ips: [`198.51.100.${this.#lastServer}`], ...options })
  }

  /** One behind a NAT of its own, by default. It is not in the mesh yet. */
  member(name: string, ips: readonly string[] = [`192.168.${++this.#lastHouse}.2`]): TestMember {
    const member = new TestMember(name, ips, this.mesh, this.queue, this.random)
    this.members.push(member)
    return member
  }

  /** These are in the mesh, and have all that there is to have. */
  settled(...names: readonly string[]): readonly TestMember[] {
    const members = names.map((name) => this.member(name))
    for (const member of members) this.mesh.join(member)
    this.queue.run(SECOND)
    return members
  }

  /** Runs until a member has been told something once more; returns how long that took, in ms. */
  until(member: TestMember, type: Input['type'], ms = 60 * SECOND): number {
    const before = member.times(type).length
    return this.untilTrue(() => member.times(type).length > before, ms, `${member.name} hears ${type}`)
  }

  untilTrue(condition: () => boolean, ms = 60 * SECOND, what = String(condition)): number {
    const began = this.queue.elapsed
    if (!this.queue.runUntil(condition, ms)) throw new Error(`not within ${ms} ms: ${what}`)
    return this.queue.elapsed - began
  }
}

/** The member at a place of a list. */
export function nth<Item>(items: readonly Item[], at: number): Item {
  const item = items[at]
  if (item === undefined) throw new Error(`there is no item ${at}`)
  return item
}
