/** What one session sends to its member relay: requests for a grant, and binds, each with what the relay is to see in it. */

import type { Instant, Now } from '../../base/time.js'
import type { RelaySessionKeys } from '../../crypto/relaySession.js'
import type { Emit } from '../effects.js'
import { type Route, sameRoute } from '../path/path.js'
import { encodeBind, encodeGrantAsk } from './messages.js'
import type { RelayRoute } from './offers.js'

/** A request, and where it went. */
export interface SentRequest {
  readonly purpose: 'grant' | 'bind'
  readonly routes: readonly Route[]
  /** Of a bind; 0 for a grant. */
  readonly sequence: number
  /** That a bind carried. */
  readonly cookie: Uint8Array | undefined
}

export interface SessionRequestsParts {
  readonly keys: RelaySessionKeys
  readonly emit: Emit
  /** Opens a transaction, and returns its id. */
  readonly begin: (request: SentRequest, now: Instant) => Uint8Array
}

export class SessionRequests {
  /** What the relay gave last, for a way. */
  cookie: { readonly way: Route; readonly value: Uint8Array } | undefined = undefined
  readonly #parts: SessionRequestsParts
  #grantId: Uint8Array | undefined = undefined
  #sequence = 0
  #newestWay: Route | undefined = undefined

  constructor(parts: SessionRequestsParts) {
    this.#parts = parts
  }

  /** Of the newest bind; 0 before there was one. */
  get sequence(): number {
    return this.#sequence
  }

  /** Where the newest bind went. */
  get newestWay(): Route | undefined {
    return this.#newestWay
  }

  /** The next request for a grant is another one. */
  forgetGrant(): void {
    this.#grantId = undefined
  }

  /** The same request each time: to a relay that has granted it already, it asks for the same session. */
  sendGrant(sealed: Uint8Array, routes: readonly RelayRoute[], count: number, now: Now): void {
    const proved = routes.filter(({ isClaimed }) => isClaimed !== true)
    const route = count < routes.length ? routes[count] : proved[count % proved.length]
    if (route === undefined) return
    const { socket, remote } = route
    const { begin, emit } = this.#parts
    this.#grantId ??= begin({ purpose: 'grant', routes, sequence: 0, cookie: undefined }, now.instant)
    emit({ type: 'send', socket, remote, datagram: encodeGrantAsk(this.#grantId, sealed) })
  }

  sendBind(way: Route, now: Now): void {
    const { begin, emit, keys } = this.#parts
    this.#sequence = Math.max(this.#sequence + 1, now.unix)
    this.#newestWay = way
    const sequence = this.#sequence
    const cookie =
      this.cookie !== undefined && sameRoute(this.cookie.way, way) ? this.cookie.value : undefined
    const id = begin({ purpose: 'bind', routes: [way], sequence, cookie }, now.instant)
    const { ownName, hmac } = keys
    emit({ type: 'send', ...way, datagram: encodeBind(id, ownName, sequence, hmac, cookie) })
  }
}
