/** A machine of the modelled fleet: it comes and goes, and keeps its place in the DHT, and its disk, when it is away. */

import { SortedIds } from './sortedIds.js'

/** A connection, seen from one of its ends. */
export interface Link {
  readonly since: number
  /** True at the end that dialled. */
  readonly dialled: boolean
  /** Until when it is of use. */
  usedUntil: number
}

/** A record: what a machine says of itself, as far as it matters here. */
export interface Announcement {
  /** Rises with each change of what is said. */
  readonly version: number
  readonly issuedAt: number
  /** Where it holds reservations. */
  readonly relays: readonly Machine[]
}

/** How a machine's gateway maps what it sends; decides whether two of them come to a direct path. */
export type Access = 'open' | 'punchable' | 'symmetric' | 'no-udp'

/** Traffic at one machine since it was last looked at. */
export interface Load {
  /** Requests of the DHT, sent and received. */
  requests: number
  /** Bytes within TCP connections. */
  sent: number
  received: number
  /** Connections that were opened. */
  dials: number
}

export const noLoad = (): Load => ({ requests: 0, sent: 0, received: 0, dials: 0 })

export class Machine {
  readonly index: number
  /** Its place in the DHT. */
  readonly id: number
  readonly access: Access
  readonly isBootstrap: boolean
  /** Where a partition puts it. */
  readonly side: 0 | 1
  /** Its WireGuard peers. */
  peers: readonly Machine[] = []

  isOnline = false
  /** It will never come back. */
  isGone = false
  onlineSince = Number.NEGATIVE_INFINITY
  offlineSince = Number.NEGATIVE_INFINITY
  /** Whether its connections stayed open at the other ends when it left. */
  leftSilently = false
  /** Counts its sessions, so that what was planned in one does not happen in the next. */
  session = 0

  /** The routing table, by places. */
  readonly table = new SortedIds()
  readonly #links = new Map<Machine, Link>()
  /** The places of those at the other ends that serve. */
  readonly linkedServers = new SortedIds()
  /** When its connections were last gone through. */
  tidiedAt = Number.NEGATIVE_INFINITY
  /** When a machine could not be reached. */
  readonly failedAt = new Map<Machine, number>()
  /** Servers from earlier sessions, on disk, by places. */
  remembered: readonly number[] = []
  /** Records stored for others, by author, on disk. */
  readonly stored = new Map<Machine, Announcement>()

  /** What it says of itself at present. */
  announcement: Announcement | undefined
  /** The newest record of each peer that it knows, on disk. */
  readonly directory = new Map<Machine, Announcement>()
  relays: readonly Machine[] = []
  /** Who holds a reservation here. */
  readonly reserved = new Set<Machine>()
  load: Load = noLoad()

  constructor(index: number, id: number, access: Access, isBootstrap: boolean, side: 0 | 1) {
    this.index = index
    this.id = id
    this.access = access
    this.isBootstrap = isBootstrap
    this.side = side
  }

  /** Its connections, as far as it knows: the other end of one may be gone. */
  get links(): ReadonlyMap<Machine, Link> {
    return this.#links
  }

  link(other: Machine, link: Link): void {
    this.#links.set(other, link)
    if (other.serves) this.linkedServers.add(other.id)
  }

  unlink(other: Machine): void {
    if (this.#links.delete(other) && other.serves) this.linkedServers.remove(other.id)
  }

  unlinkAll(): void {
    this.#links.clear()
    this.linkedServers.clear()
  }

  /** Who is open to others serves the mesh. */
  get serves(): boolean {
    return this.access === 'open'
  }
}
