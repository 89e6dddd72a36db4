/**
 * Kademlia's look-up from server to server, as src/engine/dht/query.ts has it, made simpler: the closest eight are asked at
 * once (there, four at a time, which makes room for others as they are late), and one that fails makes room for the next
 * closest. All servers know each other here, so nothing is learned on the way.
 */

import { createHash } from 'node:crypto'
import { fromString } from 'uint8arrays'
import { MAX_ASKED, REPLICATION } from '../../src/engine/dht/query.js'
import { recordKey } from '../../src/engine/directory/admission.js'
import type { RecordName } from './recordNames.js'
import type { Server } from './server.js'

export interface WalkOptions {
  /** The closest first. */
  readonly servers: readonly Server[]
  /** Calls back once: whether there was an answer. */
  readonly request: (server: Server, done: (answered: boolean) => void) => void
  /** Nobody is left to ask. Called once, unless the walk is stopped. */
  readonly ended: (answered: readonly Server[]) => void
}

/** Returns how to stop it. */
export function walk({ servers, request, ended }: WalkOptions): () => void {
  const answered: Server[] = []
  let next = 0
  let running = 0
  let isOver = false
  const askMore = (): void => {
    while (!isOver && answered.length + running < REPLICATION && next < MAX_ASKED) {
      const server = servers[next]
      if (server === undefined) break
      next += 1
      running += 1
      request(server, (hasAnswered) => {
        running -= 1
        if (isOver) return
        if (hasAnswered) answered.push(server)
        askMore()
      })
    }
    if (isOver || running > 0) return
    isOver = true
    ended(answered)
  }
  askMore()
  return () => {
    isOver = true
  }
}

/** All servers, those closest to the place of a record first: by XOR of SHA-256, as kad-dht measures. */
export function closestFirst(name: RecordName, servers: readonly Server[]): readonly Server[] {
  // All are asked anyway.
  if (servers.length <= REPLICATION) return servers
  const target = place(recordKey(fromString(name, 'base64url')))
  return servers
    .map((server) => ({ server, distance: distance(target, placeOf(server)) }))
    .sort((a, b) => Buffer.compare(a.distance, b.distance))
    .map(({ server }) => server)
}

const places = new WeakMap<Server, Uint8Array>()

function placeOf(server: Server): Uint8Array {
  let known = places.get(server)
  if (known === undefined) {
    known = place(server.multihash)
    places.set(server, known)
  }
  return known
}

function place(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

function distance(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, at) => byte ^ (b[at] ?? 0))
}
