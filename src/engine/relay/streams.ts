/**
 * Streams to member relays, in place of UDP: where a network lets no UDP out, what is for a relay goes through a libp2p
 * stream to it (a socket of the purpose `stream`), and the relay sends it on over UDP, or through another such stream.
 *
 *   a path is wanted, and no reflector has answered for a while ─┐
 *   a relay was asked over UDP, and did not answer ──────────────┴─► a stream to it
 *   nothing uses it any more, as after UDP came back ──────────────► closed
 *
 * A stream costs a message on a connection that there is anyway, and nothing while nothing is sent.
 */

import { equals, toString as toText } from 'uint8arrays'
import { type Backoff, backoffMs } from '../../base/backoff.js'
import { after, earliest, type Instant, SECOND } from '../../base/time.js'
import type { Emit } from '../effects.js'
import type { LocalSocket, RelayOffer, SocketId } from '../inputs.js'

/** Streams at a time, for all peers: two relays, and peers that relay themselves. */
const MAX_STREAMS = 8
/** How many relays are reached so while nothing says that UDP works. */
const WANTED = 2
/** One that did not open, or that its relay ended at once, is tried again. */
const AGAIN_MS: Backoff = { first: 5 * SECOND, longest: 300 * SECOND }
/** What is heard of no more was lost. */
const LOST_MS = 10 * SECOND
/** How often it is looked whether the open ones are of use; one that is just open may be of use soon. */
const LOOK_MS = 15 * SECOND

type State =
  | { readonly name: 'opening'; readonly until: Instant }
  | { readonly name: 'open'; readonly socket: SocketId; readonly since: Instant }
  | { readonly name: 'failed'; readonly until: Instant }

interface Stream {
  readonly relay: Uint8Array
  state: State
  failures: number
}

export interface RelayStreamsParts {
  readonly emit: Emit
  /** What the mesh offers, the best first. */
  readonly offers: () => readonly RelayOffer[]
  /** True where UDP was tried, and nobody has answered for a while. */
  readonly isSilent: () => boolean
  /** True for a socket over which a peer is, or may soon be, reached. */
  readonly isUsed: (socket: SocketId, now: Instant) => boolean
}

export class RelayStreams {
  readonly #parts: RelayStreamsParts
  readonly #streams = new Map<string, Stream>()
  #lookAt: Instant | undefined = undefined

  constructor(parts: RelayStreamsParts) {
    this.#parts = parts
  }

  /** A path is wanted, to the peer of this libp2p identity, which may be a relay itself. */
  wanted(peer: Uint8Array | undefined, now: Instant): void {
    if (!this.#parts.isSilent()) return
    const offers = this.#parts.offers()
    const own = offers.filter(({ identity }) => peer !== undefined && equals(identity, peer))
    for (const offer of [...own, ...offers.slice(0, WANTED)]) this.#open(offer, now)
  }

  /** A relay was asked over UDP, and did not answer. */
  unanswered(offer: RelayOffer, now: Instant): void {
    this.#open(offer, now)
  }

  /** The streams that are open now. */
  socketsChanged(sockets: readonly LocalSocket[], now: Instant): void {
    for (const { relay, id } of sockets) {
      const stream = relay === undefined ? undefined : this.#streams.get(nameOf(relay.identity))
      if (stream === undefined || stream.state.name === 'open') continue
      stream.state = { name: 'open', socket: id, since: now }
    }
    for (const [name, stream] of this.#streams) {
      const { state } = stream
      if (state.name !== 'open' || sockets.some(({ id }) => id === state.socket)) continue
      // A node that does not relay takes a stream, and ends it a round trip later.
      if (now < after(state.since, LOOK_MS)) this.#hasFailed(stream, now)
      else this.#streams.delete(name)
    }
    this.#lookAt = sockets.length === 0 ? undefined : (this.#lookAt ?? after(now, LOOK_MS))
  }

  /** A stream could not be opened, or was refused. */
  failed(relay: Uint8Array, now: Instant): void {
    const stream = this.#streams.get(nameOf(relay))
    if (stream !== undefined) this.#hasFailed(stream, now)
  }

  /** Closes those of which nothing makes use. */
  wake(now: Instant): void {
    for (const [name, { state }] of this.#streams)
      if (state.name === 'opening' && now >= state.until) this.#streams.delete(name)
    if (this.#lookAt === undefined || now < this.#lookAt) return
    let open = 0
    for (const { state } of this.#streams.values()) {
      if (state.name !== 'open') continue
      open += 1
      if (now < after(state.since, LOOK_MS) || this.#parts.isUsed(state.socket, now)) continue
      this.#parts.emit({ type: 'close-socket', id: state.socket })
    }
    this.#lookAt = open === 0 ? undefined : after(now, LOOK_MS)
  }

  get nextWake(): Instant | undefined {
    let next = this.#lookAt
    for (const { state } of this.#streams.values())
      if (state.name === 'opening') next = earliest(next, state.until)
    return next
  }

  #open({ identity, addresses }: RelayOffer, now: Instant): void {
    const [first] = addresses
    const name = nameOf(identity)
    const known = this.#streams.get(name)
    const mayTry = known === undefined || (known.state.name === 'failed' && now >= known.state.until)
    if (!mayTry || first === undefined) return
    if (known === undefined && this.#streams.size >= MAX_STREAMS && !this.#makeRoom()) return
    const state = { name: 'opening', until: after(now, LOST_MS) } as const
    this.#streams.set(name, { relay: identity, state, failures: known?.failures ?? 0 })
    this.#parts.emit({ type: 'open-stream', relay: { identity, ip: first.ip } })
  }

  #hasFailed(stream: Stream, now: Instant): void {
    stream.state = { name: 'failed', until: after(now, backoffMs(AGAIN_MS, stream.failures)) }
    stream.failures += 1
  }

  /** Forgets one that failed; false where there is none. */
  #makeRoom(): boolean {
    for (const [name, { state }] of this.#streams)
      if (state.name === 'failed') return this.#streams.delete(name)
    return false
  }
}

function nameOf(identity: Uint8Array): string {
  return toText(identity, 'base64')
}
