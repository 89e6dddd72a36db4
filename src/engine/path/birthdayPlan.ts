/**
 * Who does what in birthday punching, told by what both NATs do.
 *
 * - *hard*: our NAT gives each destination a port of its own, which nobody can know; the peer's keeps one port for all.
 *   We open many sockets, so that many ports of our NAT let the peer in.
 * - *easy*: it is the other way round. We probe ports of the peer's NAT until we meet one that is open to us.
 *
 * Two hard ones would have to guess on both sides at once: hours of packets, so they stay relayed. Two easy ones need none
 * of this.
 */

import type { SocketAddress } from '../../base/address.js'
import { isGlobal } from '../../base/address.js'
import type { Candidate } from '../../wire/candidate.js'
import type { NatBehaviour, PeerRecord } from '../../wire/record.js'
import type { LocalSocket, MachineRoute, SocketId } from '../inputs.js'
import type { Gateways } from './failedMeetings.js'
import { socketsFor } from './reachability.js'

export type BirthdayPlan = {
  readonly between: Gateways
  /** True where a gateway of one of the two says that it has opened a port for it. */
  readonly isMapped: boolean
  /** False where nothing but the peer itself says that it is at the address that checks go to. */
  readonly isProved: boolean
} & (
  | {
      readonly role: 'hard'
      /** The local address at which to open sockets. */
      readonly ip: string
      /** Where the peer is to everybody. */
      readonly target: SocketAddress
    }
  | {
      readonly role: 'easy'
      readonly socket: SocketId
      /** The outer address of the peer's NAT. */
      readonly ip: string
      /** Ports of it, in the order in which reflectors that were asked one after the other saw them. */
      readonly seen: readonly number[]
    }
)

export interface BirthdaySituation {
  readonly own: NatBehaviour
  /** Our addresses as reflectors see them. */
  readonly reflexive: readonly Candidate[]
  /** Our ports that gateways have opened. */
  readonly mapped: readonly Candidate[]
  readonly sockets: readonly LocalSocket[]
  readonly routes: readonly MachineRoute[]
  readonly peer: PeerRecord
  /** Whether somebody else says that the peer is at this address. */
  readonly isProved: (ip: string) => boolean
}

/** Undefined where birthday punching is of no use, or not enough is known. */
export function planBirthday(situation: BirthdaySituation): BirthdayPlan | undefined {
  const { own, sockets, routes, peer } = situation
  const isHardSide = isHard(own) && isEasy(peer.nat)
  if (!isHardSide && !(isEasy(own) && isHard(peer.nat))) return undefined
  const seen = outerAddresses(peer.candidates)
  const proved = seen.filter(({ ip }) => situation.isProved(ip))
  for (const target of [...proved, ...seen]) {
    const [socket] = socketsFor(target.ip, sockets, routes)
    const gateway = situation.reflexive[0]?.address.ip ?? socket?.address.ip
    // Who is behind the same gateway is not behind another.
    if (socket === undefined || gateway === undefined || gateway === target.ip) continue
    const between: Gateways = { own: gateway, peer: target.ip }
    const common = { between, isMapped: isMapped(situation), isProved: proved.includes(target) }
    if (isHardSide) return { role: 'hard', ...common, ip: socket.address.ip, target }
    const ports = seen.flatMap(({ ip, port }) => (ip === target.ip ? [port] : []))
    return { role: 'easy', ...common, socket: socket.id, ip: target.ip, seen: ports }
  }
  return undefined
}

/** The two gateways where both map by destination, and no port is open: nothing leads straight from one to the other. */
export function hopelessMeeting(situation: BirthdaySituation): Gateways | undefined {
  const { own, reflexive, peer } = situation
  const [ours] = reflexive
  const [theirs] = outerAddresses(peer.candidates)
  if (!isHard(own) || !isHard(peer.nat) || isMapped(situation)) return undefined
  if (ours === undefined || theirs === undefined || ours.address.ip === theirs.ip) return undefined
  return { own: ours.address.ip, peer: theirs.ip }
}

/** Whether what a NAT does may make it worth guessing ports: then it matters to others where we are. */
export function mayNeedGuessing(nat: NatBehaviour): boolean {
  return isHard(nat) || isEasy(nat)
}

function isMapped({ mapped, peer }: BirthdaySituation): boolean {
  return mapped.length > 0 || peer.candidates.some(({ type }) => type === 'mapped')
}

/** A new port for each destination. */
function isHard({ mapping }: NatBehaviour): boolean {
  return mapping === 'address-dependent' || mapping === 'address-and-port-dependent'
}

/** One port for all, or no NAT, but whoever was not sent to is kept out: a hard one's unknown port among them. */
function isEasy({ mapping, filtering }: NatBehaviour): boolean {
  if (mapping === 'endpoint-independent') return filtering !== 'none'
  return mapping === 'none' && filtering === 'address-and-port-dependent'
}

/** Where a node is to the world, in its record's order. */
function outerAddresses(candidates: readonly Candidate[]): readonly SocketAddress[] {
  const reflexive = candidates.filter(({ type }) => type === 'server-reflexive')
  const own = candidates.filter(({ type, address }) => type === 'host' && isGlobal(address.ip))
  return [...reflexive, ...own].map(({ address }) => address)
}
