/** Wrong use, and machines that lack something: one line names it and the mend, and nothing has changed on the system. */

import assert from 'node:assert/strict'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { daemonArguments } from './daemons.js'
import type { Host } from './host.js'
import { Laboratory } from './laboratory.js'
import { UdpProbe } from './udpProbe.js'
import { generateWireGuardKeys, WireGuard } from './wireguard.js'

const NODE_ID = '12D3KooWSakGi3TgU51Aac4PyhJ8dq9CZwLqvPBPxXQWxYZzGqDV'

let lab: Laboratory
let host: Host
let wireguard: WireGuard

before(async () => {
  lab = await Laboratory.create()
  host = await lab.host()
  wireguard = await WireGuard.create(host, {
    addresses: ['10.9.0.1'],
    peers: [
      { publicKey: generateWireGuardKeys().publicKey, allowedIps: ['10.9.0.2/32'] },
      {
        publicKey: generateWireGuardKeys().publicKey,
        allowedIps: ['10.9.0.3/32'],
        endpoint: { ip: '203.0.113.200', port: 4_500 },
      },
    ],
  })
})

after(() => lab.close())

describe('Exit code 1 and one line for', () => {
  test('an interface that does not exist', () =>
    assertFails({
      command: ['up', 'wg-none'],
      exitCode: 1,
      says: /no WireGuard interface wg-none: there is /,
    }))

  test('a WireGuard interface without a private key', async () => {
    await host.run('wg', ['set', wireguard.name, 'private-key', '/dev/null'])
    await assertFails({ exitCode: 1, says: /no private key: set one with "wg set/ })
    const file = join(lab.directory, 'private-key')
    await writeFile(file, wireguard.keys.privateKey, { mode: 0o600 })
    await host.run('wg', ['set', wireguard.name, 'private-key', file])
  })

  test('a machine without wg', async () => {
    const path = join(lab.directory, 'tools')
    await mkdir(path)
    for (const tool of ['ip', 'flock', 'sh']) {
      const { stdout } = await host.run('sh', ['-c', `command -v ${tool}`])
      await symlink(stdout.trim(), join(path, tool))
    }
    await assertFails({ via: ['env', `PATH=${path}`], exitCode: 1, says: /wg.*install wireguard-tools/ })
  })

  test('a user without the right to see the interface', () =>
    assertFails({
      via: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
      exitCode: 1,
      says: new RegExp(`${wireguard.name}.*(root|CAP_NET_ADMIN)`),
    }))

  test('a port that another program has', async () => {
    const other = await UdpProbe.open(host)
    const args = ['--listen-port', String(other.port)]
    await assertFails({ args, exitCode: 1, says: new RegExp(`${other.port}.*in use.*--listen-port`) })
    await other.close()
  })

  test('a status where nothing runs', () =>
    assertFails({ command: ['status'], options: [], exitCode: 1, says: /no node runs.*tunnelbore up/ }))
})

describe('Exit code 2 and one line for', () => {
  const WRONG: Readonly<Record<string, readonly [args: readonly string[], says: RegExp]>> = {
    'a multiaddr that is none': [['--bootstrap', 'example.org:51821'], /--bootstrap.*multiaddr.*as in/],
    'a multiaddr without an identity': [
      ['--bootstrap', '/ip4/203.0.113.1/tcp/51821'],
      /--bootstrap.*\/p2p\//,
    ],
    'a multiaddr over another transport': [
      ['--bootstrap', `/ip4/203.0.113.1/udp/51821/quic-v1/p2p/${NODE_ID}`],
      /--bootstrap/,
    ],
    'a port that is none': [['--listen-port', '65536'], /--listen-port.*65535/],
    'a reflector without a port': [['--stun', 'stun.example.org'], /--stun.*<host>:<port>/],
    'an option that does not exist': [['--frobnicate'], /--frobnicate.*--help/],
    'options that exclude each other': [['--reachable', '--unreachable'], /--reachable.*--unreachable/],
    'a log level that does not exist': [['--log-level', 'loud'], /--log-level.*trace/],
    'a configuration file that does not exist': [['--config', '/none.toml'], /\/none\.toml.*--config/],
    'a network key that does not exist': [['--network-key', '/none.key'], /\/none\.key.*--network-key/],
  }
  for (const [what, [args, says]] of Object.entries(WRONG)) {
    test(what, () => assertFails({ args, exitCode: 2, says }))
  }

  const FILES: Readonly<Record<string, readonly [option: string, content: string, says: RegExp]>> = {
    'a configuration file that is no TOML': ['--config', 'network = "x"\nnetwork', /line 2.*TOML/],
    'an unknown key in a configuration file': ['--config', 'netwrok = "x"', /netwrok.*known here/],
    'a wrong value in a configuration file': ['--config', 'listen-port = "high"', /listen-port in .*65535/],
    'a network key that is none': ['--network-key', 'not a key', /no network key.*hexadecimal/],
  }
  for (const [what, [option, content, says]] of Object.entries(FILES)) {
    test(what, async () => {
      const file = join(lab.directory, 'bad-input')
      await writeFile(file, content)
      await assertFails({ args: [option, file], exitCode: 2, says })
    })
  }

  test('a name that no interface can have', () =>
    assertFails({ command: ['up', 'wg/0'], exitCode: 2, says: /wg\/0.*interface name/ }))

  test('no interface at all', () => assertFails({ command: ['up'], exitCode: 2, says: /interface.*--help/ }))

  test('no command at all', () =>
    assertFails({ command: [], options: [], exitCode: 2, says: /command.*--help/ }))

  test('a command that does not exist', () =>
    assertFails({ command: ['down'], options: [], exitCode: 2, says: /down.*--help/ }))

  test('a public key that is none', () =>
    assertFails({ command: ['resolve', 'abc'], options: [], exitCode: 2, says: /abc.*public key.*44/ }))
})

interface Failure {
  /** Default: `up` on the interface. */
  readonly command?: readonly string[]
  /** What follows the command in place of the usual directories. */
  readonly options?: readonly string[]
  /** What follows those. */
  readonly args?: readonly string[]
  /** A program that runs the one before it in another environment. */
  readonly via?: readonly string[]
  readonly exitCode: 1 | 2
  readonly says: RegExp
}

async function assertFails({
  command,
  options,
  args = [],
  via = [],
  exitCode,
  says,
}: Failure): Promise<void> {
  const before = await system()
  const all = daemonArguments(host, wireguard.name, command ?? ['up', wireguard.name], {
    args: ['--log-level', 'error', ...args],
  })
  const [program = '', ...rest] = [
    ...via,
    process.execPath,
    ...(options === undefined ? all : [all[0] ?? '', ...(command ?? []), ...options]),
  ]
  // One that does not fail would run for ever.
  const output = await host.run('timeout', ['10', program, ...rest], { exitCodes: [0, 1, 2] })
  assert.match(output.stderr, /^tunnelbore: [^\n]+\n$/, 'it says one line')
  assert.match(output.stderr, says)
  assert.equal(output.stdout, '')
  assert.equal(output.exitCode, exitCode)
  assert.deepEqual(await system(), before)
}

/** What a daemon could have changed. */
async function system(): Promise<unknown> {
  const dump = await host.run('wg', ['show', wireguard.name, 'dump'], { exitCodes: [0, 1] })
  const sockets = await host.run('ss', ['-nltuaH'])
  const runDirectory = join(lab.directory, wireguard.name, 'run')
  const files = await readdir(runDirectory).catch(() => [])
  return { dump: dump.stdout.split('\n').sort(), sockets: sockets.stdout.split('\n').sort(), files }
}
