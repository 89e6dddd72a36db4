/**
 * Dialling with TCP and noise: two round trips to the dialler. With multistream-select answered in advance
 * (src/io/mesh/anticipate.ts) nothing else is waited for.
 *
 *     SYN ──► ◄── SYN, ACK      noise ──► ◄── noise, and the connection is open here
 *
 * A SYN that meets nothing is sent again after 1 s (RFC 6298 section 2). Nothing is waited for longer than 1.5 s.
 */

import { familyOf } from '../../src/base/address.js'
import { SECOND } from '../../src/base/time.js'
import type { Party } from './channel.js'
import type { Dialler } from './connection.js'
import type { Setting } from './setting.js'

/** `addressDialTimeout` in src/io/mesh/node.ts, and `DIRECT_DIAL_MS` in knock.ts. */
export const DIAL_MS = 1.5 * SECOND
const SYN_AGAIN_MS = 1 * SECOND

/** Who is dialled. */
export interface Listener extends Party {
  /** True where a SYN is answered by more than a reset. */
  readonly isListening: boolean
  /** False where a connection is closed as soon as it is there. */
  readonly hasRoom: boolean
}

/** Who dials, and from where. */
export interface DiallingParty extends Dialler {
  /** Its addresses now. */
  readonly ips: readonly string[]
  /** True where it has no address at all: the kernel refuses at once. */
  readonly isUnplugged: boolean
  /** Counts the changes of its addresses. */
  readonly moves: number
}

export interface Dialled {
  readonly ip: string
  readonly source: string | undefined
}

/**
 * Dials the first of `ips` to which there is a way. Calls back once, with what was dialled, or undefined where that
 * failed; never on the caller's stack.
 */
export function dialTcp(
  dialler: DiallingParty,
  { listener, ips }: { readonly listener: Listener; readonly ips: readonly string[] },
  setting: Setting,
  done: (dialled: Dialled | undefined) => void,
): void {
  const { queue, counts } = setting
  const ip = ips.find((own) => dialler.wayTo(own) !== undefined) ?? ips[0]
  const { moves } = dialler
  let isOver = false
  const end = (dialled: Dialled | undefined): void => {
    if (isOver) return
    isOver = true
    done(dialled)
  }
  counts.dials += 1
  if (ip === undefined || dialler.isUnplugged) {
    queue.soon(() => end(undefined))
    return
  }
  dialler.in(DIAL_MS, () => end(undefined))

  /** One way, if there is one and the dialler is still where it was. */
  const pass = (action: () => void): boolean => {
    const delay = dialler.moves === moves ? dialler.wayTo(ip) : undefined
    if (delay === undefined || !listener.isPowered) return false
    queue.in(delay, () => {
      if (!isOver && dialler.moves === moves && dialler.isAnswering && listener.isPowered) action()
    })
    return true
  }
  const back = (action: () => void): void => {
    pass(action)
  }
  const source = dialler.ips.find((own) => familyOf(own) === familyOf(ip))
  const noise = (): void => {
    pass(() =>
      listener.read(() =>
        back(() => end(listener.isAnswering && listener.hasRoom ? { ip, source } : undefined)),
      ),
    )
  }
  const syn = (): void => {
    if (isOver) return
    const isSent = pass(() => back(() => (listener.isListening ? noise() : end(undefined))))
    if (!isSent) dialler.in(SYN_AGAIN_MS, syn)
  }
  syn()
}
