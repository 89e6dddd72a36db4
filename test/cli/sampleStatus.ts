/** A node's status in which every state of a peer occurs; what tests of rendering and of the control socket show. */

import { type PublicKey, publicKeyFromBytes } from '../../src/base/publicKey.js'
import type { PeerStatus, ResolvedRecord, Status } from '../../src/daemon/status.js'
import type { Explanation } from '../../src/engine/why.js'

export const PEER_ID = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'

/** The key of 32 equal bytes. */
export function sampleKey(byte: number): PublicKey {
  return publicKeyFromBytes(new Uint8Array(32).fill(byte))
}

const idle: PeerStatus = {
  publicKey: sampleKey(1),
  state: 'idle',
  loopback: '127.77.1.1:51822',
  path: null,
  rxBytes: 0,
  txBytes: 0,
  recordAgeS: null,
  lastHandshakeS: null,
  reason: null,
  name: null,
  signs: [],
}

const peers: readonly PeerStatus[] = [
  idle,
  {
    ...idle,
    publicKey: sampleKey(2),
    state: 'resolving',
    loopback: '127.77.1.2:51822',
    reason: 'looking its record up',
    name: null,
  },
  {
    ...idle,
    publicKey: sampleKey(3),
    state: 'punching',
    loopback: '127.77.1.3:51822',
    recordAgeS: 0,
    txBytes: 148,
  },
  {
    ...idle,
    publicKey: sampleKey(4),
    state: 'direct',
    loopback: '127.77.1.4:51822',
    path: {
      type: 'server-reflexive',
      local: '192.168.1.2:51821',
      remote: '203.0.113.20:51821',
      rttMs: 31.23,
      sinceS: 3_725,
      mtu: 1_392,
    },
    rxBytes: 1_536,
    txBytes: 5_368_709_120,
    recordAgeS: 40,
    lastHandshakeS: 63,
    signs: [
      { sign: 'knocked', decision: 'check', agoS: 90 },
      { sign: 'machine-changed', decision: 'look', agoS: 3 },
    ],
  },
  {
    ...idle,
    publicKey: sampleKey(5),
    state: 'relayed',
    loopback: '[::1]:51823',
    path: {
      type: 'relayed',
      local: '192.168.1.2:51821',
      remote: '[2001:db8::7]:40000',
      rttMs: null,
      sinceS: 0,
      mtu: null,
    },
    rxBytes: 92,
    txBytes: 148,
    recordAgeS: 86_461,
    lastHandshakeS: 0,
  },
  {
    ...idle,
    publicKey: sampleKey(6),
    state: 'unreachable',
    loopback: '127.77.1.6:51822',
    reason: 'no candidate of it answered',
    name: null,
    lastHandshakeS: 7_200,
  },
  { ...idle, publicKey: sampleKey(7), state: 'external', loopback: null, lastHandshakeS: 3 },
]

export const sampleStatus: Status = {
  interface: 'wg0',
  publicKey: sampleKey(9),
  peerId: PEER_ID,
  addresses: [`/ip4/192.168.1.2/tcp/51821/p2p/${PEER_ID}`],
  reachable: false,
  mapped: [
    {
      protocol: 'udp',
      by: 'pcp',
      internal: '192.168.1.2:51821',
      external: '203.0.113.10:51821',
      verdict: 'believed',
    },
  ],
  nat: {
    mapping: 'endpoint-independent',
    filtering: 'address-and-port-dependent',
    portPreserving: true,
    hairpinning: false,
    lifetimeS: 30,
    secondNat: null,
    udp: true,
    reflexive: ['203.0.113.10:51821'],
  },
  mesh: { enabled: true, servers: 1, relays: 1, memberRelays: 1, closed: true },
  mtu: 1_420,
  warnings: ['the MTU 1420 is too large for the path to one peer; set it with: ip link set wg0 mtu 1392'],
  peers,
  drops: { unrecognised: 3, 'stun-malformed': 1 },
  relay: { sessions: 3, maxSessions: 1_000, granted: 20, refused: 1, datagrams: 2_000, bytes: 1_536_000 },
  bootstrap: [
    { multiaddr: `/ip4/203.0.113.1/tcp/51821/p2p/${PEER_ID}`, connected: true },
    {
      multiaddr: `/ip4/203.0.113.2/tcp/51821/p2p/${PEER_ID}`,
      connected: false,
      lastError: 'connection refused',
      nextTryInS: 8,
    },
  ],
  network: 'tunnelbore',
  version: '0.1.0',
  uptimeS: 7_265,
}

export const sampleBootstrap: Status = {
  interface: null,
  publicKey: null,
  peerId: PEER_ID,
  addresses: [],
  reachable: null,
  mapped: [],
  nat: {
    mapping: 'none',
    filtering: 'none',
    portPreserving: null,
    hairpinning: null,
    lifetimeS: null,
    secondNat: null,
    udp: null,
    reflexive: [],
  },
  mesh: { enabled: true, servers: 0, relays: 0, memberRelays: 0, closed: false },
  mtu: null,
  warnings: [],
  peers: [],
  drops: {},
  relay: null,
  bootstrap: [],
  network: 'tunnelbore',
  version: '0.1.0',
  uptimeS: 0,
}

export const sampleRecord: ResolvedRecord = {
  publicKey: sampleKey(4),
  peerId: PEER_ID,
  sequence: 1_700_000_000_000,
  issuedAt: '2023-11-14T22:13:20.000Z',
  expiresAt: '2023-11-15T22:13:20.000Z',
  candidates: [
    { type: 'host', address: '192.168.1.20:51821' },
    { type: 'server-reflexive', address: '203.0.113.20:51821' },
  ],
  addresses: [`/ip4/203.0.113.1/tcp/51821/p2p/${PEER_ID}/p2p-circuit/p2p/${PEER_ID}`],
  nat: { mapping: 'endpoint-independent', filtering: 'unknown' },
}

export const sampleExplanation: Explanation = {
  state: 'unreachable',
  verdict: { type: 'checks-unanswered', addresses: 2, because: 'both-symmetric' },
  effort: { sinceS: 70, attempts: 3, underWay: false },
  findings: [
    { type: 'traffic', lastSentS: null, lastHeardS: null, waits: true },
    { type: 'mesh', online: true },
    { type: 'record', ageS: 40, addresses: 2, relays: 1 },
    { type: 'look-ups', begun: 2, ended: 2 },
    { type: 'knock', how: 'stream', agoS: 12, result: 'failed', reason: 'no address to dial' },
    { type: 'knock', how: 'gossip', agoS: 11, result: 'answered' },
    { type: 'knocked-by-peer', agoS: 5 },
    { type: 'nat', own: 'address-dependent', peer: 'address-dependent' },
    {
      type: 'checks',
      address: '192.168.1.20:51821',
      candidate: 'host',
      sent: 7,
      answered: 0,
      received: 0,
      lastSentS: 4,
      lastHeardS: null,
    },
    {
      type: 'checks',
      address: '203.0.113.20:51821',
      candidate: 'server-reflexive',
      sent: 1,
      answered: 0,
      received: 2,
      lastSentS: 4,
      lastHeardS: 3,
    },
    { type: 'handshakes', unanswered: 2 },
  ],
}
