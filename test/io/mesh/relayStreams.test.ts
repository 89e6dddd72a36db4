import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { fromString, toString as toText } from 'uint8arrays'
import { MAX_QUEUED } from '../../../src/io/mesh/datagramStream.js'
import type { MeshOptions } from '../../../src/io/mesh/options.js'
import { MAX_FRAMED_LENGTH } from '../../../src/wire/relayFrame.js'
import { addressOf, startTestMesh, type TestMesh, until } from './meshes.js'

/** A node, and what came through its streams. */
interface StreamedMesh {
  readonly mesh: TestMesh
  readonly heard: { readonly stream: number; readonly port: number; readonly text: string }[]
  readonly closed: number[]
  /** Where each that others opened comes from. */
  readonly sources: (string | undefined)[]
  overflows: number
}

describe('a stream that stands in for UDP', () => {
  test('carries datagrams to ports of the relay, and back', async (t) => {
    const { relay, node } = await startPair(t)
    const stream = await node.mesh.openRelayStream(relay.mesh.identity)
    node.mesh.sendThroughStream(stream, 40_000, fromString('to the relay'))
    node.mesh.sendThroughStream(stream, 51_821, fromString('to its shared port'))
    await until(() => relay.heard.length === 2)
    assert.deepEqual([relay.sources, node.sources], [['127.0.0.1'], []])
    assert.deepEqual(
      relay.heard.map(({ port, text }) => ({ port, text })),
      [
        { port: 40_000, text: 'to the relay' },
        { port: 51_821, text: 'to its shared port' },
      ],
    )
    relay.mesh.sendThroughStream(relay.heard[0]?.stream ?? -1, 40_000, fromString('and back'))
    await until(() => node.heard.length === 1)
    assert.deepEqual(node.heard, [{ stream, port: 40_000, text: 'and back' }])
  })

  test('ends for both sides when one closes it, and takes what is sent afterwards', async (t) => {
    const { relay, node } = await startPair(t)
    const stream = await node.mesh.openRelayStream(relay.mesh.identity)
    node.mesh.sendThroughStream(stream, 1, fromString('a'))
    await until(() => relay.heard.length === 1)
    node.mesh.closeRelayStream(stream)
    await until(() => relay.closed.length === 1 && node.closed.length === 1)
    node.mesh.sendThroughStream(stream, 1, fromString('b'))
    assert.equal(relay.heard.length, 1)
  })

  test('ends when the relay serves no more, which then takes none', async (t) => {
    const { relay, node } = await startPair(t)
    await node.mesh.openRelayStream(relay.mesh.identity).then((stream) => {
      node.mesh.sendThroughStream(stream, 1, fromString('a'))
    })
    await until(() => relay.heard.length === 1)
    await relay.mesh.setServing(false)
    await until(() => node.closed.length === 1)
    await refused(node, relay)
  })

  test('is opened twice by one node, and not more often', async (t) => {
    const { relay, node } = await startPair(t)
    const streams = [
      await node.mesh.openRelayStream(relay.mesh.identity),
      await node.mesh.openRelayStream(relay.mesh.identity),
    ]
    for (const stream of streams) node.mesh.sendThroughStream(stream, 1, fromString('a'))
    await until(() => relay.heard.length === 2)
    await refused(node, relay)
  })

  test('loses the oldest where more is sent than the other side takes, and holds no more than its queue', async (t) => {
    const { relay, node } = await startPair(t)
    const stream = await node.mesh.openRelayStream(relay.mesh.identity)
    const count = 2_000
    // All in one go: nothing can leave meanwhile beyond what the connection holds.
    for (let index = 0; index < count; index++) {
      const datagram = new Uint8Array(MAX_FRAMED_LENGTH)
      new DataView(datagram.buffer).setUint32(0, index)
      node.mesh.sendThroughStream(stream, 7, datagram)
    }
    assert(node.overflows > 0 && node.overflows < count, `${node.overflows}`)
    await until(() => relay.heard.length === count - node.overflows)
    const last = relay.heard.at(-1)?.text ?? ''
    assert.equal(new DataView(fromString(last, 'latin1').buffer).getUint32(0), count - 1)
    assert(node.overflows * MAX_FRAMED_LENGTH > MAX_QUEUED)
  })

  test('is not opened to a node that does not relay, nor by one without handlers', async (t) => {
    const { relay, node } = await startPair(t, { relays: false })
    await refused(node, relay)
    const other = await startTestMesh(t, { bootstrap: [addressOf(relay.mesh)] })
    await assert.rejects(other.openRelayStream(relay.mesh.identity))
  })
})

/** Opens one more stream and waits until it is refused: our negotiation is optimistic, so that may be told afterwards. */
async function refused(node: StreamedMesh, relay: StreamedMesh): Promise<void> {
  const before = node.closed.length
  const wasOpened = await node.mesh.openRelayStream(relay.mesh.identity).then(
    () => true,
    () => false,
  )
  if (wasOpened) await until(() => node.closed.length === before + 1)
}

async function startPair(
  t: TestContext,
  { relays = true }: { readonly relays?: boolean } = {},
): Promise<{ readonly relay: StreamedMesh; readonly node: StreamedMesh }> {
  const relay = await startStreamed(t, { serves: true }, relays)
  const node = await startStreamed(t, { bootstrap: [addressOf(relay.mesh)] })
  await until(() => node.mesh.state().servers.length === 1)
  return { relay, node }
}

async function startStreamed(
  t: TestContext,
  options: Partial<MeshOptions>,
  handles = true,
): Promise<StreamedMesh> {
  const seen = {
    heard: [] as StreamedMesh['heard'],
    closed: [] as number[],
    sources: [] as (string | undefined)[],
    overflows: 0,
  }
  const relayStreams = {
    onInbound: (_stream: number, source: string | undefined) => seen.sources.push(source),
    onDatagram: (stream: number, port: number, bytes: Uint8Array) => {
      seen.heard.push({ stream, port, text: toText(bytes, bytes.length > 100 ? 'latin1' : 'utf8') })
    },
    onClose: (stream: number) => seen.closed.push(stream),
    onOverflow: () => {
      seen.overflows += 1
    },
  }
  const mesh = await startTestMesh(t, handles ? { ...options, relayStreams } : options)
  return Object.assign(seen, { mesh })
}
