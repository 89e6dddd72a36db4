/**
 * What comes of it when two hosts try all they sensibly can: each sends, again and again, to the addresses that the
 * other has, to those that a reflector saw, and to wherever something of the other's came from.
 *
 * They meet where a question is answered as ICE wants it (RFC 8445 section 7.2.5.2.1): the answer comes from where the
 * question went, to where it left.
 */

import { type Address, Crossing, type Socket } from './crossing.js'
import type { Family, Terrain } from './terrain.js'

/** Addresses in use at both ends: `there` as seen from here, `here` as seen from there. */
export interface Meeting {
  readonly family: Family
  readonly here: Address
  readonly there: Address
}

export interface Attempt {
  readonly terrain: Terrain
  readonly family: Family
  /** The sites of both hosts; the first carries the default route. */
  readonly sites: readonly [readonly number[], readonly number[]]
  /** Whether each has an address of its own that means the same everywhere, of any family. */
  readonly onInternet: readonly [boolean, boolean]
  /** Whose outer port the other has guessed. */
  readonly predicted?: number
  /** True where gateways open ports for those who ask. */
  readonly opened?: boolean
  /** True where private addresses are tried wherever the peer is; else only where they may mean something. */
  readonly everywhere?: boolean
}

/** No way needs more steps: every address that is learned is answered, and one that is still new then runs ahead for ever. */
const MOST_TARGETS = 48

interface End {
  readonly sockets: readonly Socket[]
  /** As reflectors see it. */
  readonly reflexive: readonly Address[]
  readonly targets: { readonly socket: Socket; readonly to: Address }[]
}

/** How the two meet; undefined where they do not. */
export function meeting(attempt: Attempt): Meeting | undefined {
  const { terrain, family, sites, onInternet, predicted, everywhere = false, opened = false } = attempt
  const crossing = new Crossing(terrain, family, predicted)
  const ends = sites.map((at, host) => endOf(crossing, host, at, opened))
  const [one, other] = ends
  if (one === undefined || other === undefined) return undefined
  aim(crossing, one, other, onInternet[0], everywhere)
  aim(crossing, other, one, onInternet[1], everywhere)
  let known = 0
  for (let targets = one.targets.length + other.targets.length; targets !== known; ) {
    known = targets
    // Twice: what the second sends may have to be let in by what the first sends.
    for (let round = 0; round < 2; round++) for (const end of ends) sendAll(crossing, end, ends)
    targets = one.targets.length + other.targets.length
  }
  for (const { socket, to } of one.targets) {
    const question = crossing.send(socket, to)
    if (question === undefined) continue
    const answer = crossing.send(question.to, question.from)
    if (answer?.to === socket && answer.from === to) return { family, here: question.from, there: to }
  }
  return undefined
}

function endOf(crossing: Crossing, host: number, sites: readonly number[], opened: boolean): End {
  const sockets = crossing.socketsOf(host, sites)
  const reflexive: Address[] = []
  for (const socket of sockets) {
    const seen = crossing.seenByReflector(socket)
    if (seen !== undefined) reflexive.push(seen)
    const open = opened ? crossing.openPort(socket) : undefined
    if (open !== undefined) reflexive.push(open)
  }
  return { sockets, reflexive, targets: [] }
}

/** Every socket of `end` is to try every address of `other`. */
function aim(crossing: Crossing, end: End, other: End, onInternet: boolean, everywhere: boolean): void {
  const sharesGateway = end.reflexive.some(({ ip }) => other.reflexive.some((theirs) => theirs.ip === ip))
  const isOnInternet = onInternet || end.reflexive.length > 0
  for (const socket of end.sockets) {
    for (const to of other.reflexive) learn(end, socket, to)
    for (const { address } of other.sockets) {
      const means =
        everywhere ||
        sharesGateway ||
        !isOnInternet ||
        crossing.isGlobal(address) ||
        end.sockets.some((own) => crossing.isOnLink(own, address))
      if (means) learn(end, socket, address)
    }
  }
}

function sendAll(crossing: Crossing, { targets }: End, ends: readonly End[]): void {
  // What is learned meanwhile is tried as well.
  for (let at = 0; at < targets.length; at++) {
    const target = targets[at]
    if (target === undefined) continue
    const arrival = crossing.send(target.socket, target.to)
    const receiver = arrival === undefined ? undefined : ends[arrival.to.host]
    if (arrival !== undefined && receiver !== undefined) learn(receiver, arrival.to, arrival.from)
  }
}

function learn({ targets }: End, socket: Socket, to: Address): void {
  if (targets.length >= MOST_TARGETS) return
  if (!targets.some((known) => known.socket === socket && known.to === to)) targets.push({ socket, to })
}
