/** What comes in from the network: what each datagram is, which peer gets it, and what STUN of it has told. */

import { type DropReason, isDropped } from '../base/drops.js'
import type { PublicKey } from '../base/publicKey.js'
import type { Instant, Now } from '../base/time.js'
import type { NodeKeys } from '../crypto/nodeKeys.js'
import { classify } from '../wire/classify.js'
import { receiverIndex, wireguardType } from '../wire/wireguard.js'
import type { Discovery } from './discovery.js'
import type { Emit } from './effects.js'
import type { Forwarding } from './loopback/forwarding.js'
import type { Strangers } from './loopback/strangers.js'
import type { OwnAddresses } from './ownAddresses.js'
import type { PairNames } from './pairNames.js'
import type { AddressProofDesk } from './path/addressProofDesk.js'
import type { CheckSubject } from './path/agent.js'
import type { Route } from './path/path.js'
import { StunDesk, type StunEvent } from './path/stunDesk.js'
import type { Transactions } from './path/transactions.js'
import type { Peer } from './peer.js'
import type { Relays } from './relay/relays.js'

export interface ArrivalsParts {
  readonly keys: NodeKeys
  readonly forwarding: Forwarding
  readonly strangers: Strangers
  /** Of the checks that come in. */
  readonly names: PairNames<Peer>
  /** Our own checks. */
  readonly transactions: Transactions<CheckSubject>
  readonly relays: Relays
  readonly own: OwnAddresses
  /** Gives others proofs of where they are; absent where we cannot. */
  readonly proofDesk: AddressProofDesk | undefined
  readonly emit: Emit
  readonly peers: ReadonlyMap<PublicKey, Peer>
  /** Index of a handshake or session of our WireGuard → whose it is. */
  readonly indices: ReadonlyMap<number, Peer>
  readonly discovery: Discovery<Peer>
  readonly drop: (reason: DropReason) => void
  /** Whether an answer may go out there; counts a drop where it may not. */
  readonly canAnswer: (to: Route) => boolean
  /** A reflector has told where we are. */
  readonly reflected: (now: Now) => void
}

export class Arrivals {
  readonly #parts: ArrivalsParts
  readonly #stun: StunDesk<Peer>

  constructor(parts: ArrivalsParts, now: Instant) {
    this.#parts = parts
    const { names, transactions, relays, own, proofDesk, emit, drop, canAnswer } = parts
    this.#stun = new StunDesk<Peer>(
      {
        prove: proofDesk && ((ip, name, at) => proofDesk.give(ip, name, at)),
        reflects: () => own.role.serves,
        names,
        transactions,
        relayRequests: relays.requests,
        reflection: own.reflection,
        emit,
        drop,
        canAnswer,
        askedForSession: (request, from, at) => relays.asked(request, from, at),
      },
      now,
    )
  }

  received(from: Route, datagram: Uint8Array, now: Now): void {
    switch (classify(datagram)) {
      case 'wireguard':
        this.#wireguardReceived(from, datagram, now)
        break
      case 'stun':
        this.#stunReceived(from, datagram, now)
        break
      default:
        this.#parts.drop('unrecognised')
    }
  }

  #wireguardReceived(from: Route, datagram: Uint8Array, now: Now): void {
    const { keys, forwarding, strangers, peers, indices, drop, canAnswer } = this.#parts
    const type = wireguardType(datagram)
    if ((type === 1 || type === 2) && !keys.mac1IsForUs(datagram)) {
      drop('wireguard-bad-mac1')
      return
    }
    const flow = forwarding.flowAt(from.remote)
    const known = flow === undefined ? undefined : peers.get(flow.peer)
    if (known !== undefined) {
      if (type === 1) strangers.passed(datagram, known.key, from.remote.ip, now.instant)
      known.messageOverPath(datagram, from, now)
      return
    }
    if (type === 1) {
      const peer = strangers.identify(datagram, from.remote.ip, (key) => peers.has(key), now.instant)
      if (isDropped(peer)) drop(peer.dropped)
      else if (canAnswer(from)) peers.get(peer)?.firstMessageFromStranger(datagram, from, now)
      return
    }
    const addressee = indices.get(receiverIndex(datagram))
    if (addressee === undefined) drop('wireguard-unknown-sender')
    else addressee.answerFromStranger(datagram, from, now)
  }

  #stunReceived(from: Route, datagram: Uint8Array, now: Now): void {
    const event = this.#stun.received(datagram, from, now)
    switch (event?.type) {
      case 'checked':
        event.by.checkReceived(from, event.holdsFirstMessage, now)
        break
      case 'check-answered':
        this.#checkAnswered(event, from, now)
        break
      case 'reflected':
        this.#parts.reflected(now)
        break
      case 'relay-answered':
        this.#parts.peers.get(event.request.peer)?.relayAnswered(event.request, event.response, from, now)
    }
  }

  #checkAnswered(
    { agent, sentAt, holdsFirstMessage, size }: Extract<StunEvent<Peer>, { type: 'check-answered' }>,
    from: Route,
    now: Now,
  ): void {
    const peer = this.#parts.peers.get(agent.peer)
    if (peer === undefined) return
    this.#parts.discovery.reclaim(peer, now)
    peer.checkAnswered(from, sentAt, holdsFirstMessage, now, size)
  }
}
