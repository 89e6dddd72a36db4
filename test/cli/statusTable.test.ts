import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { inColour, paintFor, plain } from '../../src/cli/colours.js'
import { renderRecord } from '../../src/cli/recordTable.js'
import { renderStatus, renderStatuses } from '../../src/cli/statusTable.js'
import { sampleBootstrap, sampleRecord, sampleStatus } from './sampleStatus.js'

test('a node and its peers in every state are shown as wg show lays them out, the latest handshake first', () => {
  assert.equal(
    renderStatus(sampleStatus),
    `interface: wg0
  public key: CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=
  network: tunnelbore
  peer id: 12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5
  addresses: /ip4/192.168.1.2/tcp/51821/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5
  reachable: no
  nat: endpoint-independent mapping, address-and-port-dependent filtering, ports kept, mappings live 30 s or more
  reflexive: 203.0.113.10:51821
  mapped: udp 203.0.113.10:51821 to 192.168.1.2:51821 (pcp)
  bootstrap: /ip4/203.0.113.1/tcp/51821/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5 (connected)
  bootstrap: /ip4/203.0.113.2/tcp/51821/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5 (connection refused, next try in 8 s)
  relaying: 3 of at most 1000 sessions, 1.46 MiB passed on, 1 refused
  mtu: 1420
  warning: the MTU 1420 is too large for the path to one peer; set it with: ip link set wg0 mtu 1392
  dropped: unrecognised 3, stun-malformed 1
  uptime: 2 hours, 1 minute, 5 seconds
  version: 0.1.0

peer: BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=
  state: relayed
  path: [2001:db8::7]:40000 (relayed) from 192.168.1.2:51821, for 0 seconds
  loopback endpoint: [::1]:51823
  latest handshake: now
  transfer: 92 B received, 148 B sent
  record: issued 1 day, 1 minute, 1 second ago

peer: BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=
  state: external
  latest handshake: 3 seconds ago

peer: BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
  state: direct
  path: 203.0.113.20:51821 (server-reflexive) from 192.168.1.2:51821, 31.2 ms, for 1 hour, 2 minutes, 5 seconds
  loopback endpoint: 127.77.1.4:51822
  latest handshake: 1 minute, 3 seconds ago
  transfer: 1.50 KiB received, 5.00 GiB sent
  record: issued 40 seconds ago
  signs: machine-changed 3 seconds ago (looked for it), knocked 1 minute, 30 seconds ago (checked its addresses)

peer: BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=
  state: unreachable
  reason: no candidate of it answered
  loopback endpoint: 127.77.1.6:51822
  latest handshake: 2 hours ago

peer: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
  state: idle
  loopback endpoint: 127.77.1.1:51822

peer: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
  state: resolving
  reason: looking its record up
  loopback endpoint: 127.77.1.2:51822

peer: AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
  state: punching
  loopback endpoint: 127.77.1.3:51822
  transfer: 0 B received, 148 B sent
  record: issued now
`,
  )
})

test('a bootstrap node shows no interface, and what is unknown is said or left out', () => {
  assert.equal(
    renderStatus(sampleBootstrap),
    `bootstrap node
  network: tunnelbore
  peer id: 12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5
  reachable: not known yet
  nat: none
  uptime: 0 seconds
  version: 0.1.0
`,
  )
})

test('several nodes are parted by a blank line', () => {
  assert.equal(
    renderStatuses([sampleBootstrap, sampleBootstrap]),
    `${renderStatus(sampleBootstrap)}\n${renderStatus(sampleBootstrap)}`,
  )
})

test('colours change nothing but the colours', () => {
  const coloured = renderStatus(sampleStatus, inColour)
  assert.ok(coloured.startsWith('\x1b[32;1minterface\x1b[0m: \x1b[32mwg0\x1b[0m\n'))
  assert.equal(stripVTControlCharacters(coloured), renderStatus(sampleStatus))
})

test('only a terminal that has colours gets them', () => {
  assert.equal(paintFor({ isTTY: true, hasColors: () => true }), inColour)
  assert.equal(paintFor({ isTTY: true, hasColors: () => false }), plain)
})

test('a record is shown with its addresses, its times and its identity', () => {
  assert.equal(
    renderRecord(sampleRecord),
    `record: BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
  address: 192.168.1.20:51821 (host)
  address: 203.0.113.20:51821 (server-reflexive)
  libp2p: /ip4/203.0.113.1/tcp/51821/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5/p2p-circuit/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5
  nat: endpoint-independent mapping, unknown filtering
  issued: 2023-11-14T22:13:20.000Z
  expires: 2023-11-15T22:13:20.000Z
  sequence: 1700000000000
  peer id: 12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5
`,
  )
})

test('a named peer shows where its name leads, and a node without a mesh says that it has none', () => {
  const [peer] = sampleStatus.peers
  assert.ok(peer !== undefined)
  const name = {
    name: 'a.lab:51820',
    addresses: ['192.0.2.1:51820', '[2001:db8::1]:51820'],
    resolvedAgoS: 5,
    againInS: 25,
    failure: 'no name server answers',
  }
  const mesh = { ...sampleStatus.mesh, enabled: false }
  const text = renderStatus({ ...sampleStatus, mesh, peers: [{ ...peer, name }] })
  assert.match(
    text,
    /name: a\.lab:51820 is 192\.0\.2\.1:51820, \[2001:db8::1\]:51820; resolved 5 seconds ago; again in 25 seconds; failed: no name server answers\n/,
  )
  assert.match(text, /network: no mesh\n/)
})
