/** The networks of simulations are closed: all hosts and servers have one network key, and prove by it that they are members. */

import { membershipKey } from '../../src/crypto/relayGrant.js'

const NETWORK_KEY_LENGTH = 32

/** What comes of the key that all have. */
export const MEMBERSHIP: Uint8Array = membershipKey(new Uint8Array(NETWORK_KEY_LENGTH).fill(7))
