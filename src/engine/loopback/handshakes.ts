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
import type { Instant } from '../../base/time.js'
import { receiverIndex, senderIndex } from '../../wire/wireguard.js'
import { type Route, sameRoute } from '../path/path.js'

/** From how many addresses copies of one handshake message are taken; a racer can occupy no more. */
const MAX_SOURCES = 4

/** A handshake that our WireGuard began. */
export interface OwnHandshake {
  readonly firstMessage: Uint8Array
  readonly ourIndex: number
  readonly madeAt: Instant
  /** When and where the first message was last sent; undefined while it is held. */
  sent: { readonly at: Instant; readonly over: Route; readonly proved: boolean } | undefined
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

  /** A second message came from an address that no proof covers; false where it answers nothing of ours. */
  answered(secondMessage: Uint8Array, from: Route): boolean {
    const own = this.own
    if (own?.sent === undefined || own.settled || own.ourIndex !== receiverIndex(secondMessage)) return false
    if (own.answers.length >= MAX_SOURCES) return false
    own.answers.push({ from, peerIndex: senderIndex(secondMessage) })
    return true
  }

  /**
   * The peer's WireGuard began. A copy of the message already followed only adds where it came from.
   * Returns what is to be done with it: a new one goes to WireGuard; a copy gets the answer that was already given.
   */
  peerBegan(firstMessage: Uint8Array, from: Route): { readonly copy: boolean; readonly answer?: Uint8Array } {
    const peer = this.peer
    if (peer !== undefined && equals(peer.firstMessage, firstMessage)) {
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

  /** True while the next data of WireGuard's may prove a way. */
  get awaitsProof(): boolean {
    return (this.own?.answers.length ?? 0) > 0 || this.peer?.usedFrom !== undefined
  }
}
