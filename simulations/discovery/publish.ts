/**
 * A publication, as src/daemon/meshErrands.ts and src/io/mesh/publish.ts have it: the record goes to the closest servers
 * known at once, while a walk finds out which of them live; if some don't, the next closest get it as well. The member is
 * told when all have acknowledged or failed, 300 ms after the first acknowledgement, or after 15 s at the latest; what is
 * left is still sent.
 */

import { isDropped } from '../../src/base/drops.js'
import { SECOND } from '../../src/base/time.js'
import { REPLICATION } from '../../src/engine/dht/query.js'
import { admitSealedRecord } from '../../src/engine/directory/admission.js'
import { getValue, putValue } from './dht.js'
import type { RecordName } from './recordNames.js'
import type { Seat } from './seat.js'
import type { Server } from './server.js'
import type { Setting } from './setting.js'
import { closestFirst, walk } from './walk.js'

/** As in src/daemon/meshErrands.ts. */
export const PUBLISH_MS = 15 * SECOND
/** As in src/io/mesh/publish.ts. */
export const PUBLISH_GRACE_MS = 300

export interface PublishOptions {
  readonly setting: Setting
  readonly seat: Seat
  readonly period: number
  /** Under which it is stored. */
  readonly key: RecordName
  readonly bytes: Uint8Array
  readonly servers: readonly Server[]
}

/** Tells the member exactly once how it went. */
export function publish({ setting, seat, period, key, bytes, servers }: PublishOptions): void {
  let acknowledgements = 0
  let isTold = false
  let isOver = false
  let stop = (): void => undefined
  const tell = (): void => {
    if (isTold) return
    isTold = true
    seat.tell({ type: 'publication-ended', period, acknowledgements })
  }
  const end = (): void => {
    if (isOver) return
    isOver = true
    stop()
    tell()
  }
  // The writer judges, too.
  const own = admitSealedRecord(bytes, seat.unix, setting.verify)
  if (isDropped(own) || own.author !== key) {
    end()
    return
  }
  const order = closestFirst(key, servers)
  const sent = new Set<Server>()
  /** Servers that have not answered, and the walk. */
  let pending = 1
  const settle = (): void => {
    pending -= 1
    if (pending === 0) end()
  }
  const put = (server: Server): void => {
    if (sent.has(server)) return
    sent.add(server)
    pending += 1
    putValue(seat, server, { key, bytes }, setting, (acknowledged) => {
      if (isOver) return
      if (acknowledged) acknowledgements += 1
      if (acknowledged && acknowledgements === 1) seat.in(PUBLISH_GRACE_MS, tell)
      settle()
    })
  }
  seat.in(PUBLISH_MS, end)
  const forget = seat.onceServed(() => {
    if (isOver) return
    for (const server of order.slice(0, REPLICATION)) put(server)
    stop = walk({
      servers: order,
      request: (server, done) => getValue(seat, server, key, setting, (answer) => done(answer !== undefined)),
      ended: (answered) => {
        for (const server of answered) put(server)
        settle()
      },
    })
    if (isOver) stop()
  })
  if (seat.serving.size === 0) stop = forget
}
