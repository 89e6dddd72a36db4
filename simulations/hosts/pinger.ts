/** The application on a host: it pings others through the tunnel, and answers their pings. */

import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import { readUint32, writeUint32 } from '../../src/wire/integers.js'

/** In milliseconds since the world began. */
export interface Ping {
  readonly peer: PublicKey
  readonly sentAt: number
  answeredAt: number | undefined
}

interface OpenPing extends Ping {
  readonly onAnswer: (ping: Ping) => void
}

/** An answer later than this is an answer to nothing. WireGuard keeps a packet for up to 100 s until there is a session. */
const PATIENCE_MS = 120 * SECOND

/** Types of ICMP echo messages (RFC 792). */
const REQUEST = 8
const REPLY = 0

/** As long as an echo of `ping` with nothing in it, padded. */
const LENGTH = 32
const ID_AT = 4

export interface PingerOptions {
  /** What time it is, in milliseconds since the world began. */
  readonly elapsed: () => number
  readonly send: (peer: PublicKey, packet: Uint8Array) => void
}

export class Pinger {
  /** Every ping that was sent, if a test wants it. */
  history: Ping[] | undefined = undefined
  readonly #options: PingerOptions
  /** By their number, the oldest first. */
  readonly #open = new Map<number, OpenPing>()
  #sent = 0

  constructor(options: PingerOptions) {
    this.#options = options
  }

  /** How many may still be answered. */
  get openCount(): number {
    return this.#open.size
  }

  /** `onAnswer` is told when the answer comes. */
  ping(peer: PublicKey, onAnswer: (ping: Ping) => void = ignore): Ping {
    const ping: OpenPing = { peer, sentAt: this.#options.elapsed(), answeredAt: undefined, onAnswer }
    this.#forgetOverdue(ping.sentAt)
    const id = this.#sent
    this.#sent = (this.#sent + 1) >>> 0
    this.#open.set(id, ping)
    this.history?.push(ping)
    this.#options.send(peer, echo(REQUEST, id))
    return ping
  }

  /** A packet came out of the tunnel. */
  received(peer: PublicKey, packet: Uint8Array): void {
    const id = readUint32(packet, ID_AT)
    if (packet[0] === REQUEST) {
      this.#options.send(peer, echo(REPLY, id))
      return
    }
    const ping = this.#open.get(id)
    if (ping === undefined || ping.peer !== peer) return
    this.#open.delete(id)
    ping.answeredAt = this.#options.elapsed()
    ping.onAnswer(ping)
  }

  #forgetOverdue(now: number): void {
    for (const [id, { sentAt }] of this.#open) {
      if (now - sentAt < PATIENCE_MS) return
      this.#open.delete(id)
    }
  }
}

function ignore(): void {
  // Whoever asked looks at the ping himself.
}

function echo(type: number, id: number): Uint8Array {
  const packet = new Uint8Array(LENGTH)
  packet[0] = type
  writeUint32(packet, ID_AT, id)
  return packet
}
