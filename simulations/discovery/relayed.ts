/**
 * A connection through a relay (circuit-relay-v2): a stream over each of two connections, joined at the server.
 *
 *     member ══ leg ══ server ══ leg ══ member
 *
 * It ends when a leg closes, after 15 min, or when it has carried 128 KiB one way (src/io/mesh/node.ts). Each member
 * pings the other through it, too.
 */

import { MINUTE } from '../../src/base/time.js'
import type { Channel, Party } from './channel.js'
import type { Connection } from './connection.js'
import { type Health, Monitor } from './monitor.js'

/** `defaultDurationLimit`, in ms. */
export const LONGEST_MS = 15 * MINUTE
/** libp2p's `defaultDataLimit`, in bytes. */
export const MOST_BYTES = 131_072

interface End {
  readonly party: Party
  readonly leg: Connection
  readonly monitor: Monitor
  readonly onClosed: Set<() => void>
  /** Call off what the leg is to call, for this end and for the server. */
  forget: (() => void)[]
  forgetAtServer: () => void
  isOpen: boolean
  sent: number
}

export class Relayed implements Channel {
  readonly isDirect = false
  readonly server: Party
  readonly #ends: readonly [End, End]
  /** False once the server has let go of the streams. */
  #joined = true

  /** `one` and `two` are the ends of `legs` that are not the server's. */
  constructor(server: Party, legs: readonly [Connection, Connection]) {
    this.server = server
    this.#ends = [this.#newEnd(legs[0]), this.#newEnd(legs[1])]
    for (const end of this.#ends) this.#watch(end)
    server.in(LONGEST_MS, () => this.#part())
  }

  other(party: Party): Party {
    return this.#opposite(this.#end(party)).party
  }

  isOpenAt(party: Party): boolean {
    return this.#end(party).isOpen
  }

  onClosedAt(party: Party, action: () => void): () => void {
    const { onClosed } = this.#end(party)
    onClosed.add(action)
    return () => onClosed.delete(action)
  }

  send(from: Party, bytes: number, deliver: () => void): void {
    const end = this.#end(from)
    const other = this.#opposite(end)
    if (!end.isOpen) return
    end.leg.send(from, bytes, () => {
      if (!this.#joined) return
      end.sent += bytes
      if (end.sent > MOST_BYTES) this.#part()
      else
        other.leg.send(this.server, bytes, () => {
          if (other.isOpen) deliver()
        })
    })
  }

  close(by: Party): void {
    const end = this.#end(by)
    if (!end.isOpen) return
    this.#shut(end)
    end.leg.send(by, 0, () => this.#part())
  }

  /** What would become of a ping of `party` now. */
  #health(end: End): Health {
    const other = this.#opposite(end)
    if (end.leg.health(end.party) !== 'sound') return 'silent'
    if (!this.#joined) return 'reset'
    if (other.leg.health(this.server) !== 'sound') return 'silent'
    return other.isOpen ? 'sound' : 'reset'
  }

  /** The server closes what it still holds of the two streams. */
  #part(): void {
    if (!this.#joined) return
    this.#joined = false
    for (const end of this.#ends) {
      end.forgetAtServer()
      end.leg.send(this.server, 0, () => this.#shut(end))
    }
  }

  #shut(end: End): void {
    if (!end.isOpen) return
    end.isOpen = false
    for (const forget of end.forget.splice(0)) forget()
    const actions = [...end.onClosed]
    end.onClosed.clear()
    for (const action of actions) action()
  }

  #watch(end: End): void {
    const suspect = () => {
      for (const { monitor } of this.#ends) monitor.suspect()
    }
    end.leg.onSuspected.add(suspect)
    end.forget = [
      end.leg.onClosedAt(end.party, () => this.#shut(end)),
      () => end.leg.onSuspected.delete(suspect),
    ]
    end.forgetAtServer = end.leg.onClosedAt(this.server, () => this.#part())
  }

  #newEnd(leg: Connection): End {
    const party = leg.other(this.server)
    const relayed = this
    const end: End = {
      party,
      leg,
      isOpen: true,
      sent: 0,
      onClosed: new Set(),
      forget: [],
      forgetAtServer: () => undefined,
      monitor: new Monitor(party, {
        get isOpen() {
          return end.isOpen
        },
        get health() {
          return relayed.#health(end)
        },
        get arrives() {
          return end.leg.arrives(party) && relayed.#opposite(end).leg.arrives(relayed.server)
        },
        roundTripMs: () => end.leg.roundTripMs() + relayed.#opposite(end).leg.roundTripMs(),
        abort: () => relayed.close(party),
      }),
    }
    return end
  }

  #end(party: Party): End {
    return this.#ends[0].party === party ? this.#ends[0] : this.#ends[1]
  }

  #opposite(end: End): End {
    return this.#ends[0] === end ? this.#ends[1] : this.#ends[0]
  }
}
