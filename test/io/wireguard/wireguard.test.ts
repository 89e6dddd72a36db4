import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { toString as toText } from 'uint8arrays'
import { type PublicKey, parsePublicKey, publicKeyFromBytes } from '../../../src/base/publicKey.js'
import { clearEndpoints, setEndpoints } from '../../../src/io/wireguard/endpoints.js'
import type { PeerDump } from '../../../src/io/wireguard/interfaceDump.js'
import { InterfaceReader, readInterface } from '../../../src/io/wireguard/interfaceReader.js'
import { listInterfaces } from '../../../src/io/wireguard/wgTool.js'
import { WireGuardError } from '../../../src/io/wireguard/wireguardError.js'
import { until } from '../../until.js'
import { run } from '../run.js'
import { type RealInterface, realInterface } from './realInterface.js'

describe('wireguard-go through wg', () => {
  let ours: RealInterface
  let directory: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'wg-'))
    ours = await realInterface()
  })

  after(async () => {
    await ours.remove()
    rmSync(directory, { recursive: true })
  })

  it('is listed, and says that it has no private key as long as it has none', async () => {
    assert.ok((await listInterfaces()).includes(ours.name))
    await assert.rejects(readInterface(ours.name), { kind: 'no-private-key' })
  })

  it('is read as it was set, once and through the reader', async () => {
    const { privateKey, publicKey } = newKey()
    set(ours, ['private-key', file('private', privateKey), 'listen-port', '0', 'fwmark', '0x51'])
    const peer = newKey().publicKey
    set(ours, ['peer', peer, 'allowed-ips', '10.1.0.0/16,fd01::/64', 'persistent-keepalive', '9'])
    const reader = new InterfaceReader(ours.name)
    try {
      for (const read of [await readInterface(ours.name), await reader.read(), await reader.read()]) {
        assert.equal(toText(read.privateKey, 'base64pad'), privateKey)
        assert.equal(read.publicKey, publicKey)
        assert.ok(read.listenPort > 0)
        assert.equal(read.fwmark, 0x51)
        assert.deepEqual(
          read.peers.map(({ publicKey, endpoint, persistentKeepalive }) => [
            publicKey,
            endpoint,
            persistentKeepalive,
          ]),
          [[peer, undefined, 9]],
        )
      }
    } finally {
      reader.close()
      set(ours, ['peer', peer, 'remove'])
    }
  })

  it('is given the endpoints of many peers at once, but no peer that it has not', async () => {
    const keys = Array.from({ length: 600 }, () => someKey())
    set(
      ours,
      keys.flatMap((key) => ['peer', key]),
    )
    const stranger = someKey()
    try {
      await setEndpoints(
        ours.name,
        [...keys, stranger].map((publicKey, index) => ({
          publicKey,
          endpoint: { ip: index % 2 === 0 ? '127.77.0.1' : '2001:db8::1', port: index + 1 },
        })),
      )
      const { peers } = await readInterface(ours.name)
      assert.equal(peers.length, keys.length)
      for (const { publicKey, endpoint } of peers) {
        const index = keys.indexOf(publicKey)
        assert.deepEqual(endpoint, { ip: index % 2 === 0 ? '127.77.0.1' : '2001:db8::1', port: index + 1 })
      }
    } finally {
      set(
        ours,
        keys.flatMap((key) => ['peer', key, 'remove']),
      )
    }
  })

  it('loses the endpoints that are cleared, and nothing else of its peers', async () => {
    const [withSecret, plain, bare, untouched] = [newKey(), newKey(), newKey(), newKey()]
    const secret = run('wg', ['genpsk'])
    const everything = ['allowed-ips', '10.2.0.1/32,fd02::/64', 'persistent-keepalive', '7']
    set(ours, [
      ...['peer', withSecret.publicKey, 'preshared-key', file('psk', secret), 'endpoint', '127.77.0.1:1'],
      ...everything,
      ...['peer', plain.publicKey, 'endpoint', '127.77.0.2:1', 'allowed-ips', '0.0.0.0/0'],
      ...['peer', bare.publicKey, 'endpoint', '127.77.0.3:1'],
      ...['peer', untouched.publicKey, 'endpoint', '192.0.2.4:1', 'allowed-ips', '10.4.0.0/24'],
    ])
    const before = peerLines(ours)
    const cleared = [withSecret.publicKey, plain.publicKey, bare.publicKey]
    const real = run('sh', ['-c', 'command -v wg'])
    await withPath({ wg: `echo "$*" >> ${join(directory, 'arguments')}; exec ${real} "$@"` }, () =>
      clearEndpoints(ours.name, [...cleared, someKey()]),
    )
    const args = readFileSync(join(directory, 'arguments'), 'utf8')
    assert.ok(args.includes(withSecret.publicKey))
    assert.ok(!args.includes(secret))
    const after = peerLines(ours)
    assert.equal(after.size, 4)
    assert.equal(after.get(untouched.publicKey)?.join(), before.get(untouched.publicKey)?.join())
    for (const key of cleared) {
      const [, presharedKey, , allowedIps, , , , keepalive] = before.get(key) ?? []
      assert.deepEqual(after.get(key), [key, presharedKey, '(none)', allowedIps, '0', '0', '0', keepalive])
    }
    set(
      ours,
      [...cleared, untouched.publicKey].flatMap((key) => ['peer', key, 'remove']),
    )
  })

  it('keeps the sessions of other peers when one is cleared, and can get a new one with that', async () => {
    const neighbours = [await realInterface(ours), await realInterface(ours)] as const
    try {
      const key = newKey()
      set(ours, ['private-key', file('private', key.privateKey), 'fwmark', '0'])
      const presharedKey = ['preshared-key', file('psk', run('wg', ['genpsk']))]
      const ourPort = (await readInterface(ours.name)).listenPort
      const [cleared, kept] = await Promise.all(
        neighbours.map(async (neighbour) => {
          const { privateKey, publicKey } = newKey()
          set(neighbour, ['private-key', file('private', privateKey)])
          const port = (await readInterface(neighbour.name)).listenPort
          const eager = [...presharedKey, 'persistent-keepalive', '1']
          set(neighbour, ['peer', key.publicKey, 'endpoint', `127.0.0.1:${ourPort}`, ...eager])
          set(ours, ['peer', publicKey, 'endpoint', `127.0.0.1:${port}`, ...eager])
          return { publicKey, port }
        }),
      )
      assert.ok(cleared !== undefined && kept !== undefined)
      for (const { name } of [ours, ...neighbours])
        run('ip', ['-n', ours.namespace, 'link', 'set', name, 'up'])
      await until('both sessions', async () => {
        const peers = await Promise.all([cleared, kept].map(({ publicKey }) => peerOf(ours, publicKey)))
        return peers.every(({ latestHandshake }) => latestHandshake !== undefined)
      })

      const before = await peerOf(ours, kept.publicKey)
      await clearEndpoints(ours.name, [cleared.publicKey])
      const { endpoint, latestHandshake } = await peerOf(ours, cleared.publicKey)
      assert.deepEqual({ endpoint, latestHandshake }, { endpoint: undefined, latestHandshake: undefined })
      await until("a keepalive in the other peer's session", async () => {
        return (await peerOf(ours, kept.publicKey)).rxBytes > before.rxBytes
      })
      assert.equal((await peerOf(ours, kept.publicKey)).latestHandshake, before.latestHandshake)

      await setEndpoints(ours.name, [
        { publicKey: cleared.publicKey, endpoint: { ip: '127.0.0.1', port: cleared.port } },
      ])
      await until('a new session with the cleared peer', async () => {
        return (await peerOf(ours, cleared.publicKey)).latestHandshake !== undefined
      })
    } finally {
      for (const neighbour of neighbours) await neighbour.remove()
    }
  })

  it('that is not there is named, with those that are', async () => {
    for (const attempt of [
      () => readInterface('tbnone'),
      () => new InterfaceReader('tbnone').read(),
      () => setEndpoints('tbnone', [{ publicKey: someKey(), endpoint: { ip: '192.0.2.1', port: 1 } }]),
      () => clearEndpoints('tbnone', [someKey()]),
    ])
      await assert.rejects(attempt, (error) => {
        assert.ok(error instanceof WireGuardError)
        assert.equal(error.kind, 'no-such-interface')
        assert.match(
          error.message,
          new RegExp(`^there is no WireGuard interface tbnone: there is .*${ours.name}`),
        )
        return true
      })
    await assert.rejects(readInterface('lo'), { kind: 'no-such-interface' })
  })

  for (const name of ['all', 'interfaces', '', '--help', 'a/b', 'sixteen-letters-'])
    it(`"${name}" is no name of an interface`, async () => {
      await assert.rejects(readInterface(name), { kind: 'no-such-interface' })
    })

  it('a missing wg is said, and what to install', async () => {
    const missing = { kind: 'tool-missing', message: 'the tool wg was not found: install wireguard-tools' }
    await withPath({}, async () => {
      await assert.rejects(listInterfaces(), missing)
      await assert.rejects(readInterface(ours.name), missing)
      const reader = new InterfaceReader(ours.name)
      await assert.rejects(reader.read(), missing)
      reader.close()
    })
  })

  for (const complaint of ['Operation not permitted', 'Permission denied'])
    it(`"${complaint}" says who may`, async () => {
      const denied = {
        kind: 'no-permission',
        message: `no permission to use ${ours.name}: run as root or with CAP_NET_ADMIN (for wireguard-go, as the owner of its socket)`,
      }
      await withPath({ wg: `echo "Unable to access interface: ${complaint}" >&2; exit 1` }, async () => {
        await assert.rejects(readInterface(ours.name), denied)
        const reader = new InterfaceReader(ours.name)
        await assert.rejects(reader.read(), denied)
        reader.close()
      })
    })

  it('the reader starts another shell when its own is gone, and leaves none behind', async () => {
    const reader = new InterfaceReader(ours.name)
    await reader.read()
    const [shell] = shellsReading(ours.name)
    assert.ok(shell !== undefined)
    process.kill(shell, 'SIGKILL')
    await until('the end of the shell', () => !shellsReading(ours.name).includes(shell))
    assert.equal((await reader.read()).name, ours.name)
    reader.close()
    await until('no shell', () => shellsReading(ours.name).length === 0)
  })

  function set(at: RealInterface, args: readonly string[]): void {
    run('wg', ['set', at.name, ...args])
  }

  function file(name: string, content: string): string {
    const path = join(directory, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }

  /** Runs `act` while only `sh`, `cat` and the given shell scripts are found as tools. */
  async function withPath(tools: Readonly<Record<string, string>>, act: () => Promise<void>): Promise<void> {
    const { PATH } = process.env
    const bin = mkdtempSync(join(directory, 'bin-'))
    for (const tool of ['sh', 'cat']) symlinkSync(run('sh', ['-c', `command -v ${tool}`]), join(bin, tool))
    for (const [tool, script] of Object.entries(tools))
      writeFileSync(join(bin, tool), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    Object.assign(process.env, { PATH: bin })
    try {
      await act()
    } finally {
      Object.assign(process.env, { PATH })
    }
  }
})

function newKey(): { readonly privateKey: string; readonly publicKey: PublicKey } {
  const privateKey = run('wg', ['genkey'])
  const publicKey = parsePublicKey(run('wg', ['pubkey'], privateKey))
  assert.ok(publicKey !== undefined)
  return { privateKey, publicKey }
}

/** A public key whose private key nobody knows. */
function someKey(): PublicKey {
  return publicKeyFromBytes(randomBytes(32))
}

async function peerOf(at: RealInterface, key: PublicKey): Promise<PeerDump> {
  const found = (await readInterface(at.name)).peers.find(({ publicKey }) => publicKey === key)
  assert.ok(found !== undefined)
  return found
}

/** The fields of each peer's line in the dump, by its key. */
function peerLines(at: RealInterface): ReadonlyMap<string, readonly string[]> {
  const [, ...lines] = run('wg', ['show', at.name, 'dump']).split('\n')
  return new Map(lines.map((line) => line.split('\t')).map((fields) => [fields[0] ?? '', fields]))
}

/** The shells that wait to read the interface `name`. */
function shellsReading(name: string): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return command[0] === 'sh' && command.includes(name)
      } catch {
        return false
      }
    })
    .map(Number)
}
