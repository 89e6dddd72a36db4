/** Where the newest record of each peer is kept, so that nothing older is believed after a restart. */

import type { PublicKey } from '../base/publicKey.js'

export interface PeerMemory {
  /** Takes the place of what was kept of the peer before. */
  put(peer: PublicKey, signedRecord: Uint8Array): void
}

/** Forgets with the process. */
export const NO_MEMORY: PeerMemory = { put: () => undefined }
