/** A node that is known as a server of the DHT, and answers whatever a test wants. */

import '../../../src/io/nodeCompatibility.js'

import type { TestContext } from 'node:test'
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { Record } from '@libp2p/kad-dht'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { fromString } from 'uint8arrays'
import { GET_VALUE, requestOf } from './rawDht.js'

/** What it sends for a request, as messages with a length before each; it may take as long as it likes. */
export type BadAnswer = (stream: Stream, request: Uint8Array) => Promise<void>

/** Starts one on 127.0.0.1, which is stopped at the end of the test; returns its multiaddr. */
export async function startBadStorer(t: TestContext, answer: BadAnswer): Promise<string> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify({ protocolPrefix: 'tunnelbore/test' }) },
  })
  t.after(() => node.stop())
  await node.handle('/tunnelbore/test/services/1', async (stream) => {
    await lpStream(stream).write(fromString('services'))
    await stream.close()
  })
  await node.handle('/tunnelbore/test/kad/1.0.0', async (stream) => {
    // The other side goes away while it waits.
    await answerOne(stream, answer).catch(() => {})
  })
  const [address] = node.getMultiaddrs()
  if (address === undefined) throw new Error('it does not listen')
  return address.toString()
}

async function answerOne(stream: Stream, answer: BadAnswer): Promise<void> {
  const request = (await lpStream(stream).read()).slice()
  await answer(stream, request)
}

/** Answers every request with these bytes. */
export function message(bytes: Uint8Array): BadAnswer {
  return async (stream) => {
    await lpStream(stream).write(bytes)
    await stream.close()
  }
}

/** Answers every request with a record: `value`, which says that it is for `key`. */
export function record(key: Uint8Array, value: Uint8Array): BadAnswer {
  return message(requestOf(GET_VALUE, key, new Record(key, value, new Date()).serialize()))
}

/** Answers that it has nothing. */
export function nothing(key: Uint8Array): BadAnswer {
  return message(requestOf(GET_VALUE, key))
}

export const closes: BadAnswer = async (stream) => stream.close()

export const resets: BadAnswer = async (stream) => stream.abort(new Error('for no reason'))

/** Takes the request and never says a word. */
export const neverAnswers: BadAnswer = () => new Promise(() => {})

/** Announces an answer of which it sends a part. */
export const stopsInTheMidst: BadAnswer = async (stream) => {
  stream.send(Uint8Array.of(200, 1, 8, 1, 18))
  await new Promise(() => {})
}
