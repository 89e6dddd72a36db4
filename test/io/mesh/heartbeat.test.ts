import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { Heartbeat } from '../../../src/io/mesh/heartbeat.js'

/** A connection whose pings are never answered, and what was done with it. */
function unanswered() {
  const told = { aborted: false, pings: 0 }
  const connection = {
    status: 'open',
    limits: undefined,
    remotePeer: 'peer',
    muxer: {
      ping: () => {
        told.pings += 1
        return new Promise<number>(() => {})
      },
    },
    abort: () => {
      told.aborted = true
    },
  }
  return { told, connection: connection as unknown as Connection }
}

function beating(connection: Connection) {
  const connectionManager = { getConnections: () => [connection] }
  const suspicions: boolean[] = []
  const heartbeat = new Heartbeat(
    { connectionManager } as unknown as ConstructorParameters<typeof Heartbeat>[0],
    () => true,
    (_peer, isSuspect) => suspicions.push(isSuspect),
    '/ping',
  )
  let at = performance.now()
  const stall = (ms: number) => {
    at += ms
    heartbeat.beat(at)
  }
  /** Lets `ms` pass, with a beat at least each half a second. */
  const pass = (ms: number) => {
    for (const end = at + ms; at < end; ) stall(500)
  }
  return { pass, stall, suspicions }
}

test('a connection without an answer is doubted, and then aborted', () => {
  const { told, connection } = unanswered()
  const { pass, suspicions } = beating(connection)
  while (told.pings === 0) pass(500)
  pass(2_000)
  assert(suspicions.includes(true))
  assert.equal(told.aborted, false)
  pass(4_000)
  assert.equal(told.aborted, true)
})

test('a process that did not run for a minute aborts nothing before it could read the answers', () => {
  const { told, connection } = unanswered()
  const { pass, stall } = beating(connection)
  while (told.pings === 0) pass(500)
  stall(60_000)
  assert.equal(told.aborted, false)
  pass(6_000)
  assert.equal(told.aborted, true)
})
