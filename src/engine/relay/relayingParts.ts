/** What relaying for one peer stands on. */

import type { PublicKey } from '../../base/publicKey.js'
import type { Random } from '../../base/random.js'
import type { PathAgent } from '../path/agent.js'
import type { SessionContext } from './clientSession.js'
import type { RelayOffers } from './offers.js'
import type { RelayStreams } from './streams.js'

/** What all peers of a node share. */
export interface RelayContext extends SessionContext {
  readonly ownKey: PublicKey
  readonly random: Random
  readonly offers: RelayOffers
  readonly streams: RelayStreams
}

export interface RelayingParts {
  readonly agent: PathAgent
  readonly context: RelayContext
  /** The peer's libp2p identity, as far as known: it may itself be a relay. */
  readonly peerIdentity: () => Uint8Array | undefined
  /** Whether an address that the peer names may mean the same here. */
  readonly isPlausible: (ip: string) => boolean
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
}
