/** What a daemon asks of the mesh, which answers by inputs; in src/daemon these are meshErrands.ts and knockDesk.ts. */

import type { PublicKey } from '../../src/base/publicKey.js'
import type { Effect } from '../../src/engine/effects.js'
import type { StreamEnd, StreamHandlers } from '../discovery/datagramStream.js'
import type { Member } from '../discovery/member.js'

export interface MeshAccess {
  join(member: Member): void
  /** `clean`: its connections are closed. `silent`: nobody is told. */
  leave(member: Member, how: 'clean' | 'silent'): void
  /** Its host has other addresses now. */
  moved(member: Member): void
  /** Its host fell asleep, or woke up. */
  waysChanged(member: Member): void
  lookUp(member: Member, peer: PublicKey, blindedKeys: readonly Uint8Array[]): void
  knock(member: Member, effect: Extract<Effect, { readonly type: 'knock' }>): void
  answerKnock(id: number, answer: Uint8Array | undefined): void
  publish(member: Member, effect: Extract<Effect, { readonly type: 'publish' }>): void
  /** Opens a stream that stands in for UDP to the relay of an identity. Calls back once, or never where the member leaves. */
  openStream(
    member: Member,
    relay: Uint8Array,
    handlers: StreamHandlers,
    done: (end: StreamEnd | string) => void,
  ): void
  gossipKnock(member: Member, sealedKnock: Uint8Array): void
}
