/**
 * First messages from addresses that are no path: whose are they?
 *
 * The cheap test comes first, as the whitepaper has it (section 5.3): `mac1` proves that the sender knows our public
 * key; a limit for each source and for all bounds what is decrypted; decrypting names the peer; its timestamp must be
 * newer than the last (section 5.1), or equal, for a copy that came another way.
 */

import { senderBlock } from '../../base/address.js'
import { type Dropped, drop, isDropped } from '../../base/drops.js'
import type { PublicKey } from '../../base/publicKey.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Instant } from '../../base/time.js'
import type { NodeKeys } from '../../crypto/nodeKeys.js'
import { compareTai64n } from '../../crypto/tai64n.js'

/** Opening one costs two X25519 multiplications: about 0.2 ms. A source is an IP address. */
const LIMITS = {
  each: { perSecond: 5, burst: 10 },
  all: { perSecond: 200, burst: 200 },
  maxSources: 4_096,
} as const

export class Strangers {
  readonly #keys: NodeKeys
  readonly #limiter: SourceLimiter
  /** The newest timestamp of each peer of the interface. */
  readonly #newest = new Map<PublicKey, Uint8Array>()

  constructor(keys: NodeKeys, now: Instant) {
    this.#keys = keys
    this.#limiter = new SourceLimiter(LIMITS, now)
  }

  /** Names the peer whose first message this is, if it is one of `isPeer`. */
  identify(
    firstMessage: Uint8Array,
    sourceIp: string,
    isPeer: (key: PublicKey) => boolean,
    now: Instant,
  ): PublicKey | Dropped {
    if (!this.#keys.mac1IsForUs(firstMessage)) return drop('wireguard-bad-mac1')
    if (!this.#limiter.admit(senderBlock(sourceIp), now)) return drop('wireguard-rate-limited')
    const opened = this.#keys.openInitiation(firstMessage)
    if (isDropped(opened)) return opened
    if (!isPeer(opened.peer)) return drop('wireguard-unknown-peer')
    const newest = this.#newest.get(opened.peer)
    if (newest !== undefined && compareTai64n(opened.timestamp, newest) < 0) return drop('wireguard-replayed')
    this.#newest.set(opened.peer, opened.timestamp)
    return opened.peer
  }

  /** A first message came over a path of the peer's, where nobody asks whose it is: it counts as its newest as well. */
  passed(firstMessage: Uint8Array, peer: PublicKey, sourceIp: string, now: Instant): void {
    if (!this.#limiter.admit(senderBlock(sourceIp), now)) return
    const opened = this.#keys.openInitiation(firstMessage)
    if (isDropped(opened) || opened.peer !== peer) return
    const newest = this.#newest.get(peer)
    if (newest === undefined || compareTai64n(opened.timestamp, newest) > 0)
      this.#newest.set(peer, opened.timestamp)
  }

  forget(peer: PublicKey): void {
    this.#newest.delete(peer)
  }
}
