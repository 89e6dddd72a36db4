/** What the daemon changed on the system is as it was before, however it ends. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { until } from '../until.js'
import { run } from './command.js'
import { daemonArguments, UpNode } from './daemons.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'
import { generateWireGuardKeys, WireGuard, type WireGuardPeer } from './wireguard.js'

/** One with an endpoint, one without, and both again with everything else that a peer can have. */
const PEERS: readonly WireGuardPeer[] = [
  { publicKey: newKey(), allowedIps: ['10.9.0.2/32'], endpoint: { ip: '203.0.113.200', port: 4_500 } },
  { publicKey: newKey(), allowedIps: ['10.9.0.3/32'] },
  {
    publicKey: newKey(),
    allowedIps: ['10.9.0.4/32', '10.10.0.0/16'],
    endpoint: { ip: '2001:db8::200', port: 4_500 },
    presharedKey: randomBytes(32).toString('base64'),
    keepaliveS: 25,
  },
  {
    publicKey: newKey(),
    allowedIps: ['10.9.0.5/32', '10.11.0.0/16', 'fd00::5/128'],
    presharedKey: randomBytes(32).toString('base64'),
    keepaliveS: 15,
  },
]

let lab: Laboratory
let host: Host
let wireguard: WireGuard
/** The interface's whole configuration, and the processes of the host, before the daemon. */
let system: System

before(async () => {
  lab = await Laboratory.create()
})

after(() => lab.close())

beforeEach(async () => {
  host = await lab.host()
  wireguard = await WireGuard.create(host, { addresses: ['10.9.0.1'], peers: PEERS })
  system = await look()
})

describe('The daemon leaves everything as it was', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`after ${signal}, and ends with 0`, async () => {
      const node = await UpNode.start(wireguard)
      await assertTakenOver()
      assert.ok((await look()).processes.length > system.processes.length + 1, 'it has child processes')

      await node.process.stop(signal)

      assert.equal(node.process.exitCode, 0)
      assert.deepEqual(await look(), system)
      assert.deepEqual(await readdir(node.runDirectory), [])
    })
  }

  test('after it was killed, was started again and ended', async () => {
    const killed = await UpNode.start(wireguard)
    await killed.process.stop('SIGKILL')
    await assertTakenOver()
    await until('its children to end', async () => {
      return (await look()).processes.length === system.processes.length
    })

    const node = await UpNode.start(wireguard)
    await assertTakenOver()
    await node.stop()

    assert.deepEqual(await look(), system)
    assert.deepEqual(await readdir(node.runDirectory), [])
  })

  test('after it was killed, and started again on another port', async () => {
    const killed = await UpNode.start(wireguard)
    await killed.process.stop('SIGKILL')
    const node = await UpNode.start(wireguard, { args: ['--listen-port', '52001'] })
    await assertTakenOver()
    await node.stop()
    assert.deepEqual(await look(), system)
  })

  test('after it was killed twice in a row, the second time as soon as it had noted anything', async () => {
    const first = await UpNode.start(wireguard)
    await first.process.stop('SIGKILL')
    const loopback = await endpoints()
    const second = host.spawn('node', daemonArguments(host, wireguard.name, ['up', wireguard.name]))
    await second.waitForOutput(/\n/)
    await second.stop('SIGKILL')
    const node = await UpNode.start(wireguard)
    assert.deepEqual(await endpoints(), loopback)
    await node.stop()
    assert.deepEqual(await look(), system)
    assert.deepEqual(await readdir(node.runDirectory), [])
  })
})

describe('What wg-quick saves with SaveConfig', () => {
  const showconf = async () => (await host.run('wg', ['showconf', wireguard.name])).stdout

  test('is the same as ever once the daemon has ended', async () => {
    const before = await showconf()
    const node = await UpNode.start(wireguard)
    assert.match(await showconf(), /Endpoint = 127\./)
    await node.stop()
    assert.deepEqual(sections(await showconf()), sections(before))
  })

  test('while it ran is recognised: an endpoint of ours is not taken for one of the peer, on another port either', async () => {
    const killed = await UpNode.start(wireguard)
    const saved = join(host.namespace.scope.directory, 'saved.conf')
    await writeFile(saved, await showconf(), { mode: 0o600 })
    await killed.process.stop('SIGKILL')
    // wg-quick down and up, and a state that was lost meanwhile.
    await rm(killed.stateDirectory, { recursive: true })
    await host.run('wg', ['setconf', wireguard.name, saved])
    const node = await UpNode.start(wireguard, { args: ['--listen-port', '52001'] })
    await assertTakenOver()
    assert.ok(!(await readFile(join(node.stateDirectory, `${wireguard.name}.json`), 'utf8')).includes('127.'))
    await node.stop()
    assert.doesNotMatch(await showconf(), /Endpoint = 127\./)
  })
})

/** Of a configuration; the order of peers means nothing. */
function sections(configuration: string): readonly string[] {
  return configuration
    .split(/\n(?=\[)/)
    .map((section) => section.trim())
    .sort()
}

describe('A second daemon on the same interface', () => {
  test('says so in one line, ends with 1, and the first one goes on', async () => {
    const node = await UpNode.start(wireguard)
    const taken = await look()
    const args = daemonArguments(host, wireguard.name, ['up', wireguard.name], {
      args: ['--log-level', 'error'],
    })
    const second = await host.run('node', args, { exitCodes: [1] })
    assert.match(second.stderr, /^tunnelbore: [^\n]*runs[^\n]*\n$/)
    assert.match(second.stderr, new RegExp(`\\b${node.process.pid}\\b`))
    assert.deepEqual((await look()).configuration, taken.configuration)
    await assertTakenOver()
    assert.equal((await node.status()).peers.length, PEERS.length)
    await node.stop()
    assert.deepEqual(await look(), system)
  })
})

interface System {
  /** Lines of `wg show dump` without the counters; their order means nothing. */
  readonly configuration: readonly string[]
  readonly processes: readonly string[]
}

/** Of the peers, which wireguard-go names in any order. */
async function endpoints(): Promise<ReadonlyMap<string, unknown>> {
  return new Map((await wireguard.peers()).map(({ publicKey, endpoint }) => [publicKey, endpoint]))
}

async function look(): Promise<System> {
  const dump = await host.run('wg', ['show', wireguard.name, 'dump'])
  // From outside: the one who looks is not in the namespace.
  const processes = await run('ip', ['netns', 'pids', host.namespace.name])
  const [ownLine = '', ...peers] = dump.stdout.trimEnd().split('\n')
  return {
    configuration: [ownLine, ...peers.map(withoutCounters).sort()],
    processes: processes.stdout.trimEnd().split('\n').sort(),
  }
}

/** A peer's fields but for the fifth to seventh: latest handshake, bytes received, bytes sent. */
function withoutCounters(line: string): string {
  return line
    .split('\t')
    .filter((_, index) => index < 4 || index > 6)
    .join(' ')
}

async function assertTakenOver(): Promise<void> {
  const endpoints = (await wireguard.peers()).map(({ endpoint }) => endpoint?.ip ?? '')
  assert.ok(
    endpoints.every((ip) => ip.startsWith('127.')),
    `endpoints: ${endpoints}`,
  )
}

function newKey(): WireGuardPeer['publicKey'] {
  return generateWireGuardKeys().publicKey
}
