/** `status`, `doctor` and `resolve` on real nodes. What they print in each case is told by the tests of `src/cli`. */

import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Diagnosis, Finding } from '../../src/daemon/finding.js'
import type { ResolvedRecord, Status } from '../../src/daemon/status.js'
import { run } from './command.js'
import { Fleet, type Machine } from './fleet.js'
import { Laboratory } from './laboratory.js'
import { generateWireGuardKeys } from './wireguard.js'

let lab: Laboratory
let fleet: Fleet
let alice: Machine
let bob: Machine

before(async () => {
  lab = await Laboratory.create()
  fleet = await Fleet.create(lab, { alice: 'port-restricted', bob: 'open' })
  alice = fleet.machine('alice')
  bob = fleet.machine('bob')
  await fleet.start()
  assert.equal((await alice.host.ping(bob.tunnelAddress)).received, 1)
  await alice.daemon.untilDirect(bob.wireguard.keys.publicKey)
  // WireGuard is asked every now and then only.
  await alice.daemon.untilPeer(
    bob.wireguard.keys.publicKey,
    'known to have shaken hands',
    ({ lastHandshakeS }) => lastHandshakeS !== null,
  )
})

after(() => lab.close())

describe('status', () => {
  test('prints a table like that of wg show', async () => {
    const { stdout } = await alice.daemon.cli('status')
    assert.match(stdout, new RegExp(`^interface: ${alice.wireguard.name}\n`))
    assert.ok(stdout.includes(`peer: ${bob.wireguard.keys.publicKey}\n  state: direct\n`))
    assert.match(stdout, /\n {2}path: \S+:\d+/)
    assert.ok(stdout.includes(`${fleet.known[0]} (connected)`))
  })

  test('prints JSON for programs: an object with the interface named, and without', async () => {
    for (const named of [[alice.wireguard.name], []]) {
      const { stdout } = await alice.daemon.cli('status', [...named, '--json'])
      const status = JSON.parse(stdout) as Status
      assert.equal(status.interface, alice.wireguard.name)
      assert.equal(status.publicKey, alice.wireguard.keys.publicKey)
      assert.equal(status.nat.mapping, 'endpoint-independent')
      assert.equal(status.nat.reflexive.length, 1)
      const [peer] = status.peers
      assert.equal(peer?.state, 'direct')
      assert.ok((peer?.txBytes ?? 0) > 0 && (peer?.rxBytes ?? 0) > 0)
    }
  })

  test('of a bootstrap node has no interface', async () => {
    const { stdout } = await (fleet.bootstrap[0] ?? assert.fail()).cli('status', ['bootstrap', '--json'])
    const status = JSON.parse(stdout) as Status
    assert.deepEqual([status.interface, status.publicKey, status.peers], [null, null, []])
    assert.equal(status.reachable, true)
  })

  test('watches until it is interrupted', async () => {
    const watching = alice.daemon.spawnCli('status', ['--json', '--watch'])
    await watching.waitForOutput(/^\{.*\}\n\{.*\}\n/)
    await watching.stop('SIGINT')
    assert.equal(watching.exitCode, 0)
    for (const line of watching.stdout.trimEnd().split('\n')) {
      assert.equal((JSON.parse(line) as Status).interface, alice.wireguard.name)
    }
  })
})

describe('doctor', () => {
  test('says what the machine and the network allow, and what mends what they do not', async () => {
    // Namespaces have their own network, and the clock and the programs of the machine.
    const { stdout } = await alice.daemon.cli('doctor', ['--json'])
    const { ok, machine, nodes } = JSON.parse(stdout) as Diagnosis
    assert.equal(ok, true)
    const about = (findings: readonly Finding[] | undefined, what: string) =>
      findings?.filter((found) => found.about === what).map(({ severity }) => severity)
    assert.deepEqual(about(machine, 'wg'), ['ok'])
    assert.deepEqual(about(machine, 'permissions'), ['ok'])
    assert.deepEqual(about(machine, 'ports'), ['ok'])
    assert.deepEqual(about(machine, 'ipv6'), ['note'])
    assert.equal(nodes[0]?.node, alice.wireguard.name)
    assert.deepEqual(about(nodes[0]?.findings, 'mesh'), ['ok'])
    assert.deepEqual(about(nodes[0]?.findings, 'udp'), ['ok'])
    assert.deepEqual(about(nodes[0]?.findings, 'nat'), ['note'])
    for (const { severity, mend } of machine) assert.equal(mend === null, severity === 'ok')
    const text = await alice.daemon.cli('doctor')
    assert.match(text.stdout, /^this machine\n {2}ok {6}node: Node /)
  })

  test('ends with 1 where something has to be mended: here the tool wg', async () => {
    const PATH = join(lab.directory, 'programs')
    await mkdir(PATH)
    await symlink(process.execPath, join(PATH, 'node'))
    await symlink((await run('which', ['nsenter'])).stdout.trim(), join(PATH, 'nsenter'))
    const { stdout } = await alice.daemon.cli('doctor', [], { exitCodes: [1], env: { PATH } })
    assert.match(stdout, /failure wg: the tool wg was not found\n {10}→ install wireguard-tools\n/)
  })
})

describe('resolve', () => {
  test("prints a peer's record", async () => {
    const { stdout } = await alice.daemon.cli('resolve', [bob.wireguard.keys.publicKey, '--json'])
    const record = JSON.parse(stdout) as ResolvedRecord
    assert.equal(record.publicKey, bob.wireguard.keys.publicKey)
    assert.ok(record.candidates.some(({ address }) => address.startsWith(`${bob.host.address}:`)))
    const text = await alice.daemon.cli('resolve', [bob.wireguard.keys.publicKey])
    assert.ok(text.stdout.startsWith(`record: ${record.publicKey}\n`))
  })

  test('of a key that has no record says so in one line and ends with 1', async () => {
    const { publicKey } = generateWireGuardKeys()
    const { stdout, stderr } = await alice.daemon.cli('resolve', [publicKey], { exitCodes: [1] })
    assert.equal(stdout, '')
    assert.match(stderr, /^tunnelbore: no record of [^\n]+\n$/)
  })
})
