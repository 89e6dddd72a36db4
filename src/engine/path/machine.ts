/** The machine as paths see it: which sockets are open, what each is for, and where its routes lead. */

import type { LocalSocket, MachineRoute } from '../inputs.js'

export interface Machine {
  /** The shared ones. */
  readonly sockets: readonly LocalSocket[]
  /** Those of birthday punching, which are paired with nothing: what comes in over them makes pairs. */
  readonly punchingSockets: readonly LocalSocket[]
  /** Streams that stand in for UDP. */
  readonly streamSockets: readonly LocalSocket[]
  readonly routes: readonly MachineRoute[]
}

/** All over which something may come in, or be answered. */
export function openSockets({ sockets, punchingSockets, streamSockets }: Machine): readonly LocalSocket[] {
  return [...sockets, ...punchingSockets, ...streamSockets]
}

/** Those from which a peer, or a relay, may be asked. */
export function askingSockets({ sockets, streamSockets }: Machine): readonly LocalSocket[] {
  return [...sockets, ...streamSockets]
}
