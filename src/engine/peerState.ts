/** How a peer is reached, in a word. */

export type PeerState = 'idle' | 'resolving' | 'punching' | 'direct' | 'relayed' | 'unreachable' | 'external'
