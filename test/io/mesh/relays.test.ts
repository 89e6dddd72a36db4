/** Reservations at relays, and what becomes of them when a relay does. Each relay has an address in a /24 of its own. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fromString, toString as toText } from 'uint8arrays'
import { addressOf, soon, startTestMesh, type TestMesh, until } from './meshes.js'
import { SilentProxy } from './proxy.js'

const RELAY = fileURLToPath(new URL('./relayProcess.js', import.meta.url))

/** libp2p itself would take 13 to 15 s over a relay that hangs. */
const SOON_MS = 9_000

interface RelayProcess {
  readonly address: string
  readonly process: ChildProcess
}

async function relayProcess(t: TestContext, ip: string): Promise<RelayProcess> {
  const child = spawn(process.execPath, [RELAY, ip], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  return { address: String(line), process: child }
}

function relayAt(t: TestContext, ip: string): Promise<TestMesh> {
  return startTestMesh(t, { serves: true, listen: [{ ip, port: 0 }] })
}

/** The addresses of the relays through which a node says that it is reached. */
function relaysOf(node: TestMesh): readonly string[] {
  const circuits = node.state().addresses.filter((address) => address.includes('/p2p-circuit'))
  return [...new Set(circuits.map((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1] ?? ''))]
}

function idOf(address: string): string {
  return address.split('/p2p/')[1] ?? ''
}

describe('a node behind NAT', () => {
  test('holds two reservations in different networks where there are two', async (t) => {
    const [near, beside, far] = await Promise.all(
      ['127.0.1.1', '127.0.1.2', '127.0.2.1'].map((ip) => relayAt(t, ip)),
    )
    assert(near && beside && far)
    const bootstrap = [near, beside, far].map(addressOf)
    for (const order of [bootstrap, bootstrap.toReversed()]) {
      const node = await startTestMesh(t, { bootstrap: order })
      await until(() => node.state().servers.length === 3)
      await until(() => node.state().reservations === 2 && relaysOf(node).includes(far.peerId))
    }
  })

  test('makes do with one network, and moves when there is another', async (t) => {
    const [near, beside] = await Promise.all(['127.0.1.1', '127.0.1.2'].map((ip) => relayAt(t, ip)))
    assert(near && beside)
    const identitySeed = randomBytes(32)
    const far = await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.2.1', port: 0 }] })
    const late = addressOf(far)
    await far.stop()
    const node = await startTestMesh(t, { bootstrap: [addressOf(near), addressOf(beside), late] })
    await until(() => node.state().reservations === 2)
    const port = Number(/\/tcp\/(\d+)/.exec(late)?.[1])
    await startTestMesh(t, { serves: true, identitySeed, listen: [{ ip: '127.0.2.1', port }] })
    await until(() => node.state().reservations === 2 && relaysOf(node).includes(far.peerId))
  })

  test('replaces a relay that is killed', async (t) => {
    const relays = await Promise.all(['127.0.1.1', '127.0.2.1', '127.0.3.1'].map((ip) => relayProcess(t, ip)))
    const node = await startTestMesh(t, { bootstrap: relays.map(({ address }) => address) })
    await until(() => node.state().servers.length === 3 && node.state().reservations === 2)
    for (const held of relaysOf(node).slice(0, 1)) {
      relays.find(({ address }) => idOf(address) === held)?.process.kill('SIGKILL')
      await until(() => node.state().reservations === 2 && !relaysOf(node).includes(held), SOON_MS)
    }
  })

  test('replaces a relay that hangs, and is knocked through the new one', async (t) => {
    const relays = await Promise.all(['127.0.1.1', '127.0.2.1', '127.0.3.1'].map((ip) => relayProcess(t, ip)))
    const node = await startTestMesh(t, { bootstrap: relays.map(({ address }) => address) })
    await until(() => node.state().servers.length === 3 && node.state().reservations === 2)
    const [held = ''] = relaysOf(node)
    const before = relaysOf(node)
    const hung = relays.find(({ address }) => idOf(address) === held)
    hung?.process.kill('SIGSTOP')
    t.after(() => hung?.process.kill('SIGCONT'))
    const fresh = () => relaysOf(node).find((id) => !before.includes(id))
    await until(() => fresh() !== undefined, SOON_MS)
    const multiaddrs = node.state().addresses.filter((address) => address.includes(fresh() ?? ''))
    const knocker = await startTestMesh(t)
    const to = { identity: node.identity, multiaddrs }
    assert.equal(toText(await knocker.knock(to, fromString('a'), soon())), 'answer to a')
    await until(() => !relaysOf(node).includes(held))
    assert.equal(node.state().reservations, 2)
  })

  test('keeps a relay that is only slow to answer, and has another meanwhile', async (t) => {
    const [slow, second, third] = await Promise.all(
      ['127.0.1.1', '127.0.2.1', '127.0.3.1'].map((ip) => relayAt(t, ip)),
    )
    assert(slow && second && third)
    const proxy = await SilentProxy.start(t, addressOf(slow))
    const spare = await SilentProxy.start(t, addressOf(third))
    // The third is not let in until the first two hold the reservations.
    spare.swallows = true
    const node = await startTestMesh(t, { bootstrap: [proxy.address, addressOf(second), spare.address] })
    await until(() => node.state().reservations === 2)
    spare.swallows = false
    await until(() => node.state().servers.length === 3)
    proxy.hold()
    await until(() => relaysOf(node).includes(third.peerId), SOON_MS)
    proxy.resume()
    await until(() => node.state().reservations === 2)
    assert.equal(proxy.accepted, 1)
  })

  test('finds a relay in another network that it was not told of', async (t) => {
    const first = await relayAt(t, '127.0.1.1')
    const bootstrap = [addressOf(first)]
    const at = (ip: string) => startTestMesh(t, { serves: true, listen: [{ ip, port: 0 }], bootstrap })
    const [second, far] = await Promise.all(['127.0.1.2', '127.0.2.1'].map(at))
    assert(second && far)
    await until(() => first.state().routingTable === 2)
    const node = await startTestMesh(t, { bootstrap: [...bootstrap, addressOf(second)] })
    await until(() => node.state().reservations === 2 && relaysOf(node).includes(far.peerId))
  })

  test('finds relays that it was not told of', async (t) => {
    const first = await relayAt(t, '127.0.1.1')
    const others = await Promise.all(
      ['127.0.2.1', '127.0.3.1'].map((ip) =>
        startTestMesh(t, { serves: true, listen: [{ ip, port: 0 }], bootstrap: [addressOf(first)] }),
      ),
    )
    await until(() => first.state().routingTable === others.length)
    const node = await startTestMesh(t, { bootstrap: [addressOf(first)] })
    await until(() => node.state().reservations === 2)
  })
})
