/**
 * UDP probes, which a node sends to those who ask while it serves, and asks others for. The messages are in
 * wire/udpProbe.ts.
 *
 *     asker ══ /tunnelbore/<network>/udp-probe/1 ══► server
 *       ▲                                              │
 *       └────── UDP: one datagram of 28 bytes ─────────┘
 *
 * It leaves from the port where the server reflects, or from a fresh one, which then answers Binding requests of the
 * asker's address for a moment: how a NAT maps towards another port of one host can be told by no other means.
 *
 * Nobody can have others probed: it goes to the address at which the server sees the asker, on a direct connection, and
 * to no other. The datagram is shorter than the request for it. Requests are limited for each asker, each address, and
 * in all.
 */

import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type SocketAddress, senderBlock } from '../../base/address.js'
import { type DropReason, isDropped } from '../../base/drops.js'
import { SourceLimiter, TokenBucket } from '../../base/rateLimit.js'
import { MINUTE, SECOND } from '../../base/time.js'
import { decodeStun, encodeStun } from '../../wire/stun/message.js'
import { BINDING } from '../../wire/stun/registry.js'
import {
  decodeUdpProbeAnswer,
  decodeUdpProbeRequest,
  encodeUdpProbeAnswer,
  encodeUdpProbeRequest,
  MAX_UDP_PROBE_LENGTH,
  type UdpProbeAnswer,
  type UdpProbeRequest,
  udpProbeDatagram,
} from '../../wire/udpProbe.js'
import { within } from '../deadline.js'
import type { OtherPort } from '../otherPort.js'
import { monotonicNow } from '../systemClock.js'
import { seenAt } from './dialBack.js'
import { asError, ask, readMessage } from './exchange.js'
import type { Parts } from './parts.js'

/** What probes are sent with. `at` is the address by which the asker knows us. */
export interface UdpProbeSockets {
  /** Sends from a shared socket; false where there is none for it. */
  send(at: string, to: SocketAddress, datagram: Uint8Array): boolean
  openOther(at: string, toIp: string): OtherPort | undefined
}

const EXCHANGE_MS = 4_000
/** How long another port stays open, in ms, how many at once, and how many Binding requests one answers. */
const OTHER_PORT_MS = 5_000
const MAX_OTHER_PORTS = 64
const MAX_REFLECTIONS = 6

const A_MINUTE = SECOND / MINUTE
const LIMITS = {
  askers: { each: { perSecond: 10 * A_MINUTE, burst: 15 }, maxSources: 4096 },
  addresses: { each: { perSecond: 30 * A_MINUTE, burst: 30 }, maxSources: 4096 },
} as const
const ALL = { perSecond: 20, burst: 200 } as const

const NOT_SENT: UdpProbeAnswer = { ip: undefined, otherPort: undefined }

export class UdpProbes {
  readonly #protocol: string
  readonly #sockets: UdpProbeSockets | undefined
  readonly #onDrop: (reason: DropReason) => void
  readonly #askers = new SourceLimiter(LIMITS.askers, monotonicNow())
  readonly #addresses = new SourceLimiter(LIMITS.addresses, monotonicNow())
  readonly #all = new TokenBucket(ALL.perSecond, ALL.burst, monotonicNow())
  readonly #open = new Map<OtherPort, NodeJS.Timeout>()

  /** Without sockets none is sent. */
  constructor(network: string, sockets: UdpProbeSockets | undefined, onDrop: (reason: DropReason) => void) {
    this.#protocol = `/tunnelbore/${network}/udp-probe/1`
    this.#sockets = sockets
    this.#onDrop = onDrop
  }

  /** Begins to answer others, or stops. */
  async setServing({ registrar }: Parts, serves: boolean): Promise<void> {
    if (!serves) {
      for (const port of [...this.#open.keys()]) this.#close(port)
      await registrar.unhandle(this.#protocol)
      return
    }
    await registrar.handle(
      this.#protocol,
      async (stream, connection) => {
        try {
          const signal = within(EXCHANGE_MS)
          const { message, answer } = await readMessage(stream, MAX_UDP_PROBE_LENGTH, { signal })
          await answer(encodeUdpProbeAnswer(this.#asked(message, connection)))
        } catch (error) {
          stream.abort(asError(error))
        }
      },
      { maxInboundStreams: 4, force: true },
    )
  }

  /** Asks a server to which there is a direct connection. Rejects where there is none, or no usable answer. */
  async ask(
    { connectionManager }: Parts,
    server: string,
    request: UdpProbeRequest,
    signal: AbortSignal,
  ): Promise<UdpProbeAnswer> {
    const connection = connectionManager
      .getConnections(peerIdFromString(server))
      .find((open) => open.status === 'open' && seenAt(open) === request.at)
    if (connection === undefined) throw new Error('there is no direct connection to it')
    const bytes = encodeUdpProbeRequest(request)
    const answer = decodeUdpProbeAnswer(
      await ask(connection, this.#protocol, bytes, MAX_UDP_PROBE_LENGTH, { signal }),
    )
    if (!isDropped(answer)) return answer
    this.#onDrop(answer.dropped)
    throw new Error('its answer is malformed')
  }

  #asked(bytes: Uint8Array, connection: Connection): UdpProbeAnswer {
    const request = decodeUdpProbeRequest(bytes)
    const ip = seenAt(connection)
    if (isDropped(request) || ip === undefined) {
      this.#onDrop('udp-probe-malformed')
      return NOT_SENT
    }
    const [asker, address] = [connection.remotePeer.toString(), senderBlock(ip)]
    if (
      !this.#askers.admit(asker, monotonicNow()) ||
      !this.#addresses.admit(address, monotonicNow()) ||
      !this.#all.take(monotonicNow())
    ) {
      this.#onDrop('udp-probe-rate-limited')
      return NOT_SENT
    }
    return this.#send(request, ip)
  }

  #send({ port, nonce, from, at }: UdpProbeRequest, ip: string): UdpProbeAnswer {
    const datagram = udpProbeDatagram(nonce)
    if (from === 'usual-port') {
      const sent = this.#sockets?.send(at, { ip, port }, datagram) ?? false
      return sent ? { ip, otherPort: undefined } : NOT_SENT
    }
    if (this.#open.size >= MAX_OTHER_PORTS) return NOT_SENT
    const other = this.#sockets?.openOther(at, ip)
    if (other === undefined) return NOT_SENT
    this.#open.set(
      other,
      setTimeout(() => this.#close(other), OTHER_PORT_MS),
    )
    reflect(other, ip)
    other.send({ ip, port }, datagram)
    return { ip, otherPort: other.port }
  }

  #close(other: OtherPort): void {
    clearTimeout(this.#open.get(other))
    if (this.#open.delete(other)) other.close()
  }
}

/** Answers a few plain Binding requests of one address. */
function reflect(other: OtherPort, ip: string): void {
  let left = MAX_REFLECTIONS
  other.onDatagram((from, datagram) => {
    const request = decodeStun(datagram)
    if (isDropped(request) || from.ip !== ip || left === 0) return
    if (request.messageClass !== 'request' || request.method !== BINDING) return
    if (request.username !== undefined || request.unknownRequired.length > 0) return
    left -= 1
    const { transactionId } = request
    other.send(
      from,
      encodeStun({ messageClass: 'success', method: BINDING, transactionId, mappedAddress: from }),
    )
  })
}
