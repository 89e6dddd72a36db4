/** Requests to a node's DHT, byte by byte (libp2p's kad-dht specification, "RPC messages"). */

import { setMaxListeners } from 'node:events'
import type { Connection } from '@libp2p/interface'
import { Record } from '@libp2p/kad-dht'
import { lpStream } from '@libp2p/utils'
import { concat } from 'uint8arrays'
import { ask } from '../../../src/io/mesh/exchange.js'

export const PUT_VALUE = 0
export const GET_VALUE = 1
export const ADD_PROVIDER = 2
export const GET_PROVIDERS = 3
export const FIND_NODE = 4

const PROTOCOL = '/tunnelbore/test/kad/1.0.0'
const KEY = 2
const RECORD = 3

/** A protobuf field of bytes. */
function field(number: number, bytes: Uint8Array): Uint8Array {
  const length: number[] = []
  let rest = bytes.length
  for (; rest > 127; rest >>= 7) length.push((rest & 127) | 128)
  return concat([Uint8Array.of((number << 3) | 2, ...length, rest), bytes])
}

export function requestOf(type: number, key: Uint8Array, record?: Uint8Array): Uint8Array {
  return concat([
    Uint8Array.of(8, type),
    field(KEY, key),
    ...(record === undefined ? [] : [field(RECORD, record)]),
  ])
}

/** What asks to store `value` under `key`. */
export function putOf(key: Uint8Array, value: Uint8Array): Uint8Array {
  return requestOf(PUT_VALUE, key, new Record(key, value, new Date()).serialize())
}

const MAX_ANSWER = 65_536
/** Streams of which nobody waits too long; a time-out for each request would outlive ten thousand of them. */
const options = { signal: new AbortController().signal }
setMaxListeners(0, options.signal)

/** Sends a request; the answer's bytes, or undefined where the stream was reset or closed. */
export async function request(connection: Connection, message: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await ask(connection, PROTOCOL, message, MAX_ANSWER, options)
  } catch (error) {
    if (connection.status !== 'open') throw error
    return undefined
  }
}

/** Sends requests over one stream until one is refused, which resets it; how many were answered. */
async function requestOver(connection: Connection, messages: readonly Uint8Array[]): Promise<number> {
  const stream = await connection.newStream(PROTOCOL, options)
  const prefixed = lpStream(stream, { maxDataLength: MAX_ANSWER })
  let answered = 0
  try {
    for (const message of messages) {
      await prefixed.write(message, options)
      await prefixed.read(options)
      answered += 1
    }
    await stream.close(options)
  } catch {
    if (connection.status !== 'open') throw new Error('the connection was closed')
  }
  return answered
}

/** How many requests of 1.5 KB a stream takes. */
const A_STREAM = 16
/** Of more than ten streams on a connection that was just opened, libp2p resets the rest. */
const AT_ONCE = 8

/** Sends many, some at a time; how many were answered. */
export async function requestAll(
  connection: Connection,
  messages: Iterable<Uint8Array>,
): Promise<{ readonly answered: number; readonly refused: number }> {
  const left = messages[Symbol.iterator]()
  const next = (count: number): Uint8Array[] => {
    const taken: Uint8Array[] = []
    while (taken.length < count) {
      const { done, value } = left.next()
      if (done) break
      taken.push(value)
    }
    return taken
  }
  let [answered, refused] = [0, 0]
  const one = async () => {
    for (let batch = next(A_STREAM); batch.length > 0; ) {
      const count = await requestOver(connection, batch)
      answered += count
      if (count < batch.length) refused += 1
      batch = batch.slice(count + 1)
      if (batch.length === 0) batch = next(A_STREAM)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return { answered, refused }
}
