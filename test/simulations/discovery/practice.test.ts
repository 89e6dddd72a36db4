/** The model's figures are those of src/: what changes there has to be changed here. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { REQUEST_MS } from '../../../simulations/discovery/dht.js'
import { HEARTBEAT_MS } from '../../../simulations/discovery/gossip.js'
import {
  FLOOR_LIFETIME_MS,
  INTAKE,
  KEPT_MS,
  MAX_AHEAD_MS,
  MAX_RECENT,
  SEEN_MS,
} from '../../../simulations/discovery/gossipIntake.js'
import { HEDGE_MS, KNOCK_MS, PASSED_MS } from '../../../simulations/discovery/knock.js'
import { MAX_KNOCKS_AT_ONCE, MAX_KNOCKS_AT_ONCE_EACH } from '../../../simulations/discovery/knockDesk.js'
import { GRACE_MS, LOOK_UP_MS, QUORUM } from '../../../simulations/discovery/lookUp.js'
import { PING_TIMEOUT_MS } from '../../../simulations/discovery/monitor.js'
import { MAX_PASSING_RELAYS } from '../../../simulations/discovery/passing.js'
import { peerIdText } from '../../../simulations/discovery/peerId.js'
import { PROBE_MS } from '../../../simulations/discovery/probe.js'
import { PUBLISH_GRACE_MS, PUBLISH_MS } from '../../../simulations/discovery/publish.js'
import { RESERVATIONS } from '../../../simulations/discovery/seat.js'
import { MAX_CONNECTIONS, MAX_RESERVATIONS } from '../../../simulations/discovery/server.js'
import { MAX_STORED_RECORDS } from '../../../simulations/discovery/storer.js'
import { DIAL_MS } from '../../../simulations/discovery/tcpDial.js'
import {
  MAX_ADDRESSES,
  MAX_GUESSED_RELAYS,
  RELAY_HEAD_START_MS,
} from '../../../simulations/discovery/ways.js'
import { peerIdOfIdentity } from '../../../src/io/mesh/identity.js'
import { REPOSITORY } from '../../repository.js'

const SOURCES: readonly { readonly file: string; readonly says: readonly string[] }[] = [
  {
    file: 'daemon/meshErrands.ts',
    says: [
      `LOOK_UP_MS = ${LOOK_UP_MS / 1_000} * SECOND`,
      `KNOCK_MS = ${KNOCK_MS / 1_000} * SECOND`,
      `PASSED_MS = ${PASSED_MS}`,
      `PUBLISH_MS = ${PUBLISH_MS / 1_000} * SECOND`,
    ],
  },
  { file: 'daemon/readSchedule.ts', says: ['BURST_MS = 50'] },
  {
    file: 'engine/dht/query.ts',
    says: [`PATIENCE_MS = 1_${REQUEST_MS - 1_000}`],
  },
  { file: 'io/mesh/lookUp.ts', says: [`QUORUM = ${QUORUM}`, `GRACE_MS = ${GRACE_MS}`] },
  { file: 'io/mesh/recordStore.ts', says: [`MAX_STORED_RECORDS = ${MAX_STORED_RECORDS}`] },
  { file: 'io/mesh/relays.ts', says: [`RESERVATIONS = ${RESERVATIONS}`] },
  {
    file: 'io/mesh/knock.ts',
    says: [
      `HEDGE_MS = ${HEDGE_MS}`,
      `MAX_ADDRESSES = ${MAX_ADDRESSES}`,
      `RELAY_HEAD_START_MS = ${RELAY_HEAD_START_MS}`,
      `MAX_GUESSED_RELAYS = ${MAX_GUESSED_RELAYS}`,
      `MAX_KNOCKS_AT_ONCE = ${MAX_KNOCKS_AT_ONCE}`,
      `MAX_KNOCKS_AT_ONCE_EACH = ${MAX_KNOCKS_AT_ONCE_EACH}`,
    ],
  },
  { file: 'io/mesh/passing.ts', says: [`MAX_RELAYS = ${MAX_PASSING_RELAYS}`] },
  { file: 'io/mesh/dials.ts', says: [`DIRECT_DIAL_MS = 1_${DIAL_MS - 1_000}`] },
  {
    file: 'io/mesh/knownNodes.ts',
    says: [
      'FIRST_PAUSE_MS = 250',
      'LONGEST_PAUSE_MS = 15_000',
      'GROWTH = 1.7',
      'JITTER = 0.3',
      'FIRST_PAUSE_MS / 5',
    ],
  },
  {
    file: 'io/mesh/gossip.ts',
    says: Object.entries(INTAKE).map(
      ([topic, { each, all }]) => `${topic}: { each: ${limitText(each)}, all: ${limitText(all)} }`,
    ),
  },
  { file: 'io/mesh/gossipIntake.ts', says: [`SEEN_MS = ${SEEN_MS / 60_000} * MINUTE`] },
  {
    file: 'io/mesh/gossipRouter.ts',
    says: [
      `HEARTBEAT_MS = ${HEARTBEAT_MS === 1_000 ? 'SECOND' : ''}\n`,
      `HEARTBEATS_KEPT = ${KEPT_MS / HEARTBEAT_MS + 2}`,
      'KEPT_MS = (HEARTBEATS_KEPT - 2) * HEARTBEAT_MS',
    ],
  },
  { file: 'io/mesh/latecomers.ts', says: [`MAX_RECENT = ${MAX_RECENT}`] },
  {
    file: 'io/mesh/floors.ts',
    says: [
      `FLOOR_LIFETIME_MS = ${FLOOR_LIFETIME_MS / 3_600_000} * HOUR`,
      `MAX_AHEAD_MS = ${MAX_AHEAD_MS / 3_600_000} * HOUR`,
    ],
  },
  { file: 'io/mesh/publish.ts', says: [`GRACE_MS = ${PUBLISH_GRACE_MS}`] },
  { file: 'io/mesh/liveness.ts', says: [`PROBE_MS = 1_${PROBE_MS - 1_000}`] },
  { file: 'io/mesh/servers.ts', says: ['DEADLINE_MS = 4_000'] },
  {
    file: 'io/mesh/node.ts',
    says: [
      `addressDialTimeout: ${DIAL_MS / 1_000} * SECOND`,
      `MAX_CONNECTIONS = { serving: ${MAX_CONNECTIONS}`,
      'reconnectRetries: 0',
    ],
  },
  {
    file: 'io/mesh/relayServer.ts',
    says: [`MAX_RESERVATIONS = ${MAX_RESERVATIONS}`, 'RELAYED_CONNECTION_MS = 15 * MINUTE'],
  },
  {
    file: 'io/mesh/heartbeat.ts',
    says: [
      `ABORT_MS = ${PING_TIMEOUT_MS / 1_000} * SECOND`,
      'WATCHED_PING_MS = 3.5 * SECOND',
      'PING_MS = 30 * SECOND',
    ],
  },
]

function limitText({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }): string {
  return `{ perSecond: ${perSecond}, burst: ${burst} }`
}

describe('the times and limits of the model', () => {
  for (const { file, says } of SOURCES) {
    it(`are those of src/${file}`, () => {
      const source = readFileSync(join(REPOSITORY, 'src', file), 'utf8')
      for (const text of says) assert.ok(source.includes(text), `src/${file} does not say: ${text}`)
    })
  }

  it('write peer ids as libp2p does', () => {
    for (let byte = 0; byte < 8; byte++) {
      const identity = new Uint8Array(32).fill(byte)
      identity[3] = 77
      assert.equal(peerIdText(identity), peerIdOfIdentity(identity).toString())
    }
  })
})
