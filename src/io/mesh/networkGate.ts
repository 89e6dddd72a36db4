/**
 * Who may come in, of which network: with a network key or without, told in one round trip. libp2p itself only finds that
 * it cannot read the other side, and waits until its time is over.
 *
 * With a key, @libp2p/pnet has each side send a nonce of 24 bytes and encrypts all that follows. In every network the
 * dialler then begins multistream-select, and waits for its answer:
 *
 *     dialler                       listener                          what the dialler gets, in place of an answer
 *     another key  nonce, rubbish   sees no HEADER                    our HEADER under our key: rubbish for it
 *     a key        nonce            has none: sees no HEADER          REFUSAL, as long as a nonce
 *     no key       HEADER           has one: sees HEADER for a nonce  our nonce: rubbish for it
 *
 * So each side looks at the first bytes of the other, and a listener refuses with bytes before it closes, so that the
 * dialler can tell. {@link ./anticipate} compares what a dialler gets; what was meant is in {@link mismatch}.
 */

import type { AbortOptions, ConnectionProtector, MessageStream } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import { concat, equals, fromString } from 'uint8arrays'
import type { DropReason } from '../../base/drops.js'
import { MINUTE } from '../../base/time.js'
import type { MeshLog } from './options.js'

export const WRONG_NETWORK_KEY = "the network key is wrong, or the node's network has another one"
export const CLOSED_NETWORK = 'the node is of a closed network, and we have no network key'
export const OPEN_NETWORK = 'the node is of an open network, and we have a network key'

/** Who was refused: what is counted for it. */
export type Refused = Extract<DropReason, 'mesh-no-network-key' | 'mesh-wrong-network-key' | 'mesh-not-ours'>

const SAID: Readonly<Record<Refused, string>> = {
  'mesh-no-network-key': 'a node without our network key tried to connect',
  'mesh-wrong-network-key': 'a node with another network key tried to connect',
  'mesh-not-ours': 'a node of a network with a key tried to connect, or something that is no node',
}
/** The log says of each kind of refusal at most once in this time, in ms; all are counted. */
const SAID_AGAIN_AFTER_MS = 10 * MINUTE

/** What to do with those refused: they are counted, and now and then said; where they came from is for the debug log. */
export function tellOfRefused(
  onDrop: (reason: DropReason) => void,
  log: MeshLog,
): (reason: Refused, from: string) => void {
  const saidAt = new Map<Refused, number>()
  return (reason, from) => {
    onDrop(reason)
    log.debug({ from }, SAID[reason])
    const now = performance.now()
    if (now - (saidAt.get(reason) ?? -Infinity) < SAID_AGAIN_AFTER_MS) return
    saidAt.set(reason, now)
    log.info({}, `${SAID[reason]}, and was refused`)
  }
}

/** How libp2p begins: the first message of multistream-select, with its length before it. */
const HEADER = fromString('\u0013/multistream/1.0.0\n')
/** multistream-select's "not available". With HEADER it is as long as pnet's nonce, which is how a dialler reads it. */
const REFUSAL = concat([HEADER, fromString('\u0003na\n')])

export class NetworkGate implements ConnectionProtector {
  readonly #key: ConnectionProtector | undefined
  readonly #onRefused: (reason: Refused, from: string) => void

  /** `key` is what encrypts a connection with the network's key, where there is one. */
  constructor(key: ConnectionProtector | undefined, onRefused: (reason: Refused, from: string) => void) {
    this.#key = key
    this.#onRefused = onRefused
  }

  async protect(connection: MessageStream, options?: AbortOptions): Promise<MessageStream> {
    if (connection.direction === 'outbound') return this.#protectOutbound(connection, options)
    if (this.#key === undefined) {
      return this.#admit(connection, connection, REFUSAL, 'mesh-not-ours', options)
    }
    if (await beginsWith(connection, HEADER, options)) {
      // Its answer is our nonce, which pnet sends whatever comes.
      const nonce = this.#key.protect(connection, options)
      return this.#refuse(connection, await nonce, undefined, 'mesh-no-network-key', options)
    }
    const decrypted = await this.#key.protect(connection, options)
    return this.#admit(connection, decrypted, HEADER, 'mesh-wrong-network-key', options)
  }

  /** What it means that a dialled node does not begin its answer as `HEADER`, or differs only after that. */
  mismatch(at: number): Error | undefined {
    if (at >= HEADER.length) return undefined
    return new Error(this.#key === undefined ? CLOSED_NETWORK : WRONG_NETWORK_KEY)
  }

  async #protectOutbound(connection: MessageStream, options?: AbortOptions): Promise<MessageStream> {
    if (this.#key === undefined) return connection
    watchForRefusal(connection)
    return this.#key.protect(connection, options)
  }

  async #admit(
    connection: MessageStream,
    decrypted: MessageStream,
    refusal: Uint8Array,
    reason: Refused,
    options: AbortOptions | undefined,
  ): Promise<MessageStream> {
    if (await beginsWith(decrypted, HEADER, options)) return decrypted
    return this.#refuse(connection, decrypted, refusal, reason, options)
  }

  /** Throws, after all that is to be sent has left. */
  async #refuse(
    connection: MessageStream,
    decrypted: MessageStream,
    refusal: Uint8Array | undefined,
    reason: Refused,
    options: AbortOptions | undefined,
  ): Promise<never> {
    this.#onRefused(reason, 'remoteAddr' in connection ? String(connection.remoteAddr) : '')
    if (refusal !== undefined) decrypted.send(refusal)
    await decrypted.close(options).catch(() => {})
    throw new Error(reason)
  }
}

/** Looks at the first bytes and leaves them to be read. Throws where fewer come than `beginning` has. */
async function beginsWith(
  stream: MessageStream,
  beginning: Uint8Array,
  options: AbortOptions | undefined,
): Promise<boolean> {
  const bytes = byteStream(stream)
  const read = await bytes.read({ ...options, bytes: beginning.length })
  // byteStream prepends what is left, and then we what was read.
  bytes.unwrap()
  stream.unshift(read)
  return equals(read.subarray(), beginning)
}

/** Aborts a connection to a node whose first bytes are {@link REFUSAL} in place of a nonce. */
function watchForRefusal(connection: MessageStream): void {
  if (!('onData' in connection) || typeof connection.onData !== 'function') return
  const seen: Uint8Array[] = []
  const receive: (data: Uint8Array | Uint8ArrayList) => void = connection.onData.bind(connection)
  connection.onData = (data: Uint8Array | Uint8ArrayList) => {
    seen.push(data.subarray())
    const first = concat(seen)
    if (first.length >= REFUSAL.length) connection.onData = receive
    if (equals(first.subarray(0, REFUSAL.length), REFUSAL)) connection.abort(new Error(OPEN_NETWORK))
    else receive(data)
  }
}
