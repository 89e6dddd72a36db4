/**
 * A look-up, as src/daemon/meshErrands.ts and src/io/mesh/lookUp.ts have it: under all keys at once, and it ends when each
 * has ended. One waits for a server to be connected; then all are asked at once, and every valid record is handed on as it
 * arrives, each once.
 *
 *     ends   with three valid records, 300 ms after the first, when nobody is left to ask,
 *            or after 5 s, whatever there was
 */

import { isDropped } from '../../src/base/drops.js'
import type { PublicKey } from '../../src/base/publicKey.js'
import { SECOND } from '../../src/base/time.js'
import { admitSealedRecord } from '../../src/engine/directory/admission.js'
import { getValue } from './dht.js'
import type { RecordName } from './recordNames.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import { closestFirst, walk } from './walk.js'

/** As in src/daemon/meshErrands.ts. */
export const LOOK_UP_MS = 5 * SECOND
/** As in src/io/mesh/lookUp.ts. */
export const QUORUM = 3
export const GRACE_MS = 300

export interface LookUpOptions {
  readonly setting: Setting
  readonly seat: Seat
  readonly peer: PublicKey
  readonly keys: readonly RecordName[]
  readonly servers: readonly Server[]
  /** True where the engine is also given what its mesh part would refuse: it has to hold without. */
  readonly unjudged: boolean
}

/** Tells the member what is found, and exactly once that it is over. */
export function lookUp(options: LookUpOptions): void {
  const { seat, peer, keys } = options
  let left = keys.length
  const ended = (): void => {
    left -= 1
    if (left <= 0) seat.tell({ type: 'look-up-ended', peer })
  }
  for (const key of keys) lookUpOne(key, options, ended)
  if (left === 0) ended()
}

function lookUpOne(
  key: RecordName,
  { setting, seat, peer, servers, unjudged }: LookUpOptions,
  ended: () => void,
): void {
  /** Whether what was seen was valid. Equal bytes are mostly the same bytes. */
  const seen = new Map<string, boolean>()
  let valid = 0
  let isOver = false
  let stop = (): void => undefined
  const end = (): void => {
    if (isOver) return
    isOver = true
    stop()
    ended()
  }
  const judge = (value: Uint8Array): boolean => {
    const record = admitSealedRecord(value, seat.unix, setting.verify)
    if (isDropped(record)) {
      if (!unjudged) seat.member.drop?.(record.dropped)
      return false
    }
    if (record.author === key) return true
    if (!unjudged) seat.member.drop?.('record-wrong-author')
    return false
  }
  const arrived = (value: Uint8Array): void => {
    const bytes = Buffer.from(value).toString('latin1')
    const before = seen.get(bytes)
    const isValid = before ?? judge(value)
    seen.set(bytes, isValid)
    if (isValid) {
      valid += 1
      if (valid === 1) seat.in(GRACE_MS, end)
    }
    if (before === undefined && (isValid || unjudged))
      seat.tell({ type: 'record-found', peer, sealedRecord: value })
    if (valid >= QUORUM) end()
  }
  seat.in(LOOK_UP_MS, end)
  const forget = seat.onceServed(() => {
    if (isOver) return
    stop = walk({
      servers: closestFirst(key, servers),
      request: (server, done) =>
        getValue(seat, server, key, setting, (answer) => {
          if (!isOver && answer?.value !== undefined) arrived(answer.value)
          done(answer !== undefined)
        }),
      ended: end,
    })
    if (isOver) stop()
  })
  if (seat.serving.size === 0) stop = forget
}
