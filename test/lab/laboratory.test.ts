import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../until.js'
import { Laboratory } from './laboratory.js'
import { UdpProbe } from './udpProbe.js'
import { WireGuard } from './wireguard.js'

const ABANDONED_LAB = fileURLToPath(new URL('./programs/abandonedLab.js', import.meta.url))

describe('A laboratory', () => {
  let lab: Laboratory

  before(async () => {
    lab = await Laboratory.create()
  })

  after(() => lab.close())

  test('has hosts that reach each other over IPv4 and IPv6', async () => {
    const [a, b] = await Promise.all([lab.host(), lab.host()])
    for (const address of [b.address, b.address6 ?? '']) {
      const { sent, received, rttsMs } = await a.ping(address, { count: 2, intervalMs: 10 })
      assert.deepEqual({ sent, received, answers: rttsMs.length }, { sent: 2, received: 2, answers: 2 })
    }
  })

  test('carries plain WireGuard between hosts in the open', async () => {
    const [a, b] = await Promise.all([lab.host(), lab.host()])
    const [left, right] = await Promise.all([
      WireGuard.create(a, { addresses: ['10.1.0.1'] }),
      WireGuard.create(b, { addresses: ['10.1.0.2', 'fd01::2'], listenPort: 51820 }),
    ])
    await right.setPeer({ publicKey: left.keys.publicKey, allowedIps: ['10.1.0.1/32'] })
    await left.setPeer({
      publicKey: right.keys.publicKey,
      allowedIps: ['10.1.0.2/32', 'fd01::2/128'],
      endpoint: { ip: b.address, port: 51820 },
    })
    assert.equal((await a.ping('10.1.0.2')).received, 1)
    assert.equal(await right.listenPort(), 51820)
    const [peer, ...others] = await right.peers()
    assert.equal(others.length, 0)
    assert.deepEqual(peer?.endpoint, { ip: a.address, port: await left.listenPort() })
    assert.ok(peer.latestHandshakeS > 0 && peer.rxBytes > 0)
  })

  test('has hosts whose whole traffic can go through a tunnel', async () => {
    const [a, b, beyond] = await Promise.all([lab.host(), lab.host(), lab.host()])
    const exit = await WireGuard.create(b, { addresses: ['10.2.0.2'], listenPort: 51820 })
    const full = await WireGuard.create(a, {
      addresses: ['10.2.0.1'],
      peers: [
        {
          publicKey: exit.keys.publicKey,
          allowedIps: ['0.0.0.0/0'],
          endpoint: { ip: b.address, port: 51820 },
        },
      ],
    })
    await exit.setPeer({ publicKey: full.keys.publicKey, allowedIps: ['10.2.0.1/32'] })
    await b.namespace.configure({ 'net/ipv4/ip_forward': 1 }, [])
    await beyond.namespace.configure({}, [`route add 10.2.0.1/32 via ${b.address}`])
    // 8.8.8.8 is beyond the tunnel only: it stands for the internet's far side, on a host that has it as its own.
    await beyond.namespace.configure({}, ['address add 8.8.8.8/32 dev lo'])
    await b.namespace.configure({}, [`route add 8.8.8.8/32 via ${beyond.address}`])
    assert.equal((await a.ping('8.8.8.8')).received, 1)
  })

  test('records what crosses the internet', async () => {
    const [a, b] = await Promise.all([lab.host(), lab.host()])
    const capture = await lab.capture()
    for (const [family, from, to] of [
      [4, a.address, b.address],
      [6, a.address6 ?? '', b.address6 ?? ''],
    ] as const) {
      const [sender, receiver] = await Promise.all([UdpProbe.open(a, family), UdpProbe.open(b, family)])
      const text = `over IPv${family}`
      await sender.send({ ip: to, port: receiver.port }, text)
      await receiver.receive()
      const [packet, ...others] = (await capture.packets()).filter(
        ({ transport }) => transport?.destination.ip === to,
      )
      assert.equal(others.length, 0)
      assert.deepEqual(packet?.transport, {
        protocol: 'udp',
        source: { ip: from, port: sender.port },
        destination: { ip: to, port: receiver.port },
        payload: packet?.bytes.subarray(-text.length),
      })
      assert.equal(Buffer.from(packet?.transport?.payload ?? []).toString(), text)
      assert.ok(Math.abs(packet.timeMs - Date.now()) < 60_000)
    }
    assert.ok((await capture.stop()).length > 2)
  })

  test('delays what a slow uplink carries, in order', async () => {
    const delayMs = 30
    const gateway = await lab.gateway('port-restricted', { delayMs })
    const [slow, open, inside] = await Promise.all([
      lab.host({ delayMs }),
      lab.host(),
      lab.host({ behind: gateway }),
    ])
    for (const [host, address, expected] of [
      [open, slow.address, 2 * delayMs],
      [inside, slow.address, 4 * delayMs],
      [inside, open.address, 2 * delayMs],
    ] as const) {
      const { received, rttsMs } = await host.ping(address, { count: 3, intervalMs: 10 })
      assert.equal(received, 3)
      for (const rttMs of rttsMs) assert.ok(rttMs >= expected, `${rttMs} ms where ${expected} are the least`)
    }
    const [sender, receiver] = await Promise.all([UdpProbe.open(slow), UdpProbe.open(open)])
    const texts = Array.from({ length: 50 }, (_, index) => String(index))
    for (const text of texts) await sender.send({ ip: open.address, port: receiver.port }, text)
    for (const text of texts) assert.equal((await receiver.receive()).text, text)
  })

  test('says which command failed, and why', async () => {
    const host = await lab.host()
    await assert.rejects(
      host.run('sh', ['-c', 'echo no such luck >&2; exit 3']),
      /sh -c .*exit code 3: no such luck$/,
    )
    await assert.rejects(host.spawn('sh', ['-c', 'exit 4']).waitForOutput(/ready/), /exit code 4 without/)
    await assert.rejects(lab.host({ name: host.name }), /there is a \S+ already/)
  })
})

describe('What a laboratory made', () => {
  test('is gone after it is closed, processes and all', async () => {
    const lab = await Laboratory.create()
    const host = await lab.host()
    const wireguard = await WireGuard.create(host, { addresses: ['10.3.0.1'] })
    // One that is not told to end: a grandchild that no one waits for.
    const shell = host.spawn('sh', ['-c', 'sleep 3600 & echo $!; exit 0'])
    const orphan = Number((await shell.waitForOutput(/^(\d+)$/m))[1])
    const traces: Traces = {
      files: filesOf(lab.directory, host.namespace.name, wireguard.name),
      processId: orphan,
    }
    assert.ok(isRunning(orphan) && present(traces).length > 0)
    await lab.close()
    await assertGone(traces)
  })

  test('is gone after its process was interrupted', async () => {
    const { child, traces } = await abandonedLab()
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [130, null])
    await assertGone(traces)
  })

  test('is removed by the next one after its process was killed', async () => {
    const { child, traces } = await abandonedLab()
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.ok(isRunning(traces.processId) && present(traces).length > 0, 'nobody could clean up')
    await (await Laboratory.create()).close()
    await assertGone(traces)
  })

  test('is left alone by others while its process lives', async () => {
    const { child, traces } = await abandonedLab()
    const files = present(traces)
    await (await Laboratory.create()).close()
    assert.deepEqual(present(traces), files)
    assert.ok(isRunning(traces.processId))
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [143, null])
    await assertGone(traces)
  })
})

interface AbandonedLab {
  readonly directory: string
  readonly namespace: string
  readonly interface: string
  readonly sleeper: number
}

/** What exists only as long as what a laboratory made does. */
interface Traces {
  readonly files: readonly string[]
  readonly processId: number
}

/** Starts another process with a laboratory. */
async function abandonedLab(): Promise<{ child: ChildProcess; traces: Traces }> {
  const child = fork(ABANDONED_LAB)
  const [made] = (await once(child, 'message')) as [AbandonedLab]
  const files = filesOf(made.directory, made.namespace, made.interface)
  return { child, traces: { files, processId: made.sleeper } }
}

function filesOf(directory: string, namespace: string, device: string): string[] {
  return [directory, `/run/netns/${namespace}`, `/var/run/wireguard/${device}.sock`]
}

function present({ files }: Traces): string[] {
  return files.filter((path) => existsSync(path))
}

async function assertGone(traces: Traces): Promise<void> {
  assert.deepEqual(present(traces), [])
  await until(`process ${traces.processId} to end`, () => !isRunning(traces.processId))
}

/** False for a zombie too: when those go is up to the machine's init. */
function isRunning(processId: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${processId}/status`, 'utf8'))
  } catch {
    return false
  }
}
