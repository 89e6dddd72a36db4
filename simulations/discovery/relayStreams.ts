/**
 * Streams from members to relays, as src/io/mesh/relayStreams.ts opens and takes them: over the connection to the relay
 * that there is, or over one that is dialled.
 */

import { SECOND } from '../../src/base/time.js'
import type { Party } from './channel.js'
import { openStream, type StreamEnd, type StreamHandlers, type TakeStream } from './datagramStream.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'

/** `OPEN_MS` and `MAX_INBOUND` of src/io/mesh/relayStreams.ts. */
export const OPEN_MS = 4 * SECOND
export const MAX_INBOUND = { each: 2, all: 512 } as const

/** Calls back once, while the member is there: with its end of the stream, or why there is none. */
export function openRelayStream(
  seat: Seat,
  server: Server,
  { counts }: Setting,
  handlers: StreamHandlers,
  done: (end: StreamEnd | string) => void,
): void {
  let isOver = false
  const end = (outcome: () => StreamEnd | string): void => {
    if (isOver || !seat.isHere) return
    isOver = true
    done(outcome())
  }
  seat.in(OPEN_MS, () => end(() => 'it was not reached in time'))
  seat.link(server).open((connection) =>
    end(() => {
      if (connection === undefined) return 'it was not reached'
      counts.streams += 1
      return openStream(connection, seat, handlers, (far, from) => server.streams.take(far, from))
    }),
  )
}

/** The streams that others opened to a server. */
export class InboundStreams {
  /** Who has use for them; undefined where nobody does. */
  taker: TakeStream | undefined = undefined
  readonly #open = new Map<string, number>()
  #count = 0

  take(end: StreamEnd, from: Party): StreamHandlers | undefined {
    const ofNode = this.#open.get(from.key) ?? 0
    if (ofNode >= MAX_INBOUND.each || this.#count >= MAX_INBOUND.all) return undefined
    const taken = this.taker?.(end, from)
    if (taken === undefined) return undefined
    this.#open.set(from.key, ofNode + 1)
    this.#count += 1
    return {
      ...taken,
      onClose: () => {
        this.#count -= 1
        const left = (this.#open.get(from.key) ?? 1) - 1
        if (left > 0) this.#open.set(from.key, left)
        else this.#open.delete(from.key)
        taken.onClose()
      },
    }
  }
}
