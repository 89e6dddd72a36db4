/**
 * What is taken from each neighbour before gossipsub sees it. gossipsub notes the id of a message, for minutes and in
 * tables without a bound, before it asks whether the message is valid; it passes a message on as it came, with whatever
 * fields it has; and it believes what control messages say. So, of each message in an RPC, in this order:
 *
 *     another topic        stripped
 *     fields of an author  stripped, a fault: they would be passed on with it, at any length
 *     a wrong length       stripped, a fault
 *     the neighbour's      stripped where the neighbour has sent more than its share
 *     seen before          let through: gossipsub knows it too
 *     in all               stripped where all neighbours together have sent more than is taken
 *
 * What is stripped leaves no trace: a copy from another neighbour passes if its turn comes. A neighbour that sends too
 * much can thus not make us deaf for a message by bringing it first. Of control messages:
 *
 *     IHAVE, IWANT     the first {@link MAX_IDS} ids, of IHAVE those not seen: the answer to IWANT must fit a frame
 *     PRUNE            without peers to connect to, and without a time of the neighbour's choice
 *     IDONTWANT        none: with our protocol's name gossipsub does not send it
 */

import { createHash } from 'node:crypto'
import type { RPC } from '@libp2p/gossipsub/message'
import { toString as toText } from 'uint8arrays'
import type { DropReason } from '../../base/drops.js'
import { SourceLimiter, TokenBucket } from '../../base/rateLimit.js'
import { elapsed, type Instant, MINUTE } from '../../base/time.js'

/** What is taken of messages of one topic, a second and at once: of each neighbour, and in all. */
export interface TopicIntake {
  /** The only length that its messages have, in bytes. */
  readonly length: number
  readonly each: { readonly perSecond: number; readonly burst: number }
  readonly all: { readonly perSecond: number; readonly burst: number }
}

/** How many ids are read of one RPC. */
export const MAX_IDS = 32
/** gossipsub's: how long it remembers the id of a message, in ms. */
export const SEEN_MS = 2 * MINUTE
/** As many as there can be connections. */
const MAX_NEIGHBOURS = 4096

interface Topic {
  readonly length: number
  readonly neighbours: SourceLimiter
  readonly all: TokenBucket
}

export class GossipIntake {
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #onFault: (neighbour: string) => void
  readonly #onDrop: (reason: DropReason) => void
  // Two generations: an id is in one of them for SEEN_MS / 2 at least, and for SEEN_MS at most.
  #seen = new Set<string>()
  #seenBefore = new Set<string>()
  #turnedAt: Instant

  constructor(
    topics: ReadonlyMap<string, TopicIntake>,
    onFault: (neighbour: string) => void,
    onDrop: (reason: DropReason) => void,
    now: Instant,
  ) {
    this.#topics = new Map(
      [...topics].map(([name, { length, each, all }]) => [
        name,
        {
          length,
          neighbours: new SourceLimiter({ each, maxSources: MAX_NEIGHBOURS }, now),
          all: new TokenBucket(all.perSecond, all.burst, now),
        },
      ]),
    )
    this.#onFault = onFault
    this.#onDrop = onDrop
    this.#turnedAt = now
  }

  /** What of an RPC is handed on. */
  admit(neighbour: string, { subscriptions, messages, control }: RPC, now: Instant): RPC {
    this.#forget(now)
    return {
      subscriptions,
      messages: messages.filter((message) => this.#takes(neighbour, message, now)),
      ...(control === undefined ? {} : { control: this.#trimmed(control) }),
    }
  }

  /** A message of our own: what comes back of it is nothing new. */
  sent(topic: string, data: Uint8Array): void {
    this.#seen.add(toText(messageId(topic, data), 'base64'))
  }

  /** How many ids are remembered. */
  get seen(): number {
    return this.#seen.size + this.#seenBefore.size
  }

  #takes(neighbour: string, message: RPC.Message, now: Instant): boolean {
    const topic = this.#topics.get(message.topic)
    if (topic === undefined) return false
    const { data } = message
    if (data?.length !== topic.length || hasAuthor(message)) {
      this.#onDrop('gossip-malformed')
      this.#onFault(neighbour)
      return false
    }
    if (!topic.neighbours.admit(neighbour, now)) {
      this.#onDrop('gossip-rate-limited')
      return false
    }
    const id = toText(messageId(message.topic, data), 'base64')
    if (this.#has(id)) return true
    if (!topic.all.take(now)) {
      this.#onDrop('gossip-rate-limited')
      return false
    }
    this.#seen.add(id)
    return true
  }

  #trimmed({ ihave, iwant, graft, prune }: RPC.ControlMessage): RPC.ControlMessage {
    let ids = 0
    const isNew = (id: Uint8Array) => !this.#has(toText(id, 'base64'))
    const wanted = ihave.map(({ messageIDs, ...rest }) => {
      const news = messageIDs.filter(isNew).slice(0, MAX_IDS - ids)
      ids += news.length
      return { ...rest, messageIDs: news }
    })
    const asked = iwant.flatMap(({ messageIDs }) => messageIDs).slice(0, MAX_IDS)
    return {
      ihave: wanted.filter(({ messageIDs }) => messageIDs.length > 0),
      iwant: asked.length === 0 ? [] : [{ messageIDs: asked }],
      graft,
      prune: prune.map(({ topicID }) => ({ ...(topicID === undefined ? {} : { topicID }), peers: [] })),
      idontwant: [],
    }
  }

  #has(id: string): boolean {
    return this.#seen.has(id) || this.#seenBefore.has(id)
  }

  #forget(now: Instant): void {
    if (elapsed(this.#turnedAt, now) < SEEN_MS / 2) return
    this.#turnedAt = now
    this.#seenBefore = this.#seen
    this.#seen = new Set()
  }
}

/**
 * SHA-256 of the topic, a zero byte and the data, cut to 20 bytes. With the data alone, a record brought under the
 * topic of knocks would be refused there, and then also where it belongs.
 */
export function messageId(topic: string, data: Uint8Array): Uint8Array {
  return createHash('sha256').update(topic).update('\0').update(data).digest().subarray(0, 20)
}

function hasAuthor({ from, seqno, signature, key }: RPC.Message): boolean {
  return from !== undefined || seqno !== undefined || signature !== undefined || key !== undefined
}
