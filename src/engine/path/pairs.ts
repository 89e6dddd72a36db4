/**
 * All pairs of one peer: every address that it names with every socket that reaches it, and those that checks or
 * WireGuard's handshakes brought. The most promising come first, because that is the order of checks.
 */

import { isStreamAddress } from '../../base/streamAddress.js'
import type { Instant } from '../../base/time.js'
import type { Candidate, CandidateType } from '../../wire/candidate.js'
import { candidatePriority } from './checks.js'
import { askingSockets, type Machine, openSockets } from './machine.js'
import type { Pair } from './pair.js'
import { type Route, sameRoute } from './path.js'
import { isUsable, socketsFor } from './reachability.js'

/** Bounds what one peer's record, and its peer-reflexive addresses, may make us check. */
const MAX_PAIRS = 64

/** A peer that answers no checks leaves a proof wherever it was. Of those out of use so many are kept, the latest. */
const MAX_HANDSHAKE_PROOFS = 4

export class Pairs {
  readonly #machine: Machine
  #all: Pair[] = []

  constructor(machine: Machine) {
    this.#machine = machine
  }

  get all(): readonly Pair[] {
    return this.#all
  }

  find(route: Route): Pair | undefined {
    return this.#all.find((pair) => sameRoute(pair, route))
  }

  /** Whether something can be sent over a route: its socket is open, and no tunnel leads there. */
  mayUse(route: Route): boolean {
    return isUsable(route, openSockets(this.#machine), this.#machine.routes)
  }

  /** Pairs every candidate with every socket that can reach it; the best first, because that is the order of checks. */
  pairUp(candidates: readonly Candidate[], relayed: readonly Route[]): void {
    const usual = askingSockets(this.#machine)
    for (const pair of this.#all) pair.offered = false
    for (const route of relayed) if (this.mayUse(route)) this.#pair(route, 'relayed')
    for (const { type, address } of candidates) {
      for (const socket of socketsFor(address.ip, usual, this.#machine.routes)) {
        const route = { socket: socket.id, remote: address }
        if (!relayed.some((each) => sameRoute(each, route))) this.#pair(route, type)
      }
    }
    for (const pair of this.#all) {
      // The peer has just said that it is no longer there.
      if (!pair.offered && pair.proof === undefined && pair.type !== 'peer-reflexive') pair.series = undefined
    }
    this.dropUnoffered()
    this.#all.sort((a, b) => candidatePriority(b.type) - candidatePriority(a.type))
  }

  /** Adds one that no candidate named; undefined where nothing can be sent there, or there is no room. */
  addReflexive(route: Route): Pair | undefined {
    return this.mayUse(route) ? this.#add(route, 'peer-reflexive') : undefined
  }

  /** The sockets or routes of the machine changed. */
  dropUnusable(): void {
    this.#all = this.#all.filter((pair) => this.mayUse(pair))
  }

  /** After every change of what is offered, tried or proved. */
  dropUnoffered(): void {
    this.#all = this.#all.filter(
      (pair) => pair.offered || pair.proof !== undefined || pair.series !== undefined,
    )
  }

  /** Keeps the latest few of those that only a handshake proved, besides the one in use. */
  forgetFormerHandshakes(inUse: Pair | undefined): void {
    const latestFirst = this.#all
      .flatMap((pair) =>
        pair.proof?.kind === 'handshake' && pair !== inUse ? [{ pair, at: pair.proof.at }] : [],
      )
      .sort((a, b) => b.at - a.at)
    for (const { pair } of latestFirst.slice(MAX_HANDSHAKE_PROOFS)) pair.proof = undefined
    this.dropUnoffered()
  }

  #pair(route: Route, type: CandidateType): void {
    const known = this.find(route)
    if (known === undefined) {
      this.#add(route, type)
      return
    }
    known.type = type
    known.offered = true
  }

  #add(route: Route, type: CandidateType): Pair | undefined {
    if (this.#all.length >= MAX_PAIRS) {
      // The last is the least promising.
      const unproved = this.#all.findLastIndex(
        (pair) => pair.proof === undefined && pair.series === undefined && pair.type !== 'relayed',
      )
      if (unproved < 0) return undefined
      this.#all.splice(unproved, 1)
    }
    const pair: Pair = {
      ...route,
      type,
      throughStream:
        isStreamAddress(route.remote.ip) || this.#machine.streamSockets.some(({ id }) => id === route.socket),
      offered: type !== 'peer-reflexive',
      proof: undefined,
      series: undefined,
      onKnock: { count: 0, notBefore: Number.NEGATIVE_INFINITY as Instant },
    }
    this.#all.push(pair)
    return pair
  }
}
