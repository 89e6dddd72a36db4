/** How a peer is reached, in a word and in a sentence. */

import type { Path } from './path/path.js'

export type PeerState = 'idle' | 'resolving' | 'punching' | 'direct' | 'relayed' | 'unreachable' | 'external'

/** What is so of a peer. */
export interface PeerStanding {
  /** It speaks to WireGuard's own port. */
  readonly isExternal: boolean
  /** The path in use. */
  readonly path: Path | undefined
  /** True where that answers. */
  readonly isSound: boolean
  /** True where it answers checks, and WireGuard's handshakes come to nothing. */
  readonly isIgnored: boolean
  /** True while checks are under way that may prove a first path. */
  readonly isPunching: boolean
  /** True while many ports are tried. */
  readonly isGuessing: boolean
  readonly contact: {
    readonly isUnderWay: boolean
    readonly hasFailed: boolean
  }
  /** Why there is no path, where there is none. */
  readonly reasonWithoutPath: string
}

export function stateOf({ isExternal, path, isPunching, isGuessing, contact }: PeerStanding): PeerState {
  if (isExternal) return 'external'
  if (path !== undefined) return path.type === 'relayed' ? 'relayed' : 'direct'
  if (isPunching || isGuessing) return 'punching'
  if (contact.isUnderWay) return 'resolving'
  return contact.hasFailed ? 'unreachable' : 'idle'
}

export function reasonFor(standing: PeerStanding): string {
  const { path, contact } = standing
  if (standing.isExternal) return "it speaks to WireGuard's own port"
  if (path === undefined && standing.isGuessing)
    return 'trying many ports: one of the NATs has another for each destination'
  if (path === undefined) return standing.reasonWithoutPath
  if (!standing.isSound) return 'its path went silent; looking for it again'
  if (standing.isIgnored) {
    return 'checks pass, but the handshake is unanswered: preshared key or peer entry missing on one side?'
  }
  if (path.type === 'relayed') {
    return `over a member relay; ${contact.isUnderWay ? 'looking for' : 'there was no'} direct path`
  }
  return path.proof === 'handshake' ? "proved by WireGuard's own handshake" : 'proved by a check'
}
