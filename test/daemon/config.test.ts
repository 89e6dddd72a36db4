import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { toString as toText } from 'uint8arrays'
import { bootstrapConfig, upConfig } from '../../src/daemon/config.js'
import { readNetworkKey } from '../../src/daemon/networkKey.js'
import { ConfigError, parseToml, readConfigFile, type Settings } from '../../src/daemon/settings.js'
import { PEER_ID } from '../cli/sampleStatus.js'
import { temporaryDirectory } from './temporaryDirectory.js'

const flags = (values: Readonly<Record<string, unknown>>): Settings => ({
  file: undefined,
  directory: '/work dir',
  values,
})

const file = (text: string): Settings => ({
  file: '/etc/tb.toml',
  directory: '/etc',
  values: parseToml(text, '/etc/tb.toml'),
})

/** The one line of the ConfigError that `action` throws. */
function complaint(action: () => unknown): string {
  let thrown: unknown
  try {
    action()
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown instanceof ConfigError, `no ConfigError but ${thrown}`)
  assert.equal(thrown.exitCode, 2)
  assert.doesNotMatch(thrown.message, /\n/)
  return thrown.message
}

test('with nothing but an interface the defaults hold', () => {
  assert.deepEqual(upConfig('wg0', [flags({})]), {
    interface: 'wg0',
    mesh: true,
    peers: new Map(),
    bootstrap: [],
    network: 'tunnelbore',
    networkKeyFile: undefined,
    gossipLimit: 2_000,
    lan: true,
    relay: { sessions: 1_000, bytesPerSecond: 125_000_000, ports: undefined },
    portMapping: true,
    alsoListen: [],
    listenPort: undefined,
    stun: [],
    reachability: 'auto',
    punching: { perSecond: 100, sockets: 256 },
    stateDir: '/var/lib/tunnelbore',
    runDir: '/run/tunnelbore',
    logLevel: 'info',
  })
})

test('every option can come from a file, whose paths start from its folder', () => {
  const config = upConfig('wg0', [
    flags({}),
    file(`
      bootstrap = ["/ip4/203.0.113.1/tcp/51821/p2p/${PEER_ID}", "/dnsaddr/example.org/p2p/${PEER_ID}"]
      network = "fleet-1"
      network-key = "tb.key"
      gossip-limit = 300
      lan = false
      relay-sessions = 50
      relay-rate = 10
      relay-ports = "40000-40099"
      port-mapping = false
      also-listen = [443, 8443, 443]
      listen-port = 4000
      stun = ["stun.example.org:3478", "192.0.2.1:3478", "[2001:DB8::1]:19302"]
      reachable = true
      punch-rate = 50
      punch-sockets = 0
      state-dir = "../state"
      run-dir = "/run/tb"
      log-level = "debug"
    `),
  ])
  assert.deepEqual(config, {
    interface: 'wg0',
    mesh: true,
    peers: new Map(),
    bootstrap: [`/ip4/203.0.113.1/tcp/51821/p2p/${PEER_ID}`, `/dnsaddr/example.org/p2p/${PEER_ID}`],
    network: 'fleet-1',
    networkKeyFile: '/etc/tb.key',
    gossipLimit: 300,
    lan: false,
    relay: { sessions: 50, bytesPerSecond: 1_250_000, ports: { first: 40_000, last: 40_099 } },
    portMapping: false,
    alsoListen: [443, 8443],
    listenPort: 4000,
    stun: [
      { host: 'stun.example.org', port: 3478 },
      { host: '192.0.2.1', port: 3478 },
      { host: '2001:db8::1', port: 19302 },
    ],
    reachability: 'reachable',
    punching: { perSecond: 50, sockets: 0 },
    stateDir: '/state',
    runDir: '/run/tb',
    logLevel: 'debug',
  })
})

test('the command line wins over the file, key by key', () => {
  const config = upConfig('wg0', [
    flags({ network: 'mine', reachable: false, stun: ['a.example:1'], 'state-dir': 'state' }),
    file('network = "theirs"\nlisten-port = 4000\nreachable = true\nstun = ["b.example:2"]\n'),
  ])
  assert.equal(config.network, 'mine')
  assert.equal(config.listenPort, 4000)
  assert.equal(config.reachability, 'unreachable')
  assert.deepEqual(config.stun, [{ host: 'a.example', port: 1 }])
  assert.equal(config.stateDir, '/work dir/state')
})

const wrongFlags: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
  [{ 'listen-port': 0 }, /^--listen-port: must be a port from 1 to 65535, not 0$/],
  [{ 'listen-port': 65_536 }, /^--listen-port: .* not 65536$/],
  [{ 'listen-port': 1.5 }, /^--listen-port: .* not 1\.5$/],
  [{ 'listen-port': 'http' }, /^--listen-port: .* not "http"$/],
  [{ 'gossip-limit': -1 }, /^--gossip-limit: must be a number of nodes from 0 to 100000, not -1$/],
  [{ 'gossip-limit': 100_001 }, /^--gossip-limit: .* not 100001$/],
  [{ 'gossip-limit': 1.5 }, /^--gossip-limit: .* not 1\.5$/],
  [{ 'gossip-limit': 'none' }, /^--gossip-limit: .* not "none"$/],
  [{ 'relay-sessions': 0 }, /^--relay-sessions: must be a number of sessions from 1 to 10000, not 0$/],
  [{ 'relay-sessions': 'many' }, /^--relay-sessions: .* not "many"$/],
  [{ 'relay-rate': 0.5 }, /^--relay-rate: must be a number of Mbit\/s from 1 to 100000, not 0\.5$/],
  [{ 'relay-ports': '40000' }, /^--relay-ports: must be <first>-<last>, as in 40000-40999, not "40000"$/],
  [{ 'relay-ports': '2-1' }, /^--relay-ports: /],
  [{ 'relay-ports': '0-9' }, /^--relay-ports: /],
  [{ 'relay-ports': '1-65536' }, /^--relay-ports: /],
  [{ relay: 'no' }, /^--relay: must be true or false, not "no"$/],
  [{ 'punch-rate': 9 }, /^--punch-rate: must be a number of checks a second from 10 to 10000, not 9$/],
  [{ 'punch-rate': 10_001 }, /^--punch-rate: .* not 10001$/],
  [{ 'punch-rate': 'fast' }, /^--punch-rate: .* not "fast"$/],
  [{ 'punch-sockets': -1 }, /^--punch-sockets: must be a number of sockets from 0 to 1024, not -1$/],
  [{ 'punch-sockets': 1_025 }, /^--punch-sockets: .* not 1025$/],
  [{ network: '' }, /^--network: must be 1 to 63 letters/],
  [{ network: 'a/b' }, /^--network: .* not "a\/b"$/],
  [{ network: 'x'.repeat(64) }, /^--network: /],
  [{ 'state-dir': '' }, /^--state-dir: must be a path, not ""$/],
  [{ 'run-dir': 'a\0b' }, /^--run-dir: must be a path, not "a\\u0000b"$/],
  [{ 'log-level': 'verbose' }, /^--log-level: must be one of trace, .*silent, not "verbose"$/],
  [{ bootstrap: ['203.0.113.1:51821'] }, /^--bootstrap: must be a multiaddr \(.*\), as in .* not "203/],
  [{ bootstrap: [''] }, /^--bootstrap: must end in \/p2p\//],
  [{ bootstrap: ['/ip4/203.0.113.1/tcp/51821'] }, /^--bootstrap: must end in \/p2p\//],
  [{ bootstrap: ['/ip4/203.0.113.1/tcp/51821/p2p/xyz'] }, /^--bootstrap: must end in \/p2p\//],
  [
    { bootstrap: [`/ip4/203.0.113/tcp/1/p2p/${PEER_ID}`] },
    /^--bootstrap: must be a multiaddr \(Invalid IPv4/,
  ],
  [{ bootstrap: [`/ip4/203.0.113.1/udp/51821/p2p/${PEER_ID}`] }, /^--bootstrap: must be over TCP/],
  [{ bootstrap: [`/ip4/203.0.113.1/tcp/0/p2p/${PEER_ID}`] }, /^--bootstrap: must be over TCP/],
  [{ bootstrap: [`/ip4/203.0.113.1/tcp/1/ws/p2p/${PEER_ID}`] }, /^--bootstrap: must be over TCP/],
  [{ bootstrap: [`/dns4/a b/tcp/1/p2p/${PEER_ID}`] }, /^--bootstrap: must name a host/],
  [
    { bootstrap: [`/ip4/203.0.113.1/tcp/1/p2p/${PEER_ID}/p2p-circuit/p2p/${PEER_ID}`] },
    /^--bootstrap: must be over TCP/,
  ],
  [{ stun: ['stun.example.org'] }, /^--stun: must be <host>:<port>/],
  [{ stun: ['stun.example.org:0'] }, /^--stun: /],
  [{ stun: ['2001:db8::1:3478'] }, /^--stun: /],
  [{ stun: ['[stun.example.org]:3478'] }, /^--stun: /],
  [{ stun: ['192.0.2:3478'] }, /^--stun: /],
  [{ stun: ['a..b:1'] }, /^--stun: /],
  [{ stun: ['bad host\n:1'] }, /^--stun: .*"bad host\\n:1"$/],
]

for (const [values, message] of wrongFlags) {
  test(`the command line ${JSON.stringify(values).slice(0, 90)} is refused by name`, () => {
    assert.match(
      complaint(() => upConfig('wg0', [flags(values)])),
      message,
    )
  })
}

const wrongFiles: readonly (readonly [string, RegExp])[] = [
  ['network =', /^\/etc\/tb\.toml, line 1: not valid TOML: invalid value$/],
  ['network = "a"\nnetwork = "b"', /^\/etc\/tb\.toml, line 2: not valid TOML: trying to redefine/],
  ['listen_port = 1', /^unknown key "listen_port" in \/etc\/tb\.toml; known here are bootstrap, /],
  ['[network]\nname = "a"', /^network in \/etc\/tb\.toml: must be 1 to 63 letters.* not a table$/],
  ['listen-port = "4000"', /^listen-port in \/etc\/tb\.toml: must be a port .* not "4000"$/],
  ['listen-port = 1979-05-27', /^listen-port in \/etc\/tb\.toml: .* not a date$/],
  ['bootstrap = "/ip4/203.0.113.1"', /^bootstrap in \/etc\/tb\.toml: must be a list of strings, not "/],
  ['stun = [1]', /^stun in \/etc\/tb\.toml: must be <host>:<port>.* not 1$/],
  ['stun = [["a.example:1"]]', /^stun in \/etc\/tb\.toml: .* not a list$/],
  ['reachable = "yes"', /^reachable in \/etc\/tb\.toml: must be true or false, not "yes"$/],
  ['unreachable = true', /^unknown key "unreachable" in/],
  ['__proto__ = 1', /^unknown key "__proto__" in/],
]

for (const [text, message] of wrongFiles) {
  test(`the file ${JSON.stringify(text)} is refused by key and file`, () => {
    assert.match(
      complaint(() => upConfig('wg0', [flags({}), file(text)])),
      message,
    )
  })
}

test('a node that does not relay is told so by either source, and what is wrong about it is still said', () => {
  assert.equal(upConfig('wg0', [flags({ relay: false })]).relay, undefined)
  assert.equal(bootstrapConfig([flags({}), file('relay = false')]).relay, undefined)
  assert.ok(upConfig('wg0', [flags({ relay: true }), file('relay = false')]).relay)
  assert.match(
    complaint(() => upConfig('wg0', [flags({ relay: false, 'relay-rate': 0 })])),
    /^--relay-rate: /,
  )
})

test('a bootstrap node knows no key that only up has', () => {
  assert.match(
    complaint(() => bootstrapConfig([flags({}), file('stun = []')])),
    /^unknown key "stun" in/,
  )
  assert.equal(bootstrapConfig([flags({ 'listen-port': 4001 })]).listenPort, 4001)
})

test('an interface is named as wg-quick allows it, and not as the bootstrap node', () => {
  for (const name of ['wg0', 'a', 'home.vpn_1=+-', 'x'.repeat(15)])
    assert.equal(upConfig(name, []).interface, name)
  for (const name of ['', '.', '..', '-x', 'a/b', 'a b', 'wg0\n', 'x'.repeat(16), 'bootstrap'])
    complaint(() => upConfig(name, []))
})

test('a configuration file that is not there is told with its path', async (t) => {
  const path = join(await temporaryDirectory(t), 'none.toml')
  await assert.rejects(readConfigFile(path), (error) => {
    assert.ok(error instanceof ConfigError)
    assert.equal(
      error.message,
      `cannot read ${path}: no such file or directory; give --config a readable TOML file`,
    )
    return true
  })
})

test('a configuration file is read with its folder', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'tb.toml')
  await writeFile(path, 'network = "a"\n')
  const settings = await readConfigFile(path)
  assert.equal(settings.directory, directory)
  assert.equal(upConfig('wg0', [settings]).network, 'a')
})

test('a network key is read in either spelling, and given in the one that pnet takes', async (t) => {
  const path = join(await temporaryDirectory(t), 'swarm.key')
  const digits = '0123456789abcdef'.repeat(4)
  for (const text of [
    `/key/swarm/psk/1.0.0/\n/base16/\n${digits}`,
    `/key/swarm/psk/1.0.0/\r\n/base16/\r\n${digits.toUpperCase()}\r\n`,
  ]) {
    await writeFile(path, text)
    assert.equal(toText(await readNetworkKey(path)), `/key/swarm/psk/1.0.0/\n/base16/\n${digits}\n`)
  }
})

test('a file that is no network key is refused, and never quoted', async (t) => {
  const path = join(await temporaryDirectory(t), 'swarm.key')
  const secret = 'ab'.repeat(31)
  for (const text of ['', secret, `/key/swarm/psk/1.0.0/\n/base16/\n${secret}`, `/base16/\n${secret}cd`]) {
    await writeFile(path, text)
    await assert.rejects(readNetworkKey(path), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.ok(error.message.startsWith(`${path} is no network key`))
      assert.ok(!error.message.includes(secret))
      return true
    })
  }
  await assert.rejects(readNetworkKey(`${path}.none`), ConfigError)
})

test('property: no settings make it throw anything but a ConfigError of one line', () => {
  const keys = [
    'bootstrap',
    'network',
    'network-key',
    'gossip-limit',
    'listen-port',
    'stun',
    'reachable',
    'punch-rate',
    'punch-sockets',
    'state-dir',
    'run-dir',
    'log-level',
  ]
  const values = fc.dictionary(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...keys) }, fc.string()),
    fc.oneof(fc.anything({ withDate: true, withBigInt: true }), fc.array(fc.string({ unit: 'binary' }))),
    { maxKeys: 3 },
  )
  fc.assert(
    fc.property(values, fc.string(), fc.boolean(), (given, name, asFile) => {
      try {
        upConfig(name, [{ file: asFile ? '/etc/x.toml' : undefined, directory: '/', values: given }])
      } catch (error) {
        assert.ok(error instanceof ConfigError)
        assert.doesNotMatch(error.message, /\n/)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('property: no text makes the TOML reader throw anything but a ConfigError of one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      try {
        parseToml(text, 'x.toml')
      } catch (error) {
        assert.ok(error instanceof ConfigError)
        assert.doesNotMatch(error.message, /\n/)
      }
    }),
  )
})

const KEYS = ['AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=', '//////////////////////////////////////////8=']

test('peers can be named, each once, by a name or an address', () => {
  const named = [`${KEYS[0]}=home.example.org:51820`, `${KEYS[1]}=[2001:DB8::1]:51820`]
  for (const source of [flags({ peer: named }), file(`peer = ${JSON.stringify(named)}`)]) {
    assert.deepEqual(
      [...upConfig('wg0', [source]).peers],
      [
        [KEYS[0], { host: 'home.example.org', port: 51_820 }],
        [KEYS[1], { host: '2001:db8::1', port: 51_820 }],
      ],
    )
  }
})

test('a peer that is named wrongly is refused in one line', () => {
  for (const [text, said] of [
    ['home.example.org:51820', 'must be <public key>=<host>:<port>'],
    ['AAAA=home.example.org:51820', 'must be <public key>=<host>:<port>'],
    [`${KEYS[0]}=home.example.org`, 'must name the host and its port after the key'],
    [`${KEYS[0]}=home.example.org:0`, 'must name the host and its port after the key'],
    [`${KEYS[0]}=2001:db8::1:51820`, 'must name the host and its port after the key'],
    [`${KEYS[0]}=127.0.0.1:51820`, 'must name an address of another machine'],
    [`${KEYS[0]}=[::1]:51820`, 'must name an address of another machine'],
    [`${KEYS[0]}=0.0.0.0:51820`, 'must name an address of another machine'],
  ] as const) {
    assert.match(
      complaint(() => upConfig('wg0', [flags({ peer: [text] })])),
      new RegExp(`^--peer: ${said}`),
      text,
    )
  }
  const twice = [`${KEYS[0]}=a.example:1`, `${KEYS[0]}=b.example:1`]
  assert.match(
    complaint(() => upConfig('wg0', [flags({ peer: twice })])),
    /is named twice/,
  )
  const unknown = complaint(() => bootstrapConfig([flags({ peer: [] })]))
  assert.match(unknown, /unknown key "peer"/)
})

test('without a mesh nothing can be said of one, but that something is off', () => {
  assert.equal(upConfig('wg0', [flags({ mesh: false })]).mesh, false)
  assert.equal(
    upConfig('wg0', [flags({ mesh: false, lan: false, relay: false, reachable: false })]).mesh,
    false,
  )
  assert.equal(upConfig('wg0', [file('mesh = false'), file('')]).mesh, false)
  for (const [key, value] of [
    ['bootstrap', [`/ip4/203.0.113.1/tcp/51821/p2p/${PEER_ID}`]],
    ['network', 'home'],
    ['network-key', 'key'],
    ['also-listen', [443]],
    ['reachable', true],
    ['relay-rate', 5],
  ] as const) {
    const said = complaint(() => upConfig('wg0', [flags({ mesh: false, [key]: value })]))
    assert.equal(said, `--${key}: means nothing without a mesh; leave it out, or leave --no-mesh out`)
  }
  assert.match(
    complaint(() => upConfig('wg0', [flags({ mesh: false }), file('network = "home"')])),
    /^network in \/etc\/tb\.toml: means nothing without a mesh/,
  )
})
