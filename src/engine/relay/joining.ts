/** Joining the sessions at relays that a peer asked for, and names in its knocks. */

import type { Instant } from '../../base/time.js'
import { MAX_RELAYED_SESSIONS, type RelayedSession } from '../../wire/knock.js'
import { ClientSession, sameNonce } from './clientSession.js'
import type { Keeping } from './keeping.js'
import type { RelayingParts } from './relayingParts.js'
import { Trust } from './trust.js'
import { waysTo } from './waysToRelay.js'

export class Joining {
  readonly #parts: RelayingParts
  readonly #kept: Keeping
  readonly #trust = new Trust()

  constructor(parts: RelayingParts, kept: Keeping) {
    this.#parts = parts
    this.#kept = kept
  }

  join({ nonce, addresses }: RelayedSession, now: Instant): void {
    const { agent, context, isPlausible } = this.#parts
    const { sessions } = this.#kept
    if (sessions.some((session) => sameNonce(session, { nonce }))) return
    const theirs = sessions.filter(({ offer }) => offer === undefined)
    if (theirs.length >= MAX_RELAYED_SESSIONS && !this.#displace(theirs, now)) return
    if (!this.#trust.admits(theirs.filter(({ isBinding }) => isBinding).length, now)) return
    const plausible = addresses.filter(({ ip }) => isPlausible(ip))
    const ways = waysTo(plausible, context)
    if (ways.length === 0) return
    // What was decoded is a view.
    const kept = nonce.slice()
    const keys = agent.keys.relaySession(kept)
    const session = new ClientSession({ peer: agent.peer, nonce: kept, keys, offer: undefined, context }, now)
    session.addresses = plausible
    session.bind(ways, now)
    this.#kept.add(session)
  }

  /** Nobody answered at one of a session's addresses. */
  silent(session: ClientSession, now: Instant): void {
    if (session.offer !== undefined || session.wasBound) return
    this.#trust.failed(now)
    const others = this.#kept.sessions.filter(
      (each) => each !== session && each.offer === undefined && each.isBinding,
    )
    if (session.isBinding && !this.#trust.admits(others.length, now))
      session.end('nobody answers where the peer says')
  }

  /** Makes room for a session that the peer names; false where all carry something. */
  #displace(theirs: readonly ClientSession[], now: Instant): boolean {
    const least = theirs.find(
      ({ way }) => way === undefined || this.#parts.agent.proofOf(way)?.isSound !== true,
    )
    // Nobody has answered there yet.
    if (least?.isBinding === true) this.#trust.failed(now)
    least?.end('the peer named others')
    return least !== undefined
  }
}
