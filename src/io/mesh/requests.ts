/**
 * What others ask of us in the DHT, if we serve: kad-dht's handlers with limits around them, and our own in place of
 * the one that stores.
 *
 * kad-dht's handler of PUT_VALUE verifies whatever anybody sends, at any rate, and its datastore is not told who sent it.
 * Ours knows: each neighbour (peer id), each address of its connections, and all together have a limit, which is tested
 * before anything is decoded or verified. What it answers is the same: the message, if the record was stored; else the
 * stream is reset. Other requests have limits of the same kind, and provider records are refused.
 *
 * `rpc` is public in kad-dht's class and missing from its declared type, so it is declared here, and its presence is
 * checked when the node starts.
 */

import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { type KadDHT, type MessageType, Record } from '@libp2p/kad-dht'
import { equals, fromString } from 'uint8arrays'
import { senderBlock } from '../../base/address.js'
import { type DropReason, drop } from '../../base/drops.js'
import { SourceLimiter } from '../../base/rateLimit.js'
import type { Instant } from '../../base/time.js'
import { now } from '../systemClock.js'
import { addressedIp } from './multiaddrs.js'
import type { Parts } from './parts.js'
import type { RecordStore } from './recordStore.js'

interface Rate {
  readonly perSecond: number
  /** At once. */
  readonly burst: number
}

interface Limits {
  readonly eachNeighbour: Rate
  readonly eachAddress: Rate
  readonly all: Rate
}

/** How much is answered: records to be stored, and everything else. */
export interface RequestLimits {
  readonly storing: Limits
  readonly asking: Limits
}

/**
 * A node publishes some three records every ten minutes, and asks for some three keys for each of its peers when it
 * starts. Whole fleets can stand behind one address, and can start together. To store costs a signature.
 */
export const REQUEST_LIMITS: RequestLimits = {
  storing: {
    eachNeighbour: { perSecond: 2, burst: 32 },
    eachAddress: { perSecond: 50, burst: 1_000 },
    all: { perSecond: 200, burst: 2_000 },
  },
  asking: {
    eachNeighbour: { perSecond: 50, burst: 1_000 },
    eachAddress: { perSecond: 500, burst: 4_000 },
    all: { perSecond: 1_000, burst: 8_000 },
  },
}

const MAX_SOURCES = 4_096
/** One request a stream is what our own nodes send. kad-dht reads messages of up to 4 MiB. */
const MAX_STREAM_LENGTH = 32 * 1024
const KEY_PREFIX = fromString('/record/')
const MAX_KEY_LENGTH = 256

interface Message {
  readonly type: MessageType
  readonly key?: Uint8Array
  readonly record?: Uint8Array
}

interface Handler {
  handle(from: PeerId, message: Message): Promise<Message | undefined>
}

interface Internals {
  readonly rpc: {
    readonly handlers: Readonly<Partial<{ [type: string]: Handler }>>
    onIncomingStream(stream: Stream, connection: Connection): Promise<void>
  }
}

/**
 * Puts the limits around the handlers. To be called before the node starts. Throws where this release of kad-dht is not
 * the one this was written for.
 */
export function limitRequests(
  kadDht: KadDHT,
  store: RecordStore,
  { connectionManager }: Pick<Parts, 'connectionManager'>,
  limits: RequestLimits,
  onDrop: (reason: DropReason) => void,
): void {
  if (!hasInternals(kadDht)) throw new Error('this release of @libp2p/kad-dht is not supported')
  const { rpc } = kadDht
  const storing = new Limiter(limits.storing, now().instant)
  const asking = new Limiter(limits.asking, now().instant)
  const sourceOf = (peer: PeerId) => addressBlockOf(connectionManager.getConnections(peer)) ?? peer.toString()
  const refusal = (reason: DropReason) => {
    onDrop(reason)
    return new Error(`refused: ${reason}`)
  }

  for (const type of HANDLED) {
    const handler = rpc.handlers[type]
    if (handler === undefined) continue
    const original = handler.handle.bind(handler)
    handler.handle = async (from, message) => {
      const source = sourceOf(from)
      if (type === 'PUT_VALUE') {
        if (!storing.admits(from, source)) throw refusal('record-rate-limited')
        const { dropped } = deliver(store, message, source) ?? {}
        if (dropped !== undefined) throw refusal(dropped)
        return message
      }
      if (!asking.admits(from, source)) throw refusal('dht-rate-limited')
      if (PROVIDING.has(type)) throw refusal('dht-unsupported')
      return original(from, message)
    }
  }

  const onIncomingStream = rpc.onIncomingStream.bind(rpc)
  rpc.onIncomingStream = async (stream, connection) => {
    let length = 0
    stream.addEventListener('message', ({ data }) => {
      const before = length
      length += data.byteLength
      if (length > MAX_STREAM_LENGTH && before <= MAX_STREAM_LENGTH) stream.abort(refusal('dht-too-large'))
    })
    return onIncomingStream(stream, connection)
  }
}

const PROVIDING: ReadonlySet<string> = new Set(['ADD_PROVIDER', 'GET_PROVIDERS'])
const HANDLED = ['PUT_VALUE', 'GET_VALUE', 'FIND_NODE', 'PING', ...PROVIDING]

/** The limits of one kind of request. */
class Limiter {
  readonly #neighbours: SourceLimiter
  readonly #addresses: SourceLimiter

  constructor({ eachNeighbour, eachAddress, all }: Limits, since: Instant) {
    this.#neighbours = new SourceLimiter({ each: eachNeighbour, maxSources: MAX_SOURCES }, since)
    this.#addresses = new SourceLimiter({ each: eachAddress, all, maxSources: MAX_SOURCES }, since)
  }

  /** What a neighbour or an address has too much of takes nothing from all: identities cost nothing. */
  admits(from: PeerId, address: string): boolean {
    const { instant } = now()
    return this.#neighbours.admit(from.toString(), instant) && this.#addresses.admit(address, instant)
  }
}

function deliver(store: RecordStore, { key, record }: Message, source: string) {
  const { key: recordKey, value } = decodeRecord(record) ?? {}
  if (recordKey === undefined || value === undefined || !isRecordKey(recordKey))
    return drop('record-malformed')
  if (key === undefined || !equals(key, recordKey)) return drop('record-malformed')
  return store.deliver(recordKey, value, source)
}

function decodeRecord(bytes: Uint8Array | undefined) {
  try {
    return bytes === undefined ? undefined : Record.deserialize(bytes)
  } catch {
    return undefined
  }
}

function isRecordKey(key: Uint8Array): boolean {
  return (
    key.length > KEY_PREFIX.length &&
    key.length <= MAX_KEY_LENGTH &&
    equals(key.subarray(0, KEY_PREFIX.length), KEY_PREFIX)
  )
}

/** Where a neighbour is: by its oldest connection, so that opening another one changes nothing. */
function addressBlockOf(connections: readonly Connection[]): string | undefined {
  for (const { limits, remoteAddr } of connections) {
    const ip = limits === undefined ? addressedIp(remoteAddr) : undefined
    if (ip !== undefined) return senderBlock(ip)
  }
  return undefined
}

function hasInternals(kadDht: KadDHT): kadDht is KadDHT & Internals {
  const { rpc } = kadDht as Partial<Internals>
  return (
    typeof rpc?.onIncomingStream === 'function' &&
    HANDLED.every((type) => typeof rpc.handlers?.[type]?.handle === 'function')
  )
}
