/**
 * Dialling back those who ask whether they can be reached, which a node does while it serves. The messages are in
 * wire/reach.ts.
 *
 *     asker ══ /tunnelbore/<network>/reach/1 ══► server ══ /tunnelbore/<network>/dial-back/1 ══► another server
 *       ▲                                                                                              │
 *       └──────────────────────────────── TCP, noise, closed ──────────────────────────────────────────┘
 *
 * A gateway may let in whoever the asker has talked to, so another server dials: one at another address, to which the asker
 * has no connection. Where there is none, or none that can, the server dials itself, and says so.
 *
 * Nobody can have others dialled. A server dials the address at which it sees the asker, on a direct connection; a node that
 * dials for a server does it for those only that it knows to serve, and dials no address of a narrower scope than that
 * server's own: from outside, nothing inside is dialled. One request is one TCP connection and no more bytes than a
 * handshake. Requests are limited for each asker, each address, each server, and in all.
 */

import type { Connection, PeerId } from '@libp2p/interface'
import { isGlobal, type SocketAddress, scopeOf, senderBlock } from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import { SourceLimiter, TokenBucket } from '../../base/rateLimit.js'
import { MINUTE, SECOND } from '../../base/time.js'
import {
  decodeDialBackRequest,
  decodeReachAnswer,
  decodeReachRequest,
  encodeDialBackRequest,
  encodeReachAnswer,
  MAX_REACH_LENGTH,
  type ReachAnswer,
} from '../../wire/reach.js'
import { within } from '../deadline.js'
import { monotonicNow } from '../systemClock.js'
import { asError, ask, readMessage } from './exchange.js'
import { peerIdOfIdentity } from './identity.js'
import { addressedIp } from './multiaddrs.js'
import { linkOf } from './networkOf.js'
import { answersAt } from './noiseDial.js'
import type { Parts } from './parts.js'
import type { Servers } from './servers.js'

/** From the first segment to the proof of identity, in ms. */
const DIAL_BACK_MS = 3_000
/** What a message and its answer take besides. */
const EXCHANGE_MS = 1_000
/** How long an asker waits for its answer, in ms: two helpers that fail, and the server itself. */
export const REACH_MS = 3 * (DIAL_BACK_MS + EXCHANGE_MS)
const MAX_HELPERS = 2

const A_MINUTE = SECOND / MINUTE
/** For each asker, each server that hands requests on (by its address), and each address that is dialled. */
const LIMITS = {
  askers: { each: { perSecond: 4 * A_MINUTE, burst: 6 }, maxSources: 4096 },
  servers: { each: { perSecond: 30 * A_MINUTE, burst: 20 }, maxSources: 4096 },
  addresses: { each: { perSecond: 12 * A_MINUTE, burst: 12 }, maxSources: 4096 },
} as const
/** For all that ask, and for all that is handed on. */
const ALL = { perSecond: 2, burst: 60 } as const
/** Dials under way, in all. */
const MAX_AT_ONCE = 32

const NOT_TRIED: ReachAnswer = { verdict: 'not-tried', by: 'same', ip: undefined }

/** The protocol by which a node asks to be dialled back. */
export function reachProtocol(network: string): string {
  return `/tunnelbore/${network}/reach/1`
}

export class DialBack {
  readonly #reach: string
  readonly #dialBack: string
  readonly #servers: Servers
  readonly #onDrop: (reason: DropReason) => void
  readonly #limits = {
    askers: new SourceLimiter(LIMITS.askers, monotonicNow()),
    addresses: new SourceLimiter(LIMITS.addresses, monotonicNow()),
    servers: new SourceLimiter(LIMITS.servers, monotonicNow()),
  }
  readonly #all = {
    askers: new TokenBucket(ALL.perSecond, ALL.burst, monotonicNow()),
    servers: new TokenBucket(ALL.perSecond, ALL.burst, monotonicNow()),
  }
  /** Askers and addresses for which something is under way: one each at a time. */
  readonly #busy = new Set<string>()
  #over = new AbortController()

  constructor(network: string, servers: Servers, onDrop: (reason: DropReason) => void) {
    this.#reach = reachProtocol(network)
    this.#dialBack = `/tunnelbore/${network}/dial-back/1`
    this.#servers = servers
    this.#onDrop = onDrop
  }

  /** Begins to answer others, or stops; dials under way are called off. */
  async setServing(parts: Parts, serves: boolean): Promise<void> {
    const { registrar } = parts
    const handlers = {
      [this.#reach]: (bytes: Uint8Array, connection: Connection) => this.#asked(parts, bytes, connection),
      [this.#dialBack]: (bytes: Uint8Array, connection: Connection) =>
        this.#helping(parts, bytes, connection),
    }
    if (!serves) {
      this.#over.abort()
      for (const protocol of Object.keys(handlers)) await registrar.unhandle(protocol)
      return
    }
    this.#over = new AbortController()
    for (const [protocol, handle] of Object.entries(handlers)) {
      await registrar.handle(
        protocol,
        async (stream, connection) => {
          try {
            const signal = within(REACH_MS)
            const { message, answer } = await readMessage(stream, MAX_REACH_LENGTH, { signal })
            await answer(encodeReachAnswer(await handle(message, connection)))
          } catch (error) {
            stream.abort(asError(error))
          }
        },
        { maxInboundStreams: 4, force: true },
      )
    }
  }

  /** An asker asks. */
  async #asked(parts: Parts, bytes: Uint8Array, connection: Connection): Promise<ReachAnswer> {
    const request = decodeReachRequest(bytes)
    const ip = seenAt(connection)
    if (isDropped(request) || ip === undefined) return this.#refuse('reach-malformed')
    const asker = connection.remotePeer
    const limited = ['askers', asker.toString()] as const
    return this.#once([asker.toString(), ip], limited, async () => {
      const address = { ip, port: request.port }
      for (const helper of this.#helpers(parts, asker, ip)) {
        const answer = await this.#handOn(helper, address, asker)
        if (answer !== undefined && answer.verdict !== 'not-tried') return { ...answer, by: 'another', ip }
      }
      return this.#dial(parts, address, asker, 'same')
    })
  }

  /** Another server asks us to dial one of its askers. */
  async #helping(parts: Parts, bytes: Uint8Array, connection: Connection): Promise<ReachAnswer> {
    const request = decodeDialBackRequest(bytes)
    const from = seenAt(connection)
    if (isDropped(request) || from === undefined) return this.#refuse('reach-malformed')
    const { address, identity } = request
    const asker = peerIdOfIdentity(identity)
    if (!this.#servers.has(connection.remotePeer)) return this.#refuse('reach-malformed')
    if (!isGlobal(address.ip) && scopeOf(address.ip) !== scopeOf(from)) return this.#refuse('reach-malformed')
    // Its gateway may let us in because of that.
    if (parts.connectionManager.getConnections(asker).length > 0) return NOT_TRIED
    const server = connection.remotePeer.toString()
    return this.#once([server, address.ip], ['servers', senderBlock(from)], () =>
      this.#dial(parts, address, asker, 'another'),
    )
  }

  /**
   * Runs `work` if nothing is under way for who asks or for the address, and all are within their limits. What is refused
   * for one source takes nothing from all: identities cost nothing, and addresses can be made up.
   */
  async #once(
    [who, ip]: readonly [string, string],
    [kind, source]: readonly ['askers' | 'servers', string],
    work: () => Promise<ReachAnswer>,
  ): Promise<ReachAnswer> {
    if (this.#busy.has(who) || this.#busy.has(ip) || this.#busy.size >= 2 * MAX_AT_ONCE) {
      return this.#refuse('reach-rate-limited')
    }
    const [limit, addresses] = [this.#limits[kind], this.#limits.addresses]
    if (
      !limit.admit(source, monotonicNow()) ||
      !addresses.admit(ip, monotonicNow()) ||
      !this.#all[kind].take(monotonicNow())
    ) {
      return this.#refuse('reach-rate-limited')
    }
    this.#busy.add(who).add(ip)
    try {
      return await work()
    } finally {
      this.#busy.delete(who)
      this.#busy.delete(ip)
    }
  }

  async #handOn(to: Connection, address: SocketAddress, asker: PeerId): Promise<ReachAnswer | undefined> {
    if (asker.type !== 'Ed25519') return undefined
    try {
      const request = encodeDialBackRequest({ address, identity: asker.publicKey.raw })
      const signal = within(DIAL_BACK_MS + EXCHANGE_MS)
      const answer = decodeReachAnswer(await ask(to, this.#dialBack, request, MAX_REACH_LENGTH, { signal }))
      if (!isDropped(answer)) return answer
      this.#onDrop(answer.dropped)
    } catch {
      // It does not help, or is gone; another one may.
    }
    return undefined
  }

  async #dial(
    parts: Parts,
    address: SocketAddress,
    asker: PeerId,
    by: ReachAnswer['by'],
  ): Promise<ReachAnswer> {
    const isThere = await answersAt(parts, address, asker, within(DIAL_BACK_MS, this.#over.signal))
    return { verdict: isThere ? 'reachable' : 'unreachable', by, ip: address.ip }
  }

  /** Connections to other servers at other addresses, those at other links first. */
  #helpers({ connectionManager }: Parts, asker: PeerId, askerIp: string): readonly Connection[] {
    const near = linkOf(askerIp)
    return connectionManager
      .getConnections()
      .filter(({ remotePeer, status }) => status === 'open' && this.#servers.has(remotePeer))
      .filter((connection) => {
        const ip = seenAt(connection)
        return ip !== undefined && ip !== askerIp && !connection.remotePeer.equals(asker)
      })
      .sort((a, b) => Number(linkOf(seenAt(a) ?? '') === near) - Number(linkOf(seenAt(b) ?? '') === near))
      .slice(0, MAX_HELPERS)
  }

  #refuse(reason: DropReason): ReachAnswer {
    this.#onDrop(reason)
    return NOT_TRIED
  }
}

/** The address at the other end of a direct connection. */
export function seenAt({ remoteAddr, limits }: Connection): string | undefined {
  return limits === undefined ? addressedIp(remoteAddr) : undefined
}
