/**
 * The endpoints that peers had before us: noted on disk while we run, put back when we end.
 * WireGuard cannot clear an endpoint; how that is done nevertheless is in `io/wireguard/endpoints.ts`.
 */

import { formatSocketAddress, parseSocketAddress, type SocketAddress } from '../base/address.js'
import type { PublicKey } from '../base/publicKey.js'
import { clearEndpoints, setEndpoints } from '../io/wireguard/endpoints.js'
import type { StateFile } from './state.js'

/** A peer's former endpoint; undefined where it had none. */
export type FormerEndpoints = ReadonlyMap<PublicKey, SocketAddress | undefined>

/** What an earlier run noted down, and could not put back. */
export function recallEndpoints(state: StateFile): FormerEndpoints {
  const noted = Object.entries(state.state.formerEndpoints) as [PublicKey, string | null][]
  return new Map(noted.map(([peer, text]) => [peer, text === null ? undefined : parseSocketAddress(text)]))
}

/** Notes them down, if they are not noted already. */
export function noteEndpoints(state: StateFile, former: FormerEndpoints): void {
  const formerEndpoints = Object.fromEntries(
    [...former].map(([peer, endpoint]) => [
      peer,
      endpoint === undefined ? null : formatSocketAddress(endpoint),
    ]),
  )
  if (JSON.stringify(formerEndpoints) !== JSON.stringify(state.state.formerEndpoints)) {
    state.update({ formerEndpoints })
  }
}

/** Puts them back in WireGuard, and forgets what was noted. */
export async function restoreEndpoints(
  interfaceName: string,
  former: FormerEndpoints,
  state: StateFile,
): Promise<void> {
  const had = [...former].flatMap(([publicKey, endpoint]) =>
    endpoint === undefined ? [] : [{ publicKey, endpoint }],
  )
  const hadNone = [...former].flatMap(([publicKey, endpoint]) => (endpoint === undefined ? [publicKey] : []))
  await setEndpoints(interfaceName, had)
  await clearEndpoints(interfaceName, hadNone)
  state.update({ formerEndpoints: {} })
}
