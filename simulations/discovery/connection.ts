/**
 * A libp2p connection over TCP, from when it is open. TCP loses nothing and keeps the order: what goes wrong costs time.
 *
 *   no way, or a kernel that sleeps   retransmitted after 0.2 s, twice as long each time (RFC 6298 section 5.5)
 *   the other end is closed           reset, one way back
 *   the source address is gone        never arrives, and no reset comes back: the socket stays open until a ping fails
 *   a NAT forgot the connection       what leaves gets a new mapping and is reset by the other side (RFC 5382 section 5);
 *                                     what comes from outside vanishes
 *   the other process is stopped      its kernel takes it; it is read when the process goes on
 */

import { after, type Instant, later, SECOND } from '../../src/base/time.js'
import type { Channel, Party } from './channel.js'
import { type Health, Monitor } from './monitor.js'
import type { Setting } from './setting.js'

/** Linux: TCP_RTO_MIN and TCP_RTO_MAX. */
const FIRST_RETRANSMISSION_MS = 200
const LONGEST_RETRANSMISSION_MS = 120 * SECOND

/** Who dials knows the way, in both directions. */
export interface Dialler extends Party {
  wayTo(ip: string): number | undefined
}

/** A party as its connections see it. */
export interface Owner {
  /** A connection of its own is closed at its end. */
  closed(connection: Connection): void
}

export interface ConnectionOptions {
  readonly setting: Setting
  readonly dialler: Dialler & Owner
  readonly acceptor: Party & Owner
  /** Where the acceptor was dialled. */
  readonly ip: string
  /** From where; undefined where that is not known. */
  readonly source: string | undefined
}

interface End {
  readonly party: Party & Owner
  readonly monitor: Monitor
  readonly onClosed: Set<() => void>
  isOpen: boolean
  /** When the last segment to this end arrives: none overtakes it. */
  lastArrival: Instant
}

export class Connection implements Channel {
  readonly isDirect = true
  readonly ip: string
  readonly source: string | undefined
  /** Called when something is or may be wrong with it. */
  readonly onSuspected = new Set<() => void>()
  readonly #setting: Setting
  readonly #dialler: Dialler
  readonly #dialled: End
  readonly #accepted: End
  /** Set once packets cannot pass any more, though both ends may be open. */
  #broken: 'source-gone' | 'mapping-gone' | undefined

  constructor({ setting, dialler, acceptor, ip, source }: ConnectionOptions) {
    this.ip = ip
    this.source = source
    this.#setting = setting
    this.#dialler = dialler
    this.#dialled = this.#newEnd(dialler)
    this.#accepted = this.#newEnd(acceptor)
  }

  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  /** The address of the end of `party`, if it is known. */
  ipOf(party: Party): string | undefined {
    return this.#dialled.party === party ? this.source : this.ip
  }

  isDialledBy(party: Party): boolean {
    return this.#dialled.party === party
  }

  other(party: Party): Party & Owner {
    return this.#opposite(this.#end(party)).party
  }

  isOpenAt(party: Party): boolean {
    return this.#end(party).isOpen
  }

  send(from: Party, bytes: number, deliver: () => void): void {
    const end = this.#end(from)
    if (!end.isOpen) return
    this.#setting.counts.bytes += bytes
    this.#transmit(end, deliver, FIRST_RETRANSMISSION_MS)
  }

  onClosedAt(party: Party, action: () => void): () => void {
    const { onClosed } = this.#end(party)
    onClosed.add(action)
    return () => onClosed.delete(action)
  }

  close(by: Party): void {
    const end = this.#end(by)
    if (!end.isOpen) return
    this.#shut(end)
    this.#tell(this.#opposite(end))
  }

  /** The machine of `of` is without power: its end is gone, and nobody is told. */
  vanish(of: Party): void {
    this.#shut(this.#end(of))
    this.suspect()
  }

  /** Packets pass no more, and neither end is told. */
  breakOff(why: 'source-gone' | 'mapping-gone'): void {
    this.#broken ??= why
    this.suspect()
  }

  /** Something is or may be wrong: the monitors of both ends look at it when their next pings are due. */
  suspect(): void {
    this.#dialled.monitor.suspect()
    this.#accepted.monitor.suspect()
    for (const action of this.onSuspected) action()
  }

  /** What would become of a ping of `party` now. */
  health(party: Party): Health {
    const end = this.#end(party)
    const other = this.#opposite(end)
    if (this.#broken === 'mapping-gone' && end === this.#dialled && this.#way() !== undefined) return 'reset'
    if (this.#broken !== undefined || !other.party.isPowered || this.#way() === undefined) return 'silent'
    if (!other.isOpen) return 'reset'
    return other.party.isAnswering ? 'sound' : 'silent'
  }

  /** Whether the kernel at the other end gets what `party` sends. */
  arrives(party: Party): boolean {
    const { party: other } = this.#opposite(this.#end(party))
    return this.#broken === undefined && other.isPowered && this.#way() !== undefined
  }

  roundTripMs(): number {
    return 2 * (this.#way() ?? 0)
  }

  #way(): number | undefined {
    return this.#dialler.wayTo(this.ip)
  }

  #transmit(end: End, deliver: () => void, retransmitMs: number): void {
    const { queue } = this.#setting
    const other = this.#opposite(end)
    const delay = this.#way()
    if (this.#broken !== undefined) {
      this.suspect()
      if (this.#broken === 'mapping-gone' && end === this.#dialled && delay !== undefined)
        queue.in(2 * delay, () => this.#shut(end))
      return
    }
    if (delay === undefined || !other.party.isPowered) {
      this.suspect()
      this.#retransmit(end, deliver, retransmitMs)
      return
    }
    other.lastArrival = later(other.lastArrival, after(queue.now.instant, delay))
    queue.at(other.lastArrival, () => {
      if (this.#broken !== undefined) this.suspect()
      else if (!other.party.isPowered) this.#retransmit(end, deliver, retransmitMs)
      else if (!other.isOpen) this.#tell(end)
      else
        other.party.read(() => {
          if (other.isOpen) deliver()
        })
    })
  }

  #retransmit(end: End, deliver: () => void, ms: number): void {
    this.#setting.queue.in(ms, () => {
      if (end.isOpen) this.#transmit(end, deliver, Math.min(2 * ms, LONGEST_RETRANSMISSION_MS))
    })
  }

  /** Closes an end of which the other side has gone, as soon as that is heard there. */
  #tell(end: End): void {
    const delay = this.#broken === undefined && end.party.isPowered ? this.#way() : undefined
    if (delay === undefined) {
      end.monitor.suspect()
      return
    }
    this.#setting.queue.in(delay, () => {
      if (this.#broken !== undefined || !end.party.isPowered) end.monitor.suspect()
      else end.party.read(() => this.#shut(end))
    })
  }

  #shut(end: End): void {
    if (!end.isOpen) return
    end.isOpen = false
    const actions = [...end.onClosed]
    end.onClosed.clear()
    for (const action of actions) action()
    end.party.closed(this)
  }

  #newEnd(party: Party & Owner): End {
    const connection = this
    return {
      party,
      isOpen: true,
      onClosed: new Set(),
      lastArrival: this.#setting.queue.now.instant,
      monitor: new Monitor(party, {
        get isOpen() {
          return connection.isOpenAt(party)
        },
        get health() {
          return connection.health(party)
        },
        get arrives() {
          return connection.arrives(party)
        },
        roundTripMs: () => connection.roundTripMs(),
        abort: () => connection.close(party),
      }),
    }
  }

  #end(party: Party): End {
    return this.#dialled.party === party ? this.#dialled : this.#accepted
  }

  #opposite(end: End): End {
    return end === this.#dialled ? this.#accepted : this.#dialled
  }
}
