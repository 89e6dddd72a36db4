/**
 * Nothing unauthenticated ever becomes a path: whenever an engine takes an address for a peer's, or sends over it, the
 * peer's own host has written to us from there.
 *
 * A proof by a check is an answer, so the datagram that brings it is the peer's. A proof by WireGuard's handshake comes
 * when our WireGuard answers, so the peer's datagram came before.
 */

import { formatSocketAddress, type SocketAddress, sameSocketAddress } from '../../src/base/address.js'
import type { Effect } from '../../src/engine/effects.js'
import type { Input } from '../../src/engine/inputs.js'
import type { Flow } from '../../src/engine/loopback/forwarding.js'
import type { Host, Ledger, Side } from './ledger.js'

const NAME = 'authentic-paths'

interface Seen {
  /** As the engine listed them when it was last looked at: the very same objects. */
  remotes: readonly SocketAddress[]
  /** Every address that was found to be the peer's. */
  readonly proved: SocketAddress[]
  path: SocketAddress | undefined
}

/** A path in use has become another one, or the first. */
export type OnPath = (side: Side, remote: SocketAddress) => void

export class AuthenticPaths {
  readonly statistics = { proved: 0, taken: 0 }
  readonly #ledger: Ledger
  readonly #onPath: OnPath
  readonly #seen = new WeakMap<Flow, Seen>()

  constructor(ledger: Ledger, onPath: OnPath) {
    this.#ledger = ledger
    this.#onPath = onPath
  }

  handled(host: Host, input: Input, effects: readonly Effect[]): void {
    if (input.type === 'datagram-received') this.#learn(host, input.remote)
    else if (input.type === 'wireguard-sent') {
      for (const effect of effects) if (effect.type === 'send') this.#learn(host, effect.remote)
    }
    for (const side of host.sides.values()) {
      if (side.flow !== undefined) this.#look(side, side.flow, input)
    }
  }

  /** The engine shows what it forwards only to those who name an address of it. */
  #learn(host: Host, remote: SocketAddress): void {
    const flow = host.node?.forwarding.flowAt(remote)
    if (flow === undefined) return
    const side = this.#ledger.side(host, flow.peer)
    if (side === undefined)
      this.#ledger.report(NAME, host.name, `it has a path to ${flow.peer}, who is nobody`)
    else side.flow = flow
  }

  #look(side: Side, flow: Flow, input: Input): void {
    let seen = this.#seen.get(flow)
    if (seen === undefined) {
      seen = { remotes: [], proved: [], path: undefined }
      this.#seen.set(flow, seen)
    }
    if (!sameObjects(seen.remotes, flow.remotes)) {
      for (const remote of flow.remotes) {
        if (!seen.remotes.includes(remote)) this.#proved(side, seen, remote, input)
      }
      seen.remotes = [...flow.remotes]
    }
    const remote = flow.path?.remote
    if (remote === seen.path) return
    if (remote !== undefined && (seen.path === undefined || !sameSocketAddress(remote, seen.path))) {
      this.statistics.taken += 1
      this.#onPath(side, remote)
      if (!seen.proved.some((known) => sameSocketAddress(known, remote)))
        this.#proved(side, seen, remote, input)
    }
    seen.path = remote
  }

  #proved({ host, peer }: Side, seen: Seen, remote: SocketAddress, input: Input): void {
    // An address that is listed again after another peer had it is no new proof.
    if (seen.proved.some((known) => sameSocketAddress(known, remote))) return
    this.statistics.proved += 1
    const { authorship } = this.#ledger
    const isAnswer = input.type === 'datagram-received' && sameSocketAddress(input.remote, remote)
    const isPeers = isAnswer
      ? authorship.lastAuthor(host.name, remote) === peer.name
      : authorship.lastArrival(host.name, remote, peer.name) !== undefined
    if (isPeers) seen.proved.push(remote)
    else {
      const who = authorship.lastAuthor(host.name, remote) ?? 'nobody'
      const where = formatSocketAddress(remote)
      this.#ledger.report(
        NAME,
        host.name,
        `${where} became a path to ${peer.name}, and ${who} wrote from there`,
      )
    }
  }
}

function sameObjects<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
