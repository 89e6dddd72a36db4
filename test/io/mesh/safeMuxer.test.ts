/** Streams of the real muxer, over a connection in memory. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { passesBytes } from '../../../src/io/mesh/anticipate.js'
import { safeMuxer } from '../../../src/io/mesh/safeMuxer.js'
import { settled } from '../../daemon/settled.js'

const pair = () => {
  const [here, there] = multiaddrConnectionPair()
  const muxer = safeMuxer(yamux({ enableKeepAlive: false }))
  return { here, streams: muxer().createStreamMuxer(here), others: muxer().createStreamMuxer(there) }
}

test('a stream that is opened while its connection ends is aborted, and ends nothing else', async () => {
  const uncaught: unknown[] = []
  const onException = (error: unknown) => uncaught.push(error)
  process.on('uncaughtException', onException)
  try {
    for (const end of ['abort', 'close'] as const) {
      const { here, streams } = pair()
      const opening = streams.createStream()
      if (end === 'abort') here.abort(new Error('gone'))
      else void here.close()
      const stream = await opening
      await settled()
      assert.notEqual(stream.status, 'open', end)
      assert.throws(() => stream.send(Uint8Array.of(1)))
    }
    assert.deepEqual(uncaught, [])
  } finally {
    process.off('uncaughtException', onException)
  }
})

test('a stream of an open connection is opened as ever', async () => {
  const { here, streams, others } = pair()
  const arrived = new Promise<string>((resolve) => {
    others.addEventListener('stream', ({ detail }) => resolve(detail.direction))
  })
  const stream = await streams.createStream()
  assert.equal(await arrived, 'inbound')
  assert.equal(stream.status, 'open')
  here.abort(new Error('over'))
})

test('a frame that is none, on a connection that is about to close, ends that connection only', async () => {
  const uncaught: unknown[] = []
  const onException = (error: unknown) => uncaught.push(error)
  process.on('uncaughtException', onException)
  try {
    const { here, streams } = pair()
    const closing = here.close()
    assert.equal(here.status, 'closing')
    assert.ok(passesBytes(here))
    here.onData(new Uint8Array(12).fill(0xff))
    await closing.catch(() => undefined)
    await settled()
    assert.notEqual(streams.status, 'open')
    assert.notEqual(here.status, 'open')
    assert.deepEqual(uncaught, [])
  } finally {
    process.off('uncaughtException', onException)
  }
})
