/**
 * WireGuard's handshakes with one peer, as far as they can be seen from outside.
 *
 *   ours:    first message (our index) ──►            ◄── second message (peer's index)
 *            data to the peer's index says that WireGuard took the second message
 *   theirs:  ◄── first message (peer's index)   second message (our index) ──►
 *            data to the peer's index says that WireGuard heard data under the new session
 *
 * Either way, the first data that WireGuard sends *to the index of the handshake's other side* says that the handshake
 * was completed with whoever holds the peer's private key. That proves the way over which it went, also for a peer
 * that never answers a check. (A forged second message, or a first message captured and raced, never gets so far.)
 *
 * Newer replaces older: at most one handshake in each direction is followed.
 */

import { equals } from 'uint8arrays'
import { elapsed, type Instant } from '../../base/time.js'
import { MAC_LENGTH, receiverIndex, senderIndex } from '../../wire/wireguard.js'
import { type Route, sameRoute } from '../path/path.js'

/** WireGuard repeats a first message after REKEY_TIMEOUT, 5 s, and up to a third of a second (whitepaper section 6.4). */
const FIRST_MESSAGE_MS = 5_500

/** WireGuard keeps three sessions with a peer: the previous, the current and the next one (whitepaper section 6.3). */
const MAX_SESSIONS = 4

/** From how many addresses copies of one handshake message are taken; a racer can occupy no more. */
const MAX_SOURCES = 4

export interface SentFirstMessage {
  readonly at: Instant
  readonly over: Route
  /** True where a check has shown that the peer is at the other end. */
  readonly proved: boolean
  /** True where it goes again as soon as the path answers: it may have been lost. A copy does no harm. */
  readonly doubtful: boolean
}

/** A handshake that our WireGuard began. */
export interface OwnHandshake {
  readonly firstMessage: Uint8Array
  readonly ourIndex: number
  readonly madeAt: Instant
  /** When and where the first message was last sent; undefined while it is held. */
  sent: SentFirstMessage | undefined
  /** True when it came to nothing, or is not to be sent any more: answered, or the peer's own was taken instead. */
  settled: boolean
  /** Second messages that came from addresses which no proof covers yet. */
  readonly answers: { readonly from: Route; readonly peerIndex: number }[]
}

/** A handshake that the peer's WireGuard began. */
export interface PeerHandshake {
  readonly firstMessage: Uint8Array
  readonly peerIndex: number
  /** Where the first message came from. */
  readonly sources: Route[]
  /** Our WireGuard's second message, and its index. */
  answer: { readonly message: Uint8Array; readonly ourIndex: number } | undefined
  /** The source that first used the session. */
  usedFrom: Route | undefined
}

export class Handshakes {
  own: OwnHandshake | undefined = undefined
  peer: PeerHandshake | undefined = undefined
  /** The peer's indices of the latest handshakes: of sessions that WireGuard may be using. */
  readonly #sessions: number[] = []

  /** Our WireGuard made a first message. */
  begin(firstMessage: Uint8Array, now: Instant): OwnHandshake {
    this.own = {
      firstMessage: firstMessage.slice(),
      ourIndex: senderIndex(firstMessage),
      madeAt: now,
      sent: undefined,
      settled: false,
      answers: [],
    }
    return this.own
  }

  /** The first message that waits for a path, or was sent and never answered. */
  get unanswered(): OwnHandshake | undefined {
    return this.own !== undefined && !this.own.settled ? this.own : undefined
  }

  /**
   * Forgets a first message that WireGuard would have replaced by now if it still wanted an answer. To send it later
   * would end a handshake that the peer has begun meanwhile.
   */
  expire(now: Instant): void {
    if (this.own !== undefined && elapsed(this.own.madeAt, now) > FIRST_MESSAGE_MS) this.own.settled = true
  }

  /** A second message came over a path. True where it answers our first message, which is settled then. */
  settle(secondMessage: Uint8Array): boolean {
    if (this.own?.ourIndex !== receiverIndex(secondMessage)) return false
    this.own.settled = true
    this.own.answers.length = 0
    this.#remember(senderIndex(secondMessage))
    return true
  }

  /** A second message came from an address that no proof covers; false where it answers nothing of ours. */
  answered(secondMessage: Uint8Array, from: Route): boolean {
    const own = this.own
    if (own?.sent === undefined || own.settled || own.ourIndex !== receiverIndex(secondMessage)) return false
    if (own.answers.length >= MAX_SOURCES) return false
    // Forged: WireGuard's data to a session that it has already would seem to prove the address.
    if (this.#sessions.includes(senderIndex(secondMessage))) return false
    own.answers.push({ from, peerIndex: senderIndex(secondMessage) })
    return true
  }

  /**
   * The peer's WireGuard began. A copy of the message already followed only adds where it came from.
   * Returns what is to be done with it: a new one goes to WireGuard; a copy gets the answer that was already given.
   */
  peerBegan(firstMessage: Uint8Array, from: Route): { readonly copy: boolean; readonly answer?: Uint8Array } {
    const peer = this.peer
    if (peer !== undefined && equals(withoutMac2(peer.firstMessage), withoutMac2(firstMessage))) {
      const known = peer.sources.some((source) => sameRoute(source, from))
      if (known || peer.sources.length >= MAX_SOURCES) return { copy: true }
      peer.sources.push(from)
      return peer.answer === undefined ? { copy: true } : { copy: true, answer: peer.answer.message }
    }
    this.peer = {
      firstMessage: firstMessage.slice(),
      peerIndex: senderIndex(firstMessage),
      sources: [from],
      answer: undefined,
      usedFrom: undefined,
    }
    this.#remember(this.peer.peerIndex)
    return { copy: false }
  }

  /** Our WireGuard made a second message. Returns where it goes; undefined where it answers nothing that we saw. */
  answer(secondMessage: Uint8Array): readonly Route[] | undefined {
    const peer = this.peer
    if (peer === undefined || receiverIndex(secondMessage) !== peer.peerIndex) return undefined
    peer.answer = { message: secondMessage.slice(), ourIndex: senderIndex(secondMessage) }
    return peer.sources
  }

  /** Data came from an address that no proof covers; false where it belongs to no handshake that began there. */
  used(data: Uint8Array, from: Route): boolean {
    const peer = this.peer
    if (peer?.answer === undefined || receiverIndex(data) !== peer.answer.ourIndex) return false
    if (!peer.sources.some((source) => sameRoute(source, from))) return false
    peer.usedFrom ??= from
    return true
  }

  /** Our WireGuard sends data. Returns the way that this proves, once. */
  confirmed(data: Uint8Array): Route | undefined {
    const index = receiverIndex(data)
    const own = this.own
    const answer = own?.answers.find((candidate) => candidate.peerIndex === index)
    if (own !== undefined && answer !== undefined) {
      own.settled = true
      own.answers.length = 0
      this.#remember(index)
      return answer.from
    }
    const peer = this.peer
    if (peer?.usedFrom !== undefined && peer.peerIndex === index) {
      const from = peer.usedFrom
      this.peer = undefined
      return from
    }
    return undefined
  }

  #remember(peerIndex: number): void {
    this.#sessions.push(peerIndex)
    if (this.#sessions.length > MAX_SESSIONS) this.#sessions.shift()
  }

  /** True while the next data of WireGuard's may prove a way. */
  get awaitsProof(): boolean {
    return (this.own?.answers.length ?? 0) > 0 || this.peer?.usedFrom !== undefined
  }
}

/** Anybody can change mac2 of a captured message; all else is authenticated by mac1 or by the handshake. */
function withoutMac2(firstMessage: Uint8Array): Uint8Array {
  return firstMessage.subarray(0, firstMessage.length - MAC_LENGTH)
}
