/**
 * The endpoints that peers had before us: noted on disk while we run, put back when we end.
 *
 * The engine knows them, but for link-local ones with a zone, which mean something on this machine only: these are kept
 * here, as `wg` prints them. How an endpoint is cleared, which WireGuard has no command for, is in
 * `io/wireguard/endpoints.ts`.
 */

import { formatSocketAddress, parseSocketAddress, type SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { clearEndpoints, setEndpoints } from '../io/wireguard/endpoints.js'
import type { PeerDump } from '../io/wireguard/interfaceDump.js'
import type { StateFile } from './state.js'

/** A peer's former endpoint; undefined where it had none. */
export type Former = ReadonlyMap<PublicKey, SocketAddress | undefined>

export class FormerEndpoints {
  readonly #interface: string
  readonly #state: StateFile
  readonly #zoned = new Map<PublicKey, string>()

  constructor(interfaceName: string, state: StateFile) {
    this.#interface = interfaceName
    this.#state = state
  }

  /** What an earlier run noted down, and could not put back. */
  recall(): Former {
    const noted = Object.entries(this.#state.state.formerEndpoints) as [PublicKey, string | null][]
    return new Map(
      noted.map(([peer, text]) => {
        const address = text === null ? undefined : parseSocketAddress(text)
        if (text !== null && address === undefined) this.#zoned.set(peer, text)
        return [peer, address]
      }),
    )
  }

  /** The interface was read, and `former` is what the engine makes of it: notes down what is not noted yet. */
  note(peers: readonly PeerDump[], former: Former): void {
    for (const { publicKey, endpoint, zonedEndpoint } of peers) {
      if (zonedEndpoint !== undefined) this.#zoned.set(publicKey, zonedEndpoint)
      else if (endpoint !== undefined && former.get(publicKey) !== undefined) this.#zoned.delete(publicKey)
    }
    const formerEndpoints = Object.fromEntries(
      [...former].map(([peer, endpoint]) => [peer, this.#text(peer, endpoint) ?? null]),
    )
    if (JSON.stringify(formerEndpoints) !== JSON.stringify(this.#state.state.formerEndpoints)) {
      this.#state.update({ formerEndpoints })
    }
  }

  /** Puts them back in WireGuard, and forgets what was noted. */
  async restore(former: Former): Promise<void> {
    const had: { publicKey: PublicKey; endpoint: string }[] = []
    const hadNone: PublicKey[] = []
    for (const [publicKey, address] of former) {
      const endpoint = this.#text(publicKey, address)
      if (endpoint === undefined) hadNone.push(publicKey)
      else had.push({ publicKey, endpoint })
    }
    await setEndpoints(this.#interface, had)
    await clearEndpoints(this.#interface, hadNone)
    this.#state.update({ formerEndpoints: {} })
  }

  #text(peer: PublicKey, endpoint: SocketAddress | undefined): string | undefined {
    return endpoint === undefined ? this.#zoned.get(peer) : formatSocketAddress(endpoint)
  }
}
