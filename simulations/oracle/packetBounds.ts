/**
 * Bounded packets. What a node asks of its own accord in a second is at most
 *
 *   100 checks that punch, birthday punching included                   engine/path/punchLimits.ts
 *   9 questions to reflectors for each socket                           engine/path/reflection.ts
 *   4 probes a second for each of a peer's proved addresses, 8 of them; or 5 for each of 5, while it is in alarm
 *                                                                       engine/path/agent.ts
 *   16 requests for sessions and binds of each peer                     engine/relay/relaying.ts
 *
 * What else it sends is an answer to a datagram that came in, or a message of WireGuard's, to 4 addresses at most
 * (engine/loopback/handshakes.ts) and one beside; or the messages of the last second again, while it is in alarm
 * (engine/loopback/lookout.ts): 32, for each of two paths in a second. Of its checks only so many reach one and the same peer in the long run; and only so
 * many go to an address that never answers. Data that takes the short way is one datagram for one, or two, and not counted.
 */

import type { SocketAddress } from '../../src/base/address.js'
import { MINUTE, SECOND } from '../../src/base/time.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import { DEFAULT_PUNCH_LIMITS } from '../../src/engine/path/punchLimits.js'
import type { Datagram } from '../network/datagram.js'
import type { Host, Ledger, Side } from './ledger.js'

const NAME = 'bounded'

export const PUNCHING_EACH_SECOND = 100
export const REFLECTIONS_EACH_SOCKET = 9
export const PROBES_EACH_PEER = 32
/** Two relays, each asked four times, and bound to as often. */
export const RELAYING_EACH_PEER = 16
const ROUTES_EACH_MESSAGE = 5
const SENT_AGAIN_EACH_PEER = 64
/** First messages that were held, and go out when a path is found. */
const RELEASED = 20

/**
 * A pair that cannot meet makes an effort every 72 s from each end, with some five knocks, after each of which all that
 * the peer names is checked from the beginning: with the three ports that three reflectors saw, 200 checks an effort. One
 * that has met asks every 20 s. Checks that beget checks are more than this within a continent.
 */
const CHECKS_WINDOW_MS = 10 * MINUTE
const CHECKS_EACH_WINDOW = 4_000

/** The densest series of checks has one every 100 ms. Birthday punching sends one from each of its sockets. */
const SILENT_WINDOW_MS = 10 * SECOND
const SILENT_EACH_SOCKET = 100
const SILENT_PUNCHING = DEFAULT_PUNCH_LIMITS.sockets

/** What was counted of a host in the second that runs. */
interface Second {
  begunAt: number
  asked: number
  sent: number
  arrived: number
  wireguard: number
  /** Datagrams to addresses from which nothing ever came, and when they began to be counted. */
  silentSince: number
  readonly silent: Map<string, Map<number, number>>
}

export class PacketBounds {
  /** The most that was seen of each. */
  readonly statistics = { askedEachSecond: 0, checksEachWindow: 0, toSilent: 0 }
  readonly #ledger: Ledger
  readonly #seconds = new WeakMap<Host, Second>()
  /** Of a side, those that came to its peer. */
  readonly #checks = new WeakMap<Side, { readonly since: number; count: number }>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** A datagram came in; `author` is the machine that sent it, if it is one. */
  arrived(host: Host, author: Host | undefined, { bytes }: Datagram): void {
    this.#second(host).arrived += 1
    if (author !== undefined && isBindingRequest(bytes)) this.#checked(host, author)
  }

  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    const second = this.#second(host)
    if (input.type === 'wireguard-sent') second.wireguard += 1
    for (const effect of effects) {
      if (effect.type !== 'send') continue
      if (isBindingRequest(effect.datagram) || isGrantRequest(effect.datagram)) second.asked += 1
      else second.sent += 1
      if (this.#ledger.authorship.lastAuthor(host.name, effect.remote) === undefined)
        this.#sentToSilent(host, second, effect.remote)
    }
  }

  #second(host: Host): Second {
    const { now } = this.#ledger
    let second = this.#seconds.get(host)
    if (second === undefined) {
      second = {
        begunAt: now,
        asked: 0,
        sent: 0,
        arrived: 0,
        wireguard: 0,
        silentSince: now,
        silent: new Map(),
      }
      this.#seconds.set(host, second)
    } else if (now - second.begunAt >= SECOND) {
      this.#end(host, second)
      second.begunAt = now
      second.asked = 0
      second.sent = 0
      second.arrived = 0
      second.wireguard = 0
    }
    return second
  }

  #end(host: Host, { asked, sent, arrived, wireguard }: Second): void {
    if (asked > this.statistics.askedEachSecond) this.statistics.askedEachSecond = asked
    const mayAsk =
      PUNCHING_EACH_SECOND +
      REFLECTIONS_EACH_SOCKET * host.sockets +
      (PROBES_EACH_PEER + RELAYING_EACH_PEER) * host.sides.size
    if (asked > mayAsk) this.#report(host, `${asked} questions in a second, where ${mayAsk} are enough`)
    const maySend =
      arrived + ROUTES_EACH_MESSAGE * wireguard + SENT_AGAIN_EACH_PEER * host.sides.size + RELEASED
    if (sent > maySend)
      this.#report(host, `${sent} answers and messages in a second, where ${maySend} are enough`)
  }

  #checked(host: Host, author: Host): void {
    const { now } = this.#ledger
    const side = this.#ledger.side(author, host.machine.publicKey)
    if (side === undefined) return
    let checks = this.#checks.get(side)
    if (checks === undefined || now - checks.since >= CHECKS_WINDOW_MS) {
      checks = { since: now, count: 0 }
      this.#checks.set(side, checks)
    }
    checks.count += 1
    if (checks.count > this.statistics.checksEachWindow) this.statistics.checksEachWindow = checks.count
    if (checks.count > CHECKS_EACH_WINDOW)
      this.#report(author, `more than ${CHECKS_EACH_WINDOW} of its checks came to ${host.name} in 10 minutes`)
  }

  #sentToSilent(host: Host, second: Second, { ip, port }: SocketAddress): void {
    const { now } = this.#ledger
    if (now - second.silentSince >= SILENT_WINDOW_MS) {
      second.silent.clear()
      second.silentSince = now
    }
    let byPort = second.silent.get(ip)
    if (byPort === undefined) {
      byPort = new Map()
      second.silent.set(ip, byPort)
    }
    const sent = (byPort.get(port) ?? 0) + 1
    byPort.set(port, sent)
    if (sent > this.statistics.toSilent) this.statistics.toSilent = sent
    if (sent > SILENT_EACH_SOCKET * Math.max(1, host.sockets) + SILENT_PUNCHING)
      this.#report(host, `${sent} datagrams within 10 s to ${ip} port ${port}, from where nothing ever came`)
  }

  #report(host: Host, message: string): void {
    this.#ledger.report(NAME, host.name, message)
  }
}

/** A request for a session at a relay. */
function isGrantRequest(bytes: Uint8Array): boolean {
  return bytes[0] === 0x0a && bytes[1] === 0x60
}

/** Plain, a check, or a bind: STUN's method and class (RFC 8489 section 5). */
function isBindingRequest(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 1
}
