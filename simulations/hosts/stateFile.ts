/** What a daemon remembers on disk, as src/daemon/state.ts does. The file survives the daemon, unless it is lost. */

import type { SocketAddress } from '../../src/base/address.js'
import type { PublicKey } from '../../src/base/publicKey.js'

export interface DaemonState {
  /** The highest sequence number that a record of ours had; 0 before the first. */
  readonly sequence: number
  /** What is to be put back; undefined for a peer that had none. Empty unless the daemon runs or was killed. */
  readonly formerEndpoints: ReadonlyMap<PublicKey, SocketAddress | undefined>
  /** The newest record of each peer, as it was signed. In reality this is in a datastore beside the file. */
  readonly records: ReadonlyMap<PublicKey, Uint8Array>
}

const NOTHING: DaemonState = { sequence: 0, formerEndpoints: new Map(), records: new Map() }

/** Writing takes no time here, and so is never interrupted. */
export class StateFile {
  /** Beside it: the highest sequence numbers that were gossiped, by author (src/io/mesh/floors.ts). */
  gossipFloors: Map<string, number> = new Map()
  #content = NOTHING
  #losses = 0

  get content(): DaemonState {
    return this.#content
  }

  /** Always replaced as a whole. */
  write(content: DaemonState): void {
    this.#content = content
  }

  /** How often it was lost. */
  get losses(): number {
    return this.#losses
  }

  lose(): void {
    this.#content = NOTHING
    this.gossipFloors = new Map()
    this.#losses += 1
  }
}
